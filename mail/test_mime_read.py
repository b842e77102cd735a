#!/usr/bin/python3
"""What the MIME modules write, read back by others: headers and file names by Python's email package, ISO-2022-JP by
Python's codec and by nkf, for texts in eight languages.

    test_mime_read.py PROBE_MIME
"""
import email
import email.header
import email.policy
import random
import re
import shutil
import subprocess
import sys

PROBE = sys.argv[1]
TEXTS = [
    "Your order is on its way", "Ihre Bestellung ist unterwegs, Grüße aus München", "Votre commande est expédiée à l’été",
    "Su pedido está en camino, ¡gracias!", "Ваш заказ уже в пути", "ご注文の商品を発送しました。ありがとうございます",
    "您的订单已发货", "طلبك في الطريق إليك", "ההזמנה שלך בדרך", "주문하신 상품이 발송되었습니다", "आपका ऑर्डर भेज दिया गया है",
]
BITS = ["😀", "👩‍👩‍👧", "🇯🇵", " ", "  ", ",", ".", '"', "\\", "<x@y.z>", "(c)", "=?utf-8?Q?x?=", "=?", "?=", "@", ";", ":", "x" * 90,
        "長" * 40, "%41", "''", "*", "/", "_", "é", "e\u0301"]
JAPANESE = ["日本語", "カタカナ", "ひらがな", "abc", " ", "、", "。", "①", "㈱", "髙﨑", "ｱｲｳ", "ｶﾞ", "～", "−", "Ⅳ", "№", "\u301c", "é", "123", "か\u3099"]


def probe(mode, data):
    done = subprocess.run([PROBE, mode], input=data, stdout=subprocess.PIPE, check=True)
    return done.stdout


def generated(rng):
    text = "".join(rng.choice(TEXTS + BITS * 2) for _ in range(rng.randrange(1, 6)))
    return text + rng.choice(["", "", " ", "  "])


def check_lines(field):
    assert field.isascii() and field.endswith(b"\r\n"), field
    for line in field[:-2].split(b"\r\n"):
        assert line.strip() and not re.search(b"[\r\n\0]", line) and len(line) <= 998, line
        assert b"=?" not in line or len(line) <= 76, line


def joined(text):
    return "".join(text.split())


def words(field):
    """What its encoded words say, each whole by itself; None without any."""
    found = re.findall(rb"=\?([a-z0-9-]+)\?([QB])\?([^? ]*)\?=", field)
    return "".join(email.header.decode_header("=?%s?%s?%s?=" % tuple(p.decode() for p in w))[0][0].decode(w[0].decode())
                   for w in found) if found else None


def headers(rng):
    values = [(kind, generated(rng)) for kind in "snf" * 700]
    values = [(k, v.encode()[:250].decode(errors="ignore") if k == "f" else v) for k, v in values]
    out = probe("headers", "".join("%s %s\n" % v for v in values).encode())
    fields = out.split(b"\r\n\r\n")[:-1]
    assert len(fields) == len(values)
    for (kind, value), field in zip(values, fields):
        check_lines(field + b"\r\n")
        message = email.message_from_bytes(field + b"\r\n\r\n", policy=email.policy.default)
        assert len(message.keys()) == 1, field
        if kind == "s":
            assert message["Subject"] == value, (message["Subject"], value, field)
        elif kind == "n":
            assert len(message["To"].addresses) == 1, field
            to = message["To"].addresses[0]
            # Python's reader of phrases puts blanks between encoded words; words() is the strict one.
            assert joined(to.display_name) == joined(value), (to.display_name, value, field)
            assert words(field) in (None, value.strip()), (words(field), value, field)
            assert to.addr_spec == "user@example.org"
        else:
            got = message["Content-Disposition"].params["filename"]
            assert got == value, (got, value, field)
            assert message.get_content_disposition() == "attachment"
    return len(values)


def near(text):
    for a, b in (("①", "(1)"), ("㈱", "(株)"), ("髙﨑", "高崎"), ("ｶﾞ", "ガ"), ("ｱｲｳ", "アイウ"), ("～", "〜"), ("−", "−"), ("Ⅳ", "IV"),
                 ("№", "No."), ("é", "e"), ("か\u3099", "が")):
        text = text.replace(a, b)
    return text


def japanese(rng):
    texts = ["".join(rng.choice(JAPANESE) for _ in range(rng.randrange(1, 60))) for _ in range(300)]
    body = "\n".join(texts) + "\n"
    out = probe("near", body.encode())
    assert out.decode("iso2022_jp") == near(body)
    for line in out.split(b"\n"):
        line.decode("iso2022_jp")  # each by itself: it begins and ends in ASCII
    nkf = shutil.which("nkf")
    if nkf:
        # -x: katakana as they are; nkf writes U+FF5E and U+FF0D where others have U+301C and U+2212
        read = subprocess.run([nkf, "-J", "-w", "-x", "-m0"], input=out, stdout=subprocess.PIPE, check=True).stdout.decode()
        assert read.translate({0xFF5E: 0x301C, 0xFF0D: 0x2212}) == near(body)
    texts = [t.strip() or "x" for t in texts]
    fields = probe("headers", "".join("%s %s\n" % (k, t) for t in texts for k in "SN").encode()).split(b"\r\n\r\n")[:-1]
    assert len(fields) == 2 * len(texts)
    for i, field in enumerate(fields):
        check_lines(field + b"\r\n")
        message = email.message_from_bytes(field + b"\r\n\r\n", policy=email.policy.default)
        want = near(texts[i // 2])
        for word in re.findall(rb"=\?iso-2022-jp\?B\?([^?]*)\?=", field):
            assert len(word) + len("=?iso-2022-jp?B??=") <= 75
        if i % 2 == 0:
            assert message["Subject"] == want, (message["Subject"], want)
            assert words(field) in (None, want), (words(field), want)
            if nkf:
                read = subprocess.run([nkf, "-w", "-x", "-m"], input=field, stdout=subprocess.PIPE, check=True)
                read = read.stdout.decode().translate({0xFF5E: 0x301C, 0xFF0D: 0x2212})
                assert joined(read.removeprefix("Subject:")) == joined(want), (read, want)
        else:
            assert joined(message["To"].addresses[0].display_name) == joined(want), (message["To"], want)
            assert words(field) in (None, want), (words(field), want)
    return len(texts), bool(nkf)


def main():
    rng = random.Random(11)
    count = headers(rng)
    lines, nkf = japanese(rng)
    print("%d fields and %d Japanese lines read back%s" % (count, lines, "" if nkf else "; nkf is not there"))


main()
