"""npm's smtp-server, as tests/peers.py runs it by tests/npm/smtp_server.js. settings: more of its options; those of TLS
(`minVersion` and so on) are the same to it."""
import json
from dataclasses import asdict

from peers_node import Noded


class SmtpServer(Noded):
    NAME, HOST = "smtp-server", "mx.smtp-server.example"
    LACKS = {"chunking": "smtp-server has no BDAT"}
    SAYS = r"kept as "

    def write_config(self, settings):
        tls = {name: (self.at / f"etc/{name}.pem").read_text() for name in ("key", "cert")} if self.tls else {}
        (self.at / "server.json").write_text(json.dumps({
            "port": self.port, "host": self.HOST, "maildir": f"{self.inside}/mail/all", "refuse": self.refuse, "tls": tls,
            "options": settings, "faces": {face.address: asdict(face) for face in self.faces}}))

    def run_command(self):
        return [*self.node, self.project / "tests/npm/smtp_server.js", f"{self.inside}/server.json"]


SERVER = SmtpServer
