"""What mails must survive, as data: templates, the people they go to, and what each reader must find.

CASES is a list of Case. A case's `template` becomes a YAML file as it stands, its `people` the list (a column for each
name that any of them has), its `files` lie beside the template. What is meant follows from filling in the template; where
a case means something else (`means`: a function from person to fields), it says so.

Some keys may be newer than the program under test: such a case is run by trying it.
"""
import csv
import io
import re
import struct
import zlib
from dataclasses import dataclass, field

FROM = "Swallow News <news@swallow.example>"


def as_csv(people):
    columns = list(dict.fromkeys(key for person in people for key in person))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(people)
    return out.getvalue()


@dataclass
class Case:
    name: str
    template: dict
    people: list
    files: dict = field(default_factory=dict)
    means: object = None

    def __post_init__(self):
        self.template = {"from": FROM, **self.template}

    def people_at(self, domain):
        """The people with addresses of their own there."""
        return [{"email": f"{self.name}.{i}@{domain}", **person} for i, person in enumerate(self.people)]

    def meant(self, person):
        t = self.template
        fields = {"subject": fill(t["subject"], person), "to": [[fill(t.get("to_name", ""), person), person["email"]]],
                  "from": [mailbox(fill(t["from"], person))],
                  "reply_to": [mailbox(fill(t["reply_to"], person))] if "reply_to" in t else [],
                  "headers": {name.lower(): fill(value, person) for name, value in t.get("headers", {}).items()},
                  "text": lines(fill(t["text"], person)) if "text" in t else None,
                  "html": lines(fill(t["html"], person, html=True)) if "html" in t else None,
                  "files": [file_meant(item, person, self.files) for item in t.get("inline", []) + t.get("attachments", [])]}
        fields["alone"] = (fields["text"] is None or fields["html"] is None) and not fields["files"]
        return {**fields, **(self.means(person) if self.means else {})}


def fill(template, person, html=False):
    def value(match):
        text = person.get(match[2], "")
        return escape(text) if html and match[1] == "{{" else text
    return re.sub(r"(\{\{\{?)(\w+)\}?\}\}", value, template)


def escape(text):
    return "".join({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "`": "&#x60;",
                    "=": "&#x3D;"}.get(c, c) for c in text)


def lines(text):
    return re.sub("\r\n|\r|\n", "\n", text)


def mailbox(text):
    name, bracket, rest = text.rpartition("<")
    return [name.strip().strip('"'), rest.rstrip(">")] if bracket else ["", text]


def file_meant(item, person, files):
    item = {"file": item} if isinstance(item, str) else item
    path = fill(item.get("personal", item.get("file", "")), person)
    return {"name": fill(item.get("name", path.rsplit("/", 1)[-1]), person), "bytes": files[path],
            "type": item.get("type"), "cid": item.get("cid"), "disposition": "inline" if "cid" in item else "attachment"}


# --- Files

def noise(count, seed=1):
    """Bytes of every value, the same in each run."""
    out, x = bytearray(), seed
    while len(out) < count:
        x = (x * 1103515245 + 12345) & 0x7fffffff
        out.append(x >> 16 & 255)
    return bytes(out)


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 7 + y * 13) & 255 for x in range(width * 3)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


# --- Languages

