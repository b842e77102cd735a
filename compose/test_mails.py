#!/usr/bin/python3
"""Rendered mails read back by Python's email package: random templates and values must come out as they went in,
and with an RSA and an Ed25519 key, both signatures must verify with dkimpy and fail once the mail is changed.

    test_mails.py PROBE_RENDER read|dkim
"""
import csv
import email
import email.header
import email.policy
import io
import random
import re
import subprocess
import sys
import tempfile

PROBE, MODE = sys.argv[1], sys.argv[2]
ROUNDS, ROWS = (40, 12) if MODE == "read" else (8, 6)
COLUMNS = ["email", "name", "city", "note", "code"]

BITS = ["a", "b", "Z", "0", " ", "  ", "\t", ".", "=", "==", "=20", "=?utf-8?Q?x?=", "é", "ü", "日本語", "髙", "😀",
        "👩‍👩‍👧", "\u202eabc\u202c", "x" * 80, "word " * 12, "From ", "<b>", "&amp;", '"', "'", "`", "\\", "--", "--=_t_",
        "http://example.com/?a=1&b=2", ",", ";", "(c)", "@", "%s", "\u2028", "ｱｲｳ", "\u200b", "~", "\x7f", "\x01"]
BREAKS = ["\n", "\r\n", "\n\n", "\n.\n", "\n..\n", " \n", "\t\n", "\nFrom x\n", "\r"]


def text(rng, breaks, most=12):
    bits = BITS + (BREAKS * 2 if breaks else [])
    return "".join(rng.choice(bits) for _ in range(rng.randrange(most)))


def template(rng, breaks, most=10):
    """The source with variables, and a function that says what it becomes."""
    parts = []
    for _ in range(rng.randrange(1, most)):
        if rng.random() < 0.4:
            parts.append((rng.choice(COLUMNS), rng.random() < 0.3))
        else:
            parts.append(text(rng, breaks).replace("\\", "/"))
    source = "".join(p if isinstance(p, str) else ("{{{ %s }}}" if p[1] else "{{%s}}") % p[0] for p in parts)

    def meant(row, html=False):
        return "".join(p if isinstance(p, str) else row[p[0]] if p[1] or not html else escape(row[p[0]]) for p in parts)

    return source, meant


