"""The walk of docs/sim.md with Debian's Postfix as the mailer under test: its commands, as they stand there."""
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from peers_postfix import Postfix

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "127.53.0.1"
# Postfix is in a root of its own: what its sendmail does goes by SMTP.
SENDMAIL = """#!/usr/bin/python3
import smtplib, sys
with smtplib.SMTP("127.0.0.1", {port}) as smtp:
    smtp.sendmail(sys.argv[2], sys.argv[3:], sys.stdin.read())
"""


class Mailer(Postfix):
    """Delivers to the simulator: its name server, its port; everything else as the page says."""

    def write_config(self, settings):
        super().write_config({"virtual_mailbox_domains": "", "smtp_dns_support_level": "enabled",
                              "inet_interfaces": "127.0.0.1", **settings})
        (self.at / "etc/resolv.conf").write_text(f"nameserver {ADDRESS}\n")

    def start(self, **more):
        return super().start(env={**os.environ, "RESOLV_CONF": str(self.at / "etc/resolv.conf")}, **more)


def page():
    """The commands of the walk, and the settings that the page gives Postfix."""
    text = (ROOT / "docs/sim.md").read_text()
    walk = text[text.index("## A walk"):]
    commands = re.search(r"```sh\n(.*?)```", walk, re.S)[1].replace("\\\n", " ").splitlines()
    commands = [line.split(" #")[0].strip() for line in commands if line.strip()]
    settings = dict(re.findall(r"(\w+)=(\S+)", next(line for line in commands if line.startswith("postconf"))))
    return commands, settings


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 needs root")
def test_walk_with_postfix(foreign, build, tmp_path):
    commands, settings = page()
    assert len(commands) == 5, commands
    program = str(build / "sim/tsubame-sim")

    def fill(line):
        return line.replace("sudo ", "").replace("tsubame-sim", program).replace("sim/scenarios", str(ROOT / "sim/scenarios"))

    run, audience, _, send, check = commands
    sim = subprocess.Popen(shlex.split(fill(run).rstrip("&")) + ["--smtp-port", "0", "--ready-file", "ready"], cwd=tmp_path,
                           stdout=subprocess.PIPE, text=True)
    mailer = None
    try:
        until = time.monotonic() + 20
        while not (tmp_path / "ready").exists() and time.monotonic() < until:
            time.sleep(0.05)
        port = dict(line.split("=") for line in (tmp_path / "ready").read_text().split())["smtp"]
        subprocess.run(fill(audience), shell=True, cwd=tmp_path, check=True)
        mailer = Mailer({**settings, "smtp_tcp_port": port})
        mailer.start()
        (tmp_path / "sendmail").write_text(SENDMAIL.format(port=mailer.port))
        (tmp_path / "sendmail").chmod(0o755)
        subprocess.run(send, shell=True, cwd=tmp_path, check=True, timeout=120,
                       env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
        until = time.monotonic() + 90
        while time.monotonic() < until:
            found = subprocess.run(fill(check), shell=True, cwd=tmp_path, capture_output=True, text=True)
            if found.returncode == 0:
                break
            time.sleep(1)
        assert found.returncode == 0, found.stdout + found.stderr + mailer.log()[-3000:]
    finally:
        sim.send_signal(signal.SIGTERM)
        told = sim.communicate(timeout=20)[0]
        if mailer:
            mailer.stop()
    assert "greylist" in (tmp_path / "truth.tsv").read_text()
    assert re.search(r"^google +\d+", told, re.M), told