LANGUAGES = {
    "ja": {"name": "佐藤 真理", "city": "東京", "subject": "{{name}}様、{{city}}に春の新しいお茶が届きました",
           "text": "{{name}}様\n\nいつもご利用いただき、ありがとうございます。{{city}}のお店に新茶が入荷しました。\n"
                   "「雨の朝」は一袋1,200円(税込)です。〜お早めにどうぞ。\n", "html_lang": "ja"},
    "fr": {"name": "Zoé L’Œuvre", "city": "Besançon", "subject": "{{name}} : l’été arrive à {{city}}, dépêchez-vous !",
           "text": "Chère {{name}},\n\nNos pêches mûres viennent d’être cueillies — « une par une » — près de {{city}}.\n"
                   "Où ? Là-bas, à côté du vieux chêne. Ça vaut 4,50 €, naïf que je suis.\n", "html_lang": "fr"},
    "de": {"name": "Jürgen Groß", "city": "Köln", "subject": "Grüße aus {{city}}: schöne Äpfel für {{name}}",
           "text": "Lieber {{name}},\n\ndie Straße nach {{city}} ist gesperrt, „wegen Übermut“, heißt es.\n"
                   "Größere Körbe fährt der Bäcker mit; das kostet 7,– €.\n", "html_lang": "de"},
    "zh": {"name": "王小燕", "city": "杭州", "subject": "{{name}}，{{city}}的龙井已经为您准备好了",
           "text": "{{name}}，您好：\n\n今年的春雨来得早，{{city}}的茶山一片新绿。\n"
                   "我们为老朋友留了两盒，每盒￥168。繁體字也沒有問題。\n", "html_lang": "zh"},
    "ar": {"name": "ليلى حدّاد", "city": "حلب", "subject": "{{name}}، وصلت رسالة من {{city}} (رقم 12)",
           "text": "عزيزتي {{name}}،\n\nفُتح سوق {{city}} من جديد، والأسعار تبدأ من 15 ريالًا.\n"
                   "الموقع: shop.example/ar — نراكِ قريبًا!\n", "html_lang": "ar"},
    "he": {"name": "נועה ברק", "city": "חיפה", "subject": "{{name}}, שלום מ{{city}}: 3 ספרים חדשים",
           "text": "{{name}} היקרה,\n\nהחנות ב{{city}} פתוחה עד 19:00, והקפה (espresso) עלינו.\n"
                   "שָׁלוֹם עם ניקוד עובר גם הוא.\n", "html_lang": "he"},
    "hi": {"name": "मीरा शर्मा", "city": "जयपुर", "subject": "{{name}} जी, {{city}} से नई चिट्ठी",
           "text": "नमस्ते {{name}} जी,\n\n{{city}} की दुकान में रंगीन पतंगें आ गई हैं।\nक़ीमत सिर्फ़ ₹२५० है।\n", "html_lang": "hi"},
    "ru": {"name": "Алёна Щукина", "city": "Псков", "subject": "{{name}}, в город {{city}} пришла весна",
           "text": "Здравствуйте, {{name}}!\n\nЛёд на реке сошёл, и {{city}} снова пахнет хлебом.\n"
                   "Объявляем скидку: «Съешь ещё» — за 90 ₽.\n", "html_lang": "ru"},
    "ko": {"name": "김하늘", "city": "부산", "subject": "{{name}} 님, {{city}}에서 온 소식",
           "text": "{{name}} 님께,\n\n{{city}} 바닷가의 작은 가게가 다시 문을 열었습니다.\n첫 손님께는 ₩5,000을 깎아 드려요. 뷁!\n",
           "html_lang": "ko"},
    "en": {"name": "Ann O'Neill", "city": "Cork", "subject": "{{name}}, a word from {{city}}",
           "text": "Dear {{name}},\n\nThe ferry from {{city}} runs again; coffee's at 7.\nNothing in here needs encoding.\n",
           "html_lang": "en"},
}


def page(lang, of):
    side = ' dir="rtl"' if lang in ("ar", "he") else ""
    paragraphs = "".join(f"<p>{part}</p>\n" for part in of["text"].strip().split("\n"))
    return f'<html lang="{lang}"{side}><body title="{{{{name}}}}">\n{paragraphs}</body></html>\n'


def in_language(lang, **more):
    of = LANGUAGES[lang]
    return {"to_name": "{{name}}", "subject": of["subject"], "text": of["text"], "html": page(lang, of), **more}


def person(lang, **more):
    return {"name": LANGUAGES[lang]["name"], "city": LANGUAGES[lang]["city"], **more}


def each(column, values, **more):
    return [{column: value, **more} for value in values]


