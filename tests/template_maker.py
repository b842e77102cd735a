"""Random templates and data, from a seed, for the comparison with Handlebars (test_templates.py).

What is known to differ on purpose (docs/templates.md) is not made: keys of maps that look like numbers, members of a
block parameter that may be missing where that is an error, names that JavaScript's own objects have.
"""
import random

NAMES = ["a", "b", "c", "name", "list", "dict", "other-name", "名前"]
TEXTS = ["", "x", "Anna", "<b>&\"'`=</b>", "日本語", "a b", "0", "2", "two\nlines\n", "😀é", "true", " "]
FILL = ["", " ", "text", "\n", "\n\n", "  ", " \n", "\t", "a\nb", "  \n  ", "é", "　", "x ", "\r\n", "{ ", " }", "\\\\", "\\{{raw}}", "\\\\{{a}}",
        " }} ", "<p>", "."]


class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.lenient = self.rng.random() < 0.6
        self.params = []  # block parameters that can be seen
        self.partials = []  # inline or stored names that may be called
        self.depth = 0

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, of):
        return self.rng.choice(of)

    # --- Data

    def value(self, depth):
        kind = self.rng.randrange(12 if depth else 8)
        if kind < 3:
            return self.pick(TEXTS)
        if kind < 5:
            return self.pick([0, 1, 2, -1, 1.5, 1e21, 1e-7, 100, 0.1])
        if kind < 7:
            return self.pick([True, False, True])
        if kind == 7:
            return None
        if kind < 10:
            return [self.value(depth - 1) for _ in range(self.rng.randrange(4))]
        return self.mapping(depth - 1)

    def mapping(self, depth):
        keep = 0.7 if self.lenient else 0.92
        made = {}
        for name in NAMES:
            if name == "list" and self.chance(keep):
                made[name] = [self.value(depth) for _ in range(self.rng.randrange(4))]
            elif name == "dict" and depth and self.chance(keep):
                made[name] = self.mapping(depth - 1)
            elif self.chance(keep):
                made[name] = self.value(depth)
        if self.chance(0.05):
            made["if"] = "a member called if"
        return made

    # --- Templates

    def fill(self):
        return "".join(self.pick(FILL) for _ in range(self.rng.randrange(3)))

    def name(self):
        n = self.pick(NAMES)
        return "[" + n + "]" if self.chance(0.05) else n

    def path(self, head=False):
        """head: of a tag that prints or a section, which fails when there is nothing."""
        kind = self.rng.random()
        if kind < 0.08:
            return self.pick(["this", "."])
        if kind < 0.2:
            return self.pick(["@index", "@key", "@first", "@last", "@../index", "@root", "@root.a", "@root.list", "@root.dict.b"])
        if kind < 0.35 and self.params:
            param = self.pick(self.params)
            return param if head and not self.lenient else param + self.pick(["", "", ".a", ".name"])
        prefix = self.pick(["", "", "", "", "this.", "./", "../", "../", "../../", "this/"])
        more = self.pick(["", "", "", "." + self.name(), "/" + self.name(), ".[0]", ".length", ".[1]"])
        return prefix + self.name() + more

    def literal(self):
        return self.pick(["true", "false", "null", "undefined", "0", "1", "-1", "12.50", "\"text\"", "'it'", "\"a \\\"b\\\"\"",
                          "''"])

    def argument(self, depth=2):
        kind = self.rng.random()
        if kind < 0.15:
            return self.literal()
        if kind < 0.3 and depth:
            return "(lookup %s %s)" % (self.argument(depth - 1), self.key(depth - 1))
        return self.path()

    def key(self, depth):
        return self.pick(["\"a\"", "\"name\"", "0", "1", "'list'", "@index", "@key", self.name(), "'length'"])

    def tilde(self):
        return "~" if self.chance(0.1) else ""

    def tag(self, inside, mark=""):
        space = self.pick(["", "", "", " ", "\n"])
        return "{{" + self.tilde() + mark + (space if mark not in ("!", "!--") else "") + inside + space + self.tilde() + "}}"

    def mustache(self):
        kind = self.rng.random()
        if kind < 0.1:
            return self.tag("lookup %s %s" % (self.argument(), self.key(1)))
        if kind < 0.13:
            return self.tag("log %s level=%s" % (self.argument(), self.literal()))
        if kind < 0.18:
            return self.tag(self.literal())
        path = self.path(head=True)
        if kind < 0.3:
            return "{{" + self.tilde() + "{" + path + "}" + self.tilde() + "}}"
        return self.tag(path, "&" if kind < 0.36 else "")

    def body(self):
        self.depth += 1
        out = "".join(self.piece() for _ in range(self.rng.randrange(4 if self.depth < 4 else 2)))
        self.depth -= 1
        return out

    def inside(self, params):
        self.params += params
        out = self.fill() + self.body() + self.fill()
        if params:
            del self.params[-len(params):]
        return out

    def opening(self, conditions_only=False):
        """Helper, what stands in its tag, names of block parameters."""
        helper = self.pick(["if", "unless", "each", "with", "section"] if not conditions_only else ["if", "unless", "with", "each"])
        params = []
        if helper == "section":
            return None, self.path(head=True), params
        inside = helper + " " + self.argument()
        if helper in ("if", "unless") and self.chance(0.15):
            inside += " includeZero=" + self.pick(["true", "false", "a"])
        elif self.chance(0.04):
            inside += " more=" + self.argument(0)
        if helper == "each" and self.chance(0.3):
            params = ["item", "at"][:self.rng.randrange(1, 3)]
        if helper == "with" and self.chance(0.3):
            params = ["w"]
        if params:
            inside += " as |" + " ".join(params) + "|"
        return helper, inside, params

    def block(self):
        helper, inside, params = self.opening()
        inverted = self.chance(0.1) and not params
        out = self.tag(inside, "^" if inverted else "#") + self.inside(params)
        chained = not inverted and helper != "section" and self.chance(0.2)
        for _ in range(self.rng.randrange(1, 3) if chained else 0):
            _, more, names = self.opening(True)
            out += self.tag("else " + more) + self.inside(names)
        if self.chance(0.4):
            out += self.pick(["{{else}}", "{{^}}", "{{~else}}", "{{else~}}", "{{ else }}"]) + self.inside([])
        return out + self.tag(helper or inside, "/")

    def without_params(self, make):
        kept, self.params = self.params, []
        out = make()
        self.params = kept
        return out

    def inline(self):
        name = self.pick(["p", "q", "r"])
        out = "{{#*inline \"%s\"}}" % name + self.without_params(lambda: self.inside([])) + "{{/inline}}"
        self.partials.append(name)
        return out

    def call(self):
        if not self.partials:
            return ""
        name = self.pick(self.partials)
        inside = name
        if self.chance(0.3):
            inside += " " + self.argument(1)
        for key in ["a", "b", "zz"]:
            if self.chance(0.2):
                inside += " %s=%s" % (key, self.argument(1))
        if self.chance(0.25):
            return self.tag(inside, "#>") + self.inside([]) + "{{/" + name + "}}"
        return self.tag(inside, ">")

    def piece(self):
        kind = self.rng.random()
        if kind < 0.25:
            return self.fill()
        if kind < 0.6:
            return self.mustache()
        if kind < 0.82 and self.depth < 5:
            return self.block()
        if kind < 0.88:
            return self.pick(["{{! a comment }}", "{{!-- }} --}}", "{{~! x ~}}", "\n  {{!-- alone --}}  \n", "{{!--~}}--~}}"])
        if kind < 0.93 and self.depth < 3:
            return self.inline()
        if kind < 0.985:
            return self.call() if self.chance(0.8) else "\n  %s\n" % self.call()
        if self.chance(0.3):
            return "{{#if @partial-block}}[{{> @partial-block}}]{{/if}}"
        return "{{{{a}}}} {{raw}} {{{{/a}}}}"

    def damaged(self, text):
        """One character more, less or doubled: mostly a mistake, sometimes another template."""
        at = self.rng.randrange(len(text) + 1)
        kind = self.rng.randrange(3)
        if kind == 0:
            return text[:at] + text[at + 1:]
        if kind == 1:
            return text[:at] + self.pick("{}~#/^>!&'\"[]().| =\\*@x0-") + text[at:]
        return text[:at] + text[at:at + 2] + text[at:]

    def request(self):
        stored = {}
        if self.chance(0.25):
            stored["stored"] = self.without_params(lambda: self.inside([])) + self.pick(["", "{{> @partial-block}}" if self.chance(0.3) else ""])
            self.partials.append("stored")
        template = self.fill() + self.body() + self.body() + self.fill()
        broken = self.chance(0.15)
        if broken:
            template = self.damaged(template)
        data = self.mapping(3)
        return {"template": template, "partials": stored, "data": data, "lenient": self.lenient, "escape": self.chance(0.5),
                "part": "html", "broken": broken}