def escape(s):
    for c, e in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;"), ("`", "&#x60;")):
        s = s.replace(c, e)
    return re.sub("(?<!&#x3D)=", "&#x3D;", s)


def crlf(s):
    return re.sub("\r\n|\r|\n", "\r\n", s)


def quoted(s):
    """YAML's double quotes take any character by its number."""
    return '"' + "".join(c if c.isalnum() and c.isascii() else "\\U%08x" % ord(c) for c in s) + '"'


def probe(folder, yaml, rows, extra=()):
    with open(folder + "/t.yaml", "w", encoding="utf-8") as f:
        f.write(yaml)
    with open(folder + "/l.csv", "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, quoting=csv.QUOTE_ALL)
        out.writerow(COLUMNS)
        out.writerows([r[c] for c in COLUMNS] for r in rows)
    done = subprocess.run([PROBE, folder + "/t.yaml", folder + "/l.csv", *extra], stdout=subprocess.PIPE, check=True)
    stream, answers = io.BytesIO(done.stdout), []
    while line := stream.readline():
        kind, _, rest = line.decode().rstrip("\n").partition(" ")
        answers.append((kind, stream.read(int(rest)) if kind == "mail" else rest))
    assert len(answers) == len(rows), (len(answers), len(rows))
    return answers


def check_lines(mail):
    assert mail.isascii() and mail.endswith(b"\r\n"), mail[-20:]
    head, body = mail.split(b"\r\n\r\n", 1)
    for line in body.split(b"\r\n"):
        assert len(line) <= 76 and b"\r" not in line and b"\n" not in line, line
        assert not line.startswith((b".", b"From ")) and not line.endswith((b" ", b"\t")), line
    for line in head.split(b"\r\n"):
        assert b"\r" not in line and b"\n" not in line and line.strip(), line
        assert len(line) <= 78 or b" " not in line.split(b": ", 1)[-1].strip(), line


def raw_header(mail, name):
    """The value as a strict decoder has it: unfolded, encoded words joined."""
    head = mail.split(b"\r\n\r\n", 1)[0].decode("ascii")
    fields = [f for f in re.split(r"\r\n(?![ \t])", head) if f.lower().startswith(name.lower() + ":")]
    assert len(fields) == 1, (name, fields)
    value = re.sub(r"\r\n(?=[ \t])", "", fields[0].split(":", 1)[1]).removeprefix(" ")
    words = re.findall(r"=\?utf-8\?([QB])\?([^?]*)\?=", value)
    if not words:
        return value
    assert re.fullmatch(r"(=\?utf-8\?[QB]\?[^? ]*\?=\s?)+(<[^<>]*>)?", value), value
    pieces = [email.header.decode_header("=?utf-8?%s?%s?=" % w)[0][0] for w in words]
    for piece in pieces:
        piece.decode("utf-8")  # no character is cut in two
    assert all(len("=?utf-8?Q??=" + w[1]) <= 75 for w in words)
    return b"".join(pieces).decode("utf-8")


def check_mail(mail, row, subject, plain, html, to_name, header):
    check_lines(mail)
    m = email.message_from_bytes(mail, policy=email.policy.compat32)
    assert not m.defects, m.defects
    assert raw_header(mail, "Subject") == subject, (raw_header(mail, "Subject"), subject)
    assert raw_header(mail, "X-Note") == header, (raw_header(mail, "X-Note"), header)
    modern = email.message_from_bytes(mail, policy=email.policy.default)
    to = modern["To"].addresses
    assert len(to) == 1 and to[0].addr_spec == row["email"], (modern["To"], row)
    if not re.search("[\x00-\x1f\x7f]", to_name):
        seen = re.sub("[\u200b\u202a-\u202e]", "", to_name)  # what can't be seen is left out of names
        assert "".join(to[0].display_name.split()) == "".join(seen.split()), (to[0].display_name, to_name)
    assert modern["From"].addresses[0].addr_spec == "news@example.com"
    for name in ("Date", "From", "To", "Message-ID", "MIME-Version", "Content-Type"):
        assert len(m.get_all(name)) == 1, name
    parts = m.get_payload() if m.is_multipart() else [m]
    want = [w for w in (plain, html) if w is not None]
    assert len(parts) == len(want), (len(parts), m["Content-Type"])
    for part, meant in zip(parts, want):
        got, meant = part.get_payload(decode=True), crlf(meant).encode()
        if len(want) == 1 and part["Content-Transfer-Encoding"] != "base64" and not meant.endswith(b"\r\n") and meant:
            meant += b"\r\n"
        assert not part.defects and got == meant, (got, meant)


def safe(s):
    """What a header may be made of."""
    return not re.search("[\r\n\0]", s)


def one_round(rng, folder, extra=(), verify=None):
    subject, subject_is = template(rng, False)
    to_name, to_name_is = template(rng, False, 4)
    note, note_is = template(rng, False, 5)
    plain, plain_is = template(rng, True, 30)
    html, html_is = template(rng, True, 30)
    which = rng.choice("tha")
    yaml = "from: 'News <news@example.com>'\nsubject: %s\nto_name: %s\nheaders:\n  X-Note: %s\n" % (
        quoted(subject), quoted(to_name), quoted(note))
    if which in "ta":
        yaml += "text: %s\n" % quoted(plain + ".")
    if which in "ha":
        yaml += "html: %s\nauto_text: false\n" % quoted(html + ".")
    rows = []
    for i in range(ROWS):
        breaks = rng.random() < 0.2
        rows.append({"email": "user%d@example.net" % i, **{c: text(rng, breaks) for c in COLUMNS[1:]}})
    mails = 0
    for (kind, answer), row in zip(probe(folder, yaml, rows, extra), rows):
        heads = [t(row) for t in (subject_is, to_name_is, note_is)]
        if not all(safe(h) for h in heads):
            assert kind == "failed" and "line break" in answer, (kind, answer)
            continue
        assert kind == "mail", answer
        mails += 1
        mail = verify(answer) if verify else answer
        check_mail(mail, row, heads[0], plain_is(row) + "." if which in "ta" else None,
                   html_is(row, True) + "." if which in "ha" else None, heads[1], heads[2])
    return mails


def injections(folder):
    """No value can break out of its field, whichever field it is in."""
    bad = ["x\r\nBcc: v@example.org", "x\nBcc: v@example.org", "x\rBcc: v@example.org", "x\r\n\r\nbody", "\n", "x\r\n y"]
    odd = ["=?utf-8?Q?=0D=0ABcc:_v?=", '"', "\\", "a\" <v@example.org>", "<v@example.org>, w", "a,b", "(comment", "\u202e"]
    for key in ("subject", "to_name", "X-Any", "reply_to", "from"):
        fields = {"from": "news@example.com", "subject": "s", "text": "t"}
        value = "{{note}}"
        if key in ("reply_to", "from"):
            value += " <news@example.com>"
        yaml = "".join("%s: %s\n" % (k, quoted(v)) for k, v in fields.items() if k != key)
        yaml += "headers:\n  X-Any: '{{note}}'\n" if key == "X-Any" else "%s: %s\n" % (key, quoted(value))
        rows = [dict.fromkeys(COLUMNS, "") | {"email": "u@example.net", "note": v} for v in bad + odd]
        for (kind, answer), row in zip(probe(folder, yaml, rows), rows):
            if row["note"] in bad:
                assert kind == "failed", (key, answer)
                continue
            assert kind == "mail", (key, answer)
            m = email.message_from_bytes(answer, policy=email.policy.default)
            assert m["Bcc"] is None and m.get_payload(decode=True) == b"t\r\n", answer
            assert [a.addr_spec for a in m["From"].addresses] == ["news@example.com"], (key, row["note"], m["From"])
            assert [a.addr_spec for a in m["To"].addresses] == ["u@example.net"], (key, row["note"], m["To"])
    yaml = "from: news@example.com\nsubject: s\ntext: t\nreply_to: '{{note}}'\n"
    rows = [dict.fromkeys(COLUMNS, "") | {"email": "u@example.net", "note": v} for v in bad + odd + ["", "ok@example.com"]]
    kinds = [kind for kind, _ in probe(folder, yaml, rows)]
    assert kinds == ["failed"] * (len(rows) - 1) + ["mail"], kinds


def read_mode():
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(ROUNDS):
            count += one_round(random.Random(seed), folder)
        injections(folder)
    assert count > ROUNDS * ROWS / 4
    print("%d mails read back" % count)


def dkim_mode():
    try:
        import dkim
    except ImportError:
        print("skipped: dkimpy (python3-dkim) is not installed")
        sys.exit(77)
    records, pems = {}, {}
    for kind, selector in (("rsa", "s1"), ("ed25519", "e1")):
        made = subprocess.run([PROBE, "key", kind], stdout=subprocess.PIPE, check=True).stdout
        pems[selector], records[b"%s._domainkey.example.com." % selector.encode()] = made.rsplit(b"\n", 1)
    asked = []

    def txt(name, timeout=5):
        asked.append(name)
        return records[name]

    def one_good(mail, index):
        try:
            return dkim.DKIM(mail).verify(index, dnsfunc=txt)
        except dkim.ValidationError:
            return False

    def good(mail):
        verdicts = [one_good(mail, index) for index in (0, 1)]
        assert verdicts[0] == verdicts[1], (verdicts, mail)
        return verdicts[0]

    def verify(mail):
        fields, _, rest = mail.partition(b"\r\nDate: ")
        assert fields.startswith(b"DKIM-Signature: v=1; a=rsa-sha256;") and rest
        assert fields.count(b"\r\nDKIM-Signature: v=1; a=ed25519-sha256;") == 1
        assert good(mail), mail
        for old, new in ((b"\r\nSubject:", b"\r\nSubject: x"), (b"\r\n\r\n", b"\r\n\r\nx"),
                         (b"\r\nTo: ", b"\r\nSubject: again\r\nTo: "), (b"\r\nTo: ", b"\r\nReply-To: e@e.example\r\nTo: ")):
            changed = mail.replace(old, new, 1)
            assert changed != mail and not good(changed), (old, new)
        spaced = mail.replace(b"\r\nTo: ", b"\r\nTO:   ", 1) + b"\r\n\r\n"
        assert good(spaced), spaced
        return b"Date: " + rest

    with tempfile.TemporaryDirectory() as folder:
        extra = ["example.com"]
        for selector, pem in pems.items():
            extra += [selector, folder + "/" + selector + ".pem"]
            with open(extra[-1], "wb") as f:
                f.write(pem)
        count = sum(one_round(random.Random(seed), folder, extra, verify) for seed in range(ROUNDS))
    assert count and set(asked) == set(records), set(asked)
    print("%d mails verified twice by dkimpy" % count)


read_mode() if MODE == "read" else dkim_mode()