EMOJI = ["🐦", "👩‍👩‍👧‍👦 family", "🏳️‍🌈🏴‍☠️", "👍🏽👋🏿", "1️⃣ 2️⃣ #️⃣", "🇯🇵🇫🇷🇩🇪", "❤️‍🔥", "é e\u0301 ñ n\u0303", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𠮷野家"] + ["👨‍👩‍👧" * 30]
NAMES = ['Ann "the bird" Smith', "Smith, Ann", "Ann (Cork)", "back\\slash", "a@b.example", "O'Neill; Sons: Ltd.", "dot. dot",
         "=?utf-8?Q?not_encoded?=", "名前, \"引用\" <かっこ>", "x" * 200, "名" * 100, "word " * 40 + "end", "", "🐦", "[brackets]",
         "<angle@evil.example>", "\u202eabc\u202c مرحبا", "ﾊﾝｶｸ 全角", "Ünï, Cödé"]
ODD_LINES = "\n\n  indented\ntrailing space \ntrailing tab\t\n \n\t\n.\n..\n.dot\n\nFrom here\n>From there\nfrom small\n" \
            "-- \n--\n--=_boundary\n=\n==\n=3D\n=20\nend of a soft line=\n.\n\n\n"
TOKEN = "".join(chr(0x21 + i * 7 % 0x5e) for i in range(600)).translate(str.maketrans("{}\\\"", "..__"))

CASES = [
    *(Case("lang-" + lang, in_language(lang), [person(lang), person("ja"), person("en", name="Ørsted & <Co>")])
      for lang in LANGUAGES),
    Case("languages-personal", {"to_name": "{{name}}", "subject": "{{subject}}", "text": "{{text}}", "html": "<p>{{text}}</p>"},
         [{**person(lang), "subject": of["subject"].replace("{", "").replace("}", ""), "text": of["text"].replace("{{", "«")
          .replace("}}", "»")} for lang, of in LANGUAGES.items()]),
    Case("text-only", {"subject": "text only", "text": "Bonjour {{name}}\nfin"}, [person("fr"), person("ar")]),
    Case("html-only", {"subject": "html only", "auto_text": False, "html": "<p>{{name}}</p>\n<p>ü"}, [person("de"), person("he")]),
    Case("emoji", {"to_name": "{{e}}", "subject": "{{e}} static 👩‍🚀 {{e}}", "text": "{{e}}\n🧑‍🤝‍🧑 static\n", "html": "<b>{{e}}</b>",
                   "headers": {"X-Emoji": "{{e}}"}}, each("e", EMOJI)),
    Case("long-lines", {"subject": "long", "text": "{{line}}\n" + "s" * 998 + "\n" + "日" * 1000 + "\n", "html": "<p>{{line}}</p>"},
         each("line", ["x" * 998, "x" * 999, "y" * 5000, "語" * 5000, ("w" * 76 + " ") * 70, "é" * 998, " " * 998, "ab " * 1700])),
    Case("odd-lines", {"subject": "odd lines", "text": ODD_LINES + "{{more}}", "html": "<pre>" + ODD_LINES + "{{more}}</pre>"},
         each("more", ["", "end", "end \n", ".", "\n.\n", ODD_LINES, "tail\t \t", "From x\n" * 3])),
    Case("odd-lines-alone", {"subject": "odd lines", "text": "{{{more}}}" + ODD_LINES}, each("more", ["", ".", "From me", " "])),
    Case("line-breaks", {"subject": "breaks", "text": "a\r\nb\nc\rd\n\r\ne\r\r\nf {{v}} end", "html": "<p>\r-{{v}}\r\n</p>\n"},
         each("v", ["1\n2", "1\r\n2", "1\r2", "1\n\r2", "\r", "\n", "\r\n", "1\r\r\n\n2", "\u20281\u2029\x0b\x0c\x85 2"])),
    Case("empty-parts", {"subject": "empty", "text": "{{t}}", "html": "{{h}}"},
         [{"t": "", "h": ""}, {"t": "only text", "h": ""}, {"t": "", "h": "only html"}, {"t": "\n", "h": " "}]),
    Case("empty-text", {"subject": "empty", "text": "{{t}}"}, each("t", ["", "\n", " ", "\r\n\r\n"])),
    Case("empty-html", {"subject": "empty", "auto_text": False, "html": "{{h}}"}, each("h", ["", "\n"])),
    Case("header-values", {"subject": "{{v}}", "text": "t", "headers": {"X-Value": "{{v}}", "X-Fixed": "static {{v}} é " + "w " * 60 + "end"}},
         each("v", ["plain", TOKEN, "a" * 998, "語" * 300, "word " * 150 + "end", "short " + "b" * 500 + " short", "é" * 70, "a é " * 60 + "a",
                    "=?utf-8?B?eA==?=", "tab\tin it", "=?", "?=", "quoted \"x\" (c) <d>", "\u202eabc\u202c", "(unbalanced", "🐦 " * 90 + "."])),
    Case("names", {"from": "\"Swallow, the \\\"Bird\\\" ({{name}})\" <news@swallow.example>", "to_name": "{{name}}",
                   "reply_to": "Réply, {{name}} <help@swallow.example>", "subject": "names", "text": "t"}, each("name", NAMES),
         means=lambda p: {"from": [[f'Swallow, the "Bird" ({p["name"]})', "news@swallow.example"]]}),
    Case("reply-address", {"reply_to": "{{agent}}", "subject": "reply", "text": "t"},
         each("agent", ["help@swallow.example", '"ab..c."@swallow.example', "x.y+z@mail.swallow.example"])),
    # Keys of their own.
    Case("quoted-printable", in_language("ja", encoding="quoted-printable"), [person("ja"), person("en")]),
    Case("base64", in_language("en", encoding="base64"), [person("ja"), person("en")]),
    Case("base64-lines", {"subject": "b", "encoding": "base64", "text": ODD_LINES + "{{line}}"}, each("line", ["", "x" * 5000, "語" * 999])),
    Case("qp-lines", {"subject": "b", "encoding": "quoted-printable", "text": ODD_LINES + "{{line}}"}, each("line", ["", "x" * 5000, "語" * 999])),
    Case("iso-2022-jp", in_language("ja", charset="iso-2022-jp"), [person("ja"), person("en"), person("ja", name="山田 " * 30 + "。")],
         means=lambda p: {"charset": "iso-2022-jp"}),
    Case("iso-2022-jp-long", {"subject": "長い行", "charset": "iso-2022-jp", "text": "{{line}}\n.\nFrom x\n終わり"},
         each("line", ["語" * 5000, "x" * 998, "a語" * 900, "〜−‖¢£¬"]), means=lambda p: {"charset": "iso-2022-jp"}),
    Case("iso-2022-jp-substitute", {"subject": "{{v}}", "charset": "iso-2022-jp", "substitute": True, "text": "{{v}}\n"},
         [{"v": v, "meant": m} for v, m in (("ﾊﾝｶｸ ｶﾞｷﾞ", "ハンカク ガギ"), ("①②③", "(1)(2)(3)"), ("髙島 﨑", "高島 崎"), ("㈱燕 ～", "(株)燕 〜"))],
         means=lambda p: {"charset": "iso-2022-jp", "subject": p["meant"], "text": p["meant"] + "\n"}),
    Case("list-headers", {"subject": "list", "text": "t", "list": {
        "id": "Swallow News <news.swallow.example>", "unsubscribe_url": "https://swallow.example/u/{{token}}",
        "unsubscribe_mail": "unsubscribe@swallow.example", "one_click": True, "feedback_id": "spring:news:swallow"}},
        each("token", ["abc123", "x" * 300]), means=lambda p: {"headers": {
            "list-id": "Swallow News <news.swallow.example>", "list-unsubscribe-post": "List-Unsubscribe=One-Click",
            "feedback-id": "spring:news:swallow"}, "unsubscribe": [
                f"https://swallow.example/u/{p['token']}", "mailto:unsubscribe@swallow.example"]}),
    Case("auto-text", {"subject": "auto", "auto_text": True, "html": '<p>Liebe {{name}},</p><p>hier <a href="https://swallow.example/a">ist</a> es.</p>'},
         [person("de"), person("ja")], means=lambda p: {"text": None, "text_has": [p["name"], "https://swallow.example/a"]}),
    Case("attachments", in_language("de", attachments=[
        {"file": "a.pdf", "name": "Preisübersicht „Äpfel“.pdf", "type": "application/pdf"},
        {"file": "a.pdf", "name": "見積書 2026年 " + "長" * 60 + ".pdf", "type": "application/pdf"},
        {"file": "a.pdf", "name": "it's \"quoted\"; %41 = x.pdf", "type": "application/pdf"},
        {"file": "sjis.csv", "type": "text/csv"}, {"file": "breaks.txt", "type": "text/plain"}, "noise.bin"]), [person("de"), person("ja")],
        files={"a.pdf": b"%PDF-1.4\n" + noise(3000), "sjis.csv": "名前,都市\r\n真理,東京\r\n".encode("cp932"),
               "breaks.txt": b"a\rb\nc\r\n\n.\nFrom x\ntrailing \n" + b"z" * 2000, "noise.bin": noise(100_000, 7)}),
    Case("inline", in_language("fr", html='<p>{{name}} <img src="cid:logo" alt="é"> <img src="cid:dot@swallow"></p>', inline=[
        {"file": "logo.png", "cid": "logo"}, {"file": "dot.png", "cid": "dot@swallow"}]), [person("fr"), person("ko")],
        files={"logo.png": png(40, 30), "dot.png": png(1, 1)}),
    Case("inline-attachments", in_language("ja", html='<img src="cid:logo"> {{name}}', inline=[{"file": "logo.png", "cid": "logo"}],
         attachments=[{"file": "logo.png", "name": "ロゴ.png"}]), [person("ja"), person("ru")], files={"logo.png": png(40, 30)}),
    Case("attachment-text-only", {"subject": "a", "text": "see {{name}} ", "attachments": ["one.bin"]}, [person("hi")], files={"one.bin": b"\0"}),
    Case("personal-attachment", {"subject": "Invoice", "text": "{{name}}", "attachments": [
        {"personal": "{{file}}", "name": "Rechnung {{number}} für {{name}}.pdf", "type": "application/pdf"}]},
        [person("de", file="one.pdf", number="1"), person("ja", file="two.pdf", number="2")],
        files={"one.pdf": b"%PDF one " + noise(500, 3), "two.pdf": b"%PDF two " + noise(70_000, 5)}),
]
