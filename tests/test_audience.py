"""Lists of every form from end to end: what is read agrees with Python's csv module and codecs, and addresses outside
ASCII go out, or fail, as they must."""
import csv
import email
import email.policy
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import lab as laboratory  # noqa: E402

KANA = [chr(c) for c in range(0x3041, 0x3094)] + [chr(c) for c in range(0xFF61, 0xFFA0)]
KANJI = list("山田太郎東京都表示十能ソ貼―髙㈱①Ⅶ纊∵")
LATIN = list("éüñßøÅçž")
ASCII = list("abcXYZ 019._-'&\\|[]{}~") + ['"', ",", ";", "\t", "\n", "\r\n"]


@pytest.fixture
def send(tmp_path, build):
    """Makes a dry run over the bytes of a list; what it said, and its rejected rows."""
    (tmp_path / "t.yaml").write_text("from: a@b.example\nsubject: s\ntext: |\n  hello\n")

    def send(data, *more, ok=True):
        (tmp_path / "list").write_bytes(data)
        (tmp_path / "rejects.csv").unlink(missing_ok=True)
        done = subprocess.run([build / "program/tsubame", "send", "--dry-run", "--json", "-t", "t.yaml", "--to", "list",
                               "--rejects", "rejects.csv", *more], cwd=tmp_path, capture_output=True, text=True,
                              timeout=120, env={**os.environ, "TSUBAME_CONFIG": ""})
        assert (done.returncode == 0) == ok, done.stderr
        rejects = []
        if (tmp_path / "rejects.csv").exists():
            with open(tmp_path / "rejects.csv", encoding="utf-8-sig", newline="") as file:
                rejects = list(csv.DictReader(file))
        return (json.loads(done.stdout) if ok else done.stderr), rejects
    return send


def field(rnd, letters):
    return "".join(rnd.choice(letters) for _ in range(rnd.randrange(0, 9)))


def quoted(text, separator, rnd):
    if any(c in text for c in ('"', separator, "\n", "\r")) or rnd.random() < 0.2:
        return '"' + text.replace('"', '""') + '"'
    return text


def make_list(rnd, charset, separator):
    """Text of a list whose rows are all right but for their addresses, some of which aren't."""
    letters = ASCII + (KANA + KANJI if charset == "cp932" else KANA + KANJI + LATIN + ["😀"])
    columns = rnd.randrange(2, 6)
    out = [separator.join(["email"] + [f"c{i}" for i in range(1, columns)])]
    for row in range(rnd.randrange(1, 40)):
        address = f"u{row}@d{row % 3}.example" if rnd.random() < 0.9 else field(rnd, [c for c in letters if c not in "@\r\n"])
        out.append(separator.join(quoted(text, separator, rnd)
                                  for text in [address] + [field(rnd, letters) for _ in range(columns - 1)]))
    return rnd.choice(["\n", "\r\n"]).join(out) + rnd.choice(["", "\n"])


def python_reads(text, separator):
    """(line, values) of each row, as Python's csv module has them; lines counted from 1."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header, at = next(reader), 1
    rows = []
    for values in reader:
        if values:
            rows.append((at + 1, values))
        at = reader.line_num
    return header, rows


def is_plain(address):
    local, _, domain = address.strip(" \t\r\n").partition("@")
    return local.isascii() and local.isalnum() and domain.endswith(".example")


@pytest.mark.parametrize("charset", ["utf-8", "cp932"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_agrees_with_python(send, charset, separator):
    rnd = random.Random(f"{charset}{separator}")
    for _ in range(25):
        text = make_list(rnd, charset, separator)
        header, rows = python_reads(text, separator)
        good = [(line, values) for line, values in rows if is_plain(values[0])]
        if not good:
            continue
        data = (b"\xef\xbb\xbf" if charset == "utf-8" and rnd.random() < 0.3 else b"") + text.encode(charset)
        told, rejects = send(data, *(["--charset", charset] if rnd.random() < 0.3 else []))
        assert told["rows"] == len(rows) and told["recipients"] == len(good), text
        assert told["separator"] == separator and told["address_column"] == "email"
        assert told["charset"] == charset or text.isascii() and told["charset"] == "ascii"
        assert [int(r["line"]) for r in rejects] == [line for line, values in rows if not is_plain(values[0])], text
        line = told["sample_line"]
        assert told["sample"] == dict(zip(header, dict(good)[line])), text


def test_every_character_of_cp932(send):
    """Each pair of bytes is what Python's codec says; those it does not know, and the private ones, are rejected."""
    head = "email,住所\n山@x.example,確認\n".encode("cp932")
    known, unknown = [], []
    for lead in [*range(0x81, 0xA0), *range(0xE0, 0xFD)]:
        for trail in [*range(0x40, 0x7F), *range(0x80, 0xFD)]:
            pair = bytes([lead, trail])
            try:
                char = pair.decode("cp932")
            except UnicodeDecodeError:
                char = ""
            (known if char and not "\ue000" <= char <= "\uf8ff" else unknown).append((pair, char))
    assert len(known) > 7000
    # 40 to a field: one wrong character anywhere changes the sample
    for at in range(0, len(known), 2000):
        some = known[at:at + 2000]
        row = b"a@x.example," + b"".join(pair for pair, _ in some) + b"\n"
        told, rejects = send(b"email,n\n" + row, "--charset", "cp932")
        assert told["sample"]["n"] == "".join(char for _, char in some) and not rejects
    data = head + b"".join(b"u%d@x.example,%s\n" % (i, pair) for i, (pair, _) in enumerate(unknown))
    told, rejects = send(data, "--charset", "cp932")
    assert told["recipients"] == 1 and len(rejects) == len(unknown)
    for (pair, char), row in zip(unknown, rejects):
        assert ("gaiji" in row["reason"]) == (0xF0 <= pair[0] <= 0xF9), row
        assert f",\\x{pair[0]:02X}" in row["row"], row


