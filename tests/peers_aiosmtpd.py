"""Debian's aiosmtpd, as tests/peers.py runs it by tests/aiosmtpd_server.py. settings: more of its SMTP's arguments."""
import json
import subprocess
from dataclasses import asdict

from peers import ROOT, Script

PYTHON = "/usr/bin/python3"


class Aiosmtpd(Script):
    NAME, HOST = "aiosmtpd", "mx.aiosmtpd.example"
    LACKS = {"chunking": "aiosmtpd has no BDAT"}
    SAYS = r"kept as "

    @classmethod
    def missing(cls):
        done = subprocess.run([PYTHON, "-c", "import aiosmtpd"], capture_output=True)
        return "python3-aiosmtpd is not installed" if done.returncode else None

    def write_config(self, settings):
        settings = dict(settings)
        (self.at / "server.json").write_text(json.dumps({
            "port": self.port, "host": self.HOST, "maildir": str(self.maildir), "refuse": self.refuse,
            "cert": str(self.at / "etc/cert.pem"), "key": str(self.at / "etc/key.pem"), "tls_max": settings.pop("tls_max", None),
            "options": settings, "faces": {face.address: asdict(face) for face in self.faces}}))

    def run_command(self):
        return [PYTHON, ROOT / "tests/aiosmtpd_server.py", self.at / "server.json"]


SERVER = Aiosmtpd
