"""Templates against Handlebars: its published cases, and itself on random templates (npm's package, in build/npm).

TSUBAME_TEMPLATES says how many random ones (2,000; TSUBAME_TEMPLATES=10000 for a thorough run).
"""
import email
import email.policy
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from template_maker import Maker

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT.parent / "shared/corpora/templates"
LEFT_OUT = ROOT / "tests/templates_left_out.txt"
COUNT = int(os.environ.get("TSUBAME_TEMPLATES", "2000"))
# Mistakes that Handlebars finds when it comes to them, and we before anything is sent (docs/templates.md).
FOUND_EARLY = re.compile(r"no helper is called|no partial is called|takes one argument|takes a list or map and a name|is written as a block"
                         r"|is no block|there is no value for the block parameter|there is no @|takes one context"
                         r"|can't be seen in an inline partial|has one name in quotes|no decorator is called|decorators are not known")
# Paths with a bare number behind a dot ("list.0"), which Handlebars wants in brackets.
BARE_NUMBER = re.compile(r"Expecting 'ID', got '(NUMBER|BOOLEAN|NULL|UNDEFINED)'")


def answers(command, requests):
    sent = "".join(json.dumps(r) + "\n" for r in requests).encode()
    done = subprocess.run(command, input=sent, stdout=subprocess.PIPE, timeout=900, check=True)
    stream, out = io.BytesIO(done.stdout), []
    for _ in requests:
        kind, _, more = stream.readline().decode("utf-8", "replace").rstrip("\n").partition(" ")
        assert kind in ("ok", "error"), (kind, more)
        out.append((kind, stream.read(int(more)) if kind == "ok" else more))
    assert not stream.read()
    return out


def left_out():
    for line in LEFT_OUT.read_text().splitlines():
        if not line.startswith("#"):
            name, number, _ = line.split(" ", 2)
            yield name, int(number.rstrip(":"))


def test_published_cases(build):
    if not CASES.is_dir():
        pytest.skip(f"{CASES} is not there")
    skipped, cases, requests = set(left_out()), [], []
    for path in sorted(CASES.glob("*.json")):
        for i, case in enumerate(json.loads(path.read_text())):
            if (path.name, i) in skipped:
                continue
            partials = {k: v for k, v in (case.get("partials") or {}).items() if isinstance(v, str)}
            cases.append((path.name, i, case))
            requests.append({"template": case["template"], "data": case["data"], "partials": partials, "part": "html", "escape": True,
                             "lenient": not case.get("compileOptions", {}).get("strict")})
    assert len(cases) >= 261, len(cases)
    for (name, i, case), got in zip(cases, answers([build / "compose/probe_script"], requests)):
        if "exception" in case:
            assert got[0] == "error", (name, i, case["it"], got)
        else:
            assert got == ("ok", case["expected"].encode()), (name, i, case["it"], case["template"], got)
    print(f"{len(cases)} published cases hold, {len(skipped)} do not apply ({LEFT_OUT.name})")


@pytest.fixture(scope="session")
def handlebars():
    """The command that runs Handlebars; installed on first use."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    folder, source = ROOT / "build/npm", ROOT / "tests/npm"
    lock = (source / "package-lock.json").read_bytes()
    if not (folder / "done").is_file() or (folder / "done").read_bytes() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder / name)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                              timeout=300)
        if done.returncode:
            pytest.skip("npm could not install handlebars: " + done.stderr[-300:])
        (folder / "done").write_bytes(lock)
    return ["node", source / "handlebars.js", folder]


def test_random_templates(build, handlebars):
    requests = [Maker(seed).request() for seed in range(COUNT)]
    ours, theirs = answers([build / "compose/probe_script"], requests), answers(handlebars, requests)
    same, errors, early = 0, 0, 0
    for seed, (request, one, other) in enumerate(zip(requests, ours, theirs)):
        if one[0] == other[0] and (one[0] == "error" or one[1] == other[1]):
            same += 1
            errors += one[0] == "error"
        elif request["broken"] and one[0] == "error" and FOUND_EARLY.search(one[1]):
            early += 1
        elif request["broken"] and other[0] == "error" and BARE_NUMBER.search(other[1]):
            early += 1
        else:
            pytest.fail(f"seed {seed}: {request!r}\nours: {one!r}\nHandlebars: {other!r}")
    print(f"{same} of {COUNT} random templates agree ({errors} of them fail in both), {early} with a mistake put in are judged "
          "differently as documented")
    assert early < COUNT / 100 and errors < COUNT / 2


def test_the_mail_says_the_same(build):
    """What a mail is, encoded and read back, is the part as it was before."""
    requests = [{**Maker(seed).request(), "broken": False, "part": ("html", "text")[seed % 2]} for seed in range(1000000, 1000300)]
    plain = answers([build / "compose/probe_script"], requests)
    mails = answers([build / "compose/probe_script"], [{**r, "mail": True} for r in requests])
    seen = 0
    for request, part, mail in zip(requests, plain, mails):
        assert part[0] == mail[0], request
        if part[0] == "error" or not request["template"]:
            continue
        m = email.message_from_bytes(mail[1], policy=email.policy.default)
        want = re.sub(b"\r\n|\r|\n", b"\r\n", part[1])
        if want and not want.endswith(b"\r\n") and m["Content-Transfer-Encoding"] != "base64":
            want += b"\r\n"
        assert m.get_payload(decode=True) == want, (request, mail)
        seen += 1
    assert seen > 100


def test_a_text_can_be_made(build):
    """Whatever the HTML part may be, a text part can be made from it, with the same outcome for the same data."""
    requests = [{**Maker(seed).request(), "part": "html", "broken": False} for seed in range(2000000, 2000000 + COUNT)]
    plain = answers([build / "compose/probe_script"], requests)
    made = answers([build / "compose/probe_script"], [{**r, "auto_text": True} for r in requests])
    for request, one, other in zip(requests, plain, made):
        assert one[0] == other[0], (request, one, other)