def test_json_lines(send):
    rows = [{"user": {"mail": f"u{i}@x.example"}, "items": list(range(i % 4)), "name": "名" * (i % 3)} for i in range(50)]
    text = "\n".join(json.dumps(row, ensure_ascii=i % 2 == 0) for i, row in enumerate(rows))
    told, rejects = send(("\n" + text + '\n{"user": 1}\n{"user": \n[]\n').encode(), "--address-column", "user.mail")
    assert told["format"] == "jsonl" and told["recipients"] == 50 and "separator" not in told
    assert json.loads(told["sample"]["{}"]) == rows[0]
    assert [(r["line"], r["reason"].split(":")[0]) for r in rejects] == [
        ("52", "there is no 'user.mail'"), ("53", "column 9"), ("54", "not a JSON object")]
    assert "one object a line" in send(b'[{"email": "a@x.example"}]', ok=False)[0]
    assert "UTF-8" in send(b'{"email": "a@x.example"}', "--charset", "cp932", ok=False)[0]


def test_what_is_no_list(send):
    for data, words in [("email\na@b.example\n".encode("utf-16"), "UTF-16"), (b"PK\x03\x04", "workbook"),
                        (b"\x1f\x8b\x08", "zcat"), (b"anna@example.com,Anna\n", "must name the columns"),
                        (b"email,{}\na@b.example,x\n", "give it a name")]:
        assert words in send(data, ok=False)[0]


SCENARIO = """\
seed: 5
defaults: {latency: {connect: 1, command: 0, data: 0}}
providers:
  - {name: big, weight: 1, domains: [big.test, docomo.ne.jp, xn--r8jz45g.test], hosts: [mx.big.test]}
"""


def test_addresses_on_the_wire(tmp_path, build):
    """Dot addresses, quotes and international domains arrive; what needs SMTPUTF8 fails clearly where that is not
    offered, and takes nobody along."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO)
    good = {"a..b@docomo.ne.jp": '"a..b"@docomo.ne.jp', '"x,y"@big.test': '"x,y"@big.test',
            "anna@例え.test": "anna@xn--r8jz45g.test", "\u3000bob@BIG.test\u00a0": "bob@big.test"}
    with laboratory.Lab(tmp_path / "lab", scenario, build) as lab:
        lab.template.write_text('from: a@swallow.example\nsubject: s\ntext: |\n  hello\n')
        lab.configure(deliver__retry={"first": "200ms", "most": "1s"}, log__level="warn")
        with open(lab.list, "w", newline="") as file:
            csv.writer(file).writerows([["email"], *([a] for a in good), ["用户@big.test"], ["c@big.test"]])
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "x")
        report = lab.json("report", "x")
        assert report["delivered"] == 5 and report["failed"] == 1 and report["pending"] == 0
        [found] = lab.json("message", "--to", "用户@BIG.test")
        assert found["address"] == "用户@big.test" and found["state"] == "failed"
        assert "the address needs SMTPUTF8, which the server does not offer" in found["events"][-1]["text"]
        lab.stop_sim()
        got = {row["rcpt"] for row in laboratory.read_tsv(lab.truth) if row["event"] == "accepted"}
        assert got == {*good.values(), "c@big.test"}


class Keeper:
    """A receiver that writes down what it was sent."""
    def __init__(self):
        self.got = []

    async def handle_DATA(self, server, session, envelope):
        self.got.append((envelope.rcpt_tos, envelope.mail_options, envelope.content))
        return "250 2.0.0 kept"


def test_smtputf8(tmp_path, build):
    """Where SMTPUTF8 is offered the address goes out as it is, in the command and in To; who needs it not, does not ask
    for it."""
    import dns.message
    import dns.query
    from aiosmtpd.controller import Controller
    import peers
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO)
    keeper = Keeper()
    with laboratory.Lab(tmp_path / "lab", scenario, build) as lab:
        host, port = lab.dns.rsplit(":", 1)
        answer = dns.query.udp(dns.message.make_query("mx.big.test", "A"), host, timeout=5, port=int(port))
        address = answer.answer[0][0].address
        server = Controller(keeper, hostname=address, port=peers.free_port(), enable_SMTPUTF8=True)
        server.start()
        try:
            lab.template.write_text('from: a@swallow.example\nto_name: "名前 {{name}}"\nsubject: s\ntext: |\n  hello\n')
            lab.configure(deliver__port=server.port, log__level="warn")
            lab.list.write_text("email,name\n用户@例え.test,A\nJose\u0301@big.test,B\nplain@big.test,C\n")
            lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "x")
        finally:
            server.stop()
    got = {to: (options, content) for [to], options, content in keeper.got}
    assert set(got) == {"用户@xn--r8jz45g.test", "Jos\u00e9@big.test", "plain@big.test"}
    for to, (options, content) in got.items():
        assert ("SMTPUTF8" in options) == ("BODY=8BITMIME" in options) == (not to.isascii())
        mail = email.message_from_string(content.decode(), policy=email.policy.SMTPUTF8)
        [only] = mail["To"].addresses
        assert only.addr_spec == to and only.display_name == "名前 " + {"用": "A", "J": "B", "p": "C"}[to[0]]
