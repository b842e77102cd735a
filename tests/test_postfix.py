"""Mails arrive at Debian's Postfix, and verifiers that this project did not write find their signatures good: dkimpy both,
opendkim-testmsg the one of RSA (it knows no other)."""
import json
import subprocess
import sys
from email import message_from_bytes
from email.policy import default as modern
from pathlib import Path

import dkim
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import lab as laboratory  # noqa: E402
import peers  # noqa: E402
from names import names  # noqa: E402

TABLE = {("rcpt.example", "MX"): ["10 mx.postfix.example."], ("mx.postfix.example", "A"): ["127.0.0.1"]}
PEOPLE = [("ann@rcpt.example", "Ann", "Graz"), ("bo@rcpt.example", "Bø Ærlig", "Århus"),
          ("mari@rcpt.example", "真理", "東京")]
TEMPLATE = """\
from: "Swallow Ⓢ <news@swallow.example>"
to_name: "{{name}}"
subject: "{{name}}, from {{city}}"
text: |
  Dear {{name}},
  .a line with a dot in front
  From here to {{city}}: =3D and a long line, """ + "long " * 60 + """

html: "<p>Dear <b>{{name}}</b> of {{city}}</p>"
"""


@pytest.fixture
def lab(tmp_path, build):
    made = laboratory.Lab(tmp_path, "sim/scenarios/demo.yaml", build)
    made.list.write_text("email,name,city\n" + "".join(f"{a},{n},{c}\n" for a, n, c in PEOPLE))
    made.template.write_text(TEMPLATE)
    return made


def deliver(lab, server, dns, tls):
    lab.dns, lab.smtp_port = dns, server.port
    keys = [lab.dkim_key("e1", "ed25519"), lab.dkim_key("s1")]
    lab.configure(dkim=[key for key, _ in keys], deliver__helo="out.swallow.example", tls__mode="required" if tls else "off",
                  **({"tls__ca_file": str(server.at / "etc/cert.pem")} if tls else {}))
    lab.run("send", "--template", lab.template, "--to", lab.list, timeout=60)
    return dict(record for _, record in keys)


def dkimpy(wire, index, records):
    try:
        return dkim.DKIM(wire).verify(index, dnsfunc=lambda name, timeout=5: records[name.decode().rstrip(".")].encode())
    except dkim.ValidationError:
        return False


def opendkim(mails, records, folder):
    files = [folder / f"mail{i}" for i in range(len(mails))]
    for file, mail in zip(files, mails):
        # It wants all signatures good, and can't tell that of Ed25519.
        head, _, rest = mail.partition(b"\nDKIM-Signature: v=1; a=ed25519-sha256;")
        file.write_bytes(head + b"\n" + rest[rest.index(b"==\n") + 3:] if rest else mail)
    table = folder / "records.json"
    table.write_text(json.dumps(records))
    done = subprocess.run([*peers.as_root(), "unshare", "--net", "--mount", sys.executable,
                           Path(__file__).with_name("opendkim_check.py"), table, *files],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def check(mails, records):
    found = {}
    for raw in mails:
        wire = raw.replace(b"\n", b"\r\n")
        changed = wire.replace(b"Dear", b"Fear")
        assert [line.split()[2] for line in wire.split(b"\r\n") if line.startswith(b"DKIM-Signature: ")] == [
            b"a=rsa-sha256;", b"a=ed25519-sha256;"]
        assert all(dkimpy(wire, index, records) for index in (0, 1)), wire
        assert not any(dkimpy(changed, index, records) for index in (0, 1))
        mail = message_from_bytes(raw, policy=modern)
        found[mail["Delivered-To"]] = mail
    assert set(found) == {address for address, _, _ in PEOPLE}
    for address, name, city in PEOPLE:
        mail = found[address]
        assert mail["Subject"] == f"{name}, from {city}"
        assert mail["To"].addresses[0].display_name == name and mail["To"].addresses[0].addr_spec == address
        assert mail["From"].addresses[0].display_name == "Swallow Ⓢ"
        text = mail.get_body(("plain",)).get_content().splitlines()
        assert text[0] == f"Dear {name}," and text[1] == ".a line with a dot in front"
        assert text[2].rstrip() == f"From here to {city}: =3D and a long line, " + "long " * 59 + "long"
        assert f"<b>{name}</b> of {city}" in mail.get_body(("html",)).get_content()
        assert mail["Message-ID"] and mail["Date"].datetime and not mail.defects


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "starttls"])
def test_signed_mails_arrive_at_postfix(foreign, lab, tls):
    with foreign.postfix(tls=tls) as server, names(TABLE) as dns:
        records = deliver(lab, server, dns, tls)
        mails = server.wait_for_mails(len(PEOPLE))
        check(mails, records)
        opendkim(mails, records, lab.folder)
        if tls:
            assert server.log().count("TLS connection established") >= 1


def test_what_postfix_refuses_is_failed_with_its_words(foreign, lab):
    table = {"smtpd_recipient_restrictions": "check_recipient_access inline:{{{{bo@rcpt.example=REJECT never heard of}}}},"
                                             "permit_mynetworks,reject"}
    with foreign.postfix(table) as server, names(TABLE) as dns:
        deliver(lab, server, dns, False)
        server.wait_for_mails(2)
        said = lab.run("message", "--to", "bo@rcpt.example").stdout
    assert "never heard of" in said and "fail" in said.lower()
