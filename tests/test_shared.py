"""Shared mails end to end: to a foreign receiver in few transactions, and to the fake internet, whose truth must agree."""
import json
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path

import peers
from names import names
from receiver import Keeper, Receiver

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from lab import Lab  # noqa: E402

TEMPLATE = """\
from: "Office <office@swallow.example>"
shared: true
to: "All of us:;"
subject: "Closed on Friday"
text: "Open again on Monday."
"""


class Noting(Keeper):
    def __init__(self):
        super().__init__()
        self.transactions = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return "550 5.1.1 there is no such person"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        self.transactions.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return await super().handle_DATA(server, session, envelope)


def test_to_a_foreign_receiver(build, tmp_path):
    port, folder = peers.free_port(), tmp_path
    people = [f"p{i}@d.example" for i in range(120)] + [f"gone{i}@d.example" for i in range(5)]
    (folder / "list.csv").write_text("email,name\n" + "".join(f"{p},x\n" for p in people))
    (folder / "t.yaml").write_text(TEMPLATE)
    at = Receiver("127.0.0.1", port)
    at.handler = Noting()
    at.start()
    try:
        with names({("d.example", "MX"): ["10 mx.example."], ("mx.example", "A"): ["127.0.0.1"]}) as dns:
            (folder / "tsubame.yaml").write_text(json.dumps({
                "store": {"path": "data"}, "dns": {"servers": [dns]}, "metrics": {"listen": "off"},
                "deliver": {"port": port, "private_hosts": True}, "limits": {"connections": 1},
                "identity": {"return_path_domain": "bounce.swallow.example"}}))
            run = [build / "program/tsubame"]
            more = ["--config", folder / "tsubame.yaml"]
            sent = subprocess.run([*run, "send", "--template", folder / "t.yaml", "--to", folder / "list.csv", "--name", "n", *more],
                                  capture_output=True, text=True, timeout=60)
            assert sent.returncode == 0, sent.stderr
            report = subprocess.run([*run, "report", "n", "--recipients", "--tsv", *more], capture_output=True, text=True).stdout
    finally:
        at.stop()
    told = [rcpt for _, rcpts in at.handler.transactions for rcpt in rcpts]
    assert sorted(told) == sorted(p for p in people if not p.startswith("gone"))
    assert len(at.handler.transactions) <= 5
    assert len({sender for sender, _ in at.handler.transactions}) == 1  # one return path for the chunk
    mails = [message_from_bytes(mail) for mail in at.handler.kept]
    assert {mail["To"] for mail in mails} == {"All of us:;"}
    assert len({mail["Message-ID"] for mail in mails}) == 1
    assert len({mail.as_string() for mail in mails}) == 1
    rows = [line.split("\t") for line in report.splitlines()]
    head, rows = rows[0], [dict(zip(rows[0], row)) for row in rows[1:]]
    assert len(rows) == 125 and "message_id" in head
    assert {r["message_id"] for r in rows} == {mails[0]["Message-ID"].strip("<>")}
    assert sorted(r["address"] for r in rows if r["state"] == "failed") == sorted(p for p in people if p.startswith("gone"))
    said = subprocess.run([*run, "message", "--to", "gone1@d.example", *more], capture_output=True, text=True).stdout
    assert "there is no such person" in said


def test_the_truth_agrees(tmp_path, build):
    with Lab(tmp_path, "sim/scenarios/demo.yaml", build=build) as lab:
        lab.audience(1000)
        lab.configure(base=ROOT / "demo/tsubame.yaml")
        lab.template.write_text(TEMPLATE)
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "all")
        lab.export("all")
        good, text = lab.check()
        assert good, text


def test_variables_are_refused(tmp_path, build):
    (tmp_path / "t.yaml").write_text(TEMPLATE.replace("Open again", "{{name}}, open again"))
    (tmp_path / "list.csv").write_text("email,name\na@b.example,A\n")
    done = subprocess.run([build / "program/tsubame", "send", "--dry-run", "--template", tmp_path / "t.yaml", "--to",
                           tmp_path / "list.csv"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    assert "text, line 1, column 1: {{name}}: a shared mail is the same for everybody" in done.stderr
