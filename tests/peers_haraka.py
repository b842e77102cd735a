"""npm's Haraka, as tests/peers.py runs it, with tests/npm/haraka/keep.js as its plugin. settings: more of
config/connection.ini, by section and key: {"max": {"bytes": 1}}; "tls.ini": lines of that file."""
import json
import shutil
from dataclasses import asdict

from peers import ROOT
from peers_node import Noded

# A line of 998 bytes and its end; by default Haraka breaks lines of more than 992.
INI = {"main": {"smtputf8": "true"}, "headers": {"add_received": "true", "max_received": "100", "max_lines": "1000"},
       "haproxy": {"hosts[]": ""}, "uuid": {"deny_chars": "0"},
       "message": {"helo": "hello", "close": "bye"}, "max": {"bytes": "52428800", "data_line_length": "1000", "line_length": "512"}}


class Haraka(Noded):
    NAME, HOST = "haraka", "mx.haraka.example"
    LACKS = {"chunking": "Haraka has no BDAT"}
    ADDS = ("received",)
    SAYS = r"kept as "

    def write_config(self, settings):
        config, plugins = self.at / "config", self.at / "plugins"
        for folder in (config, plugins):
            folder.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / "tests/npm/haraka/keep.js", plugins / "keep.js")
        settings = dict(settings)
        tls = settings.pop("tls.ini", "")
        listen = ",".join(f"{face.address}:{self.port}" for face in self.faces)
        files = {"smtp.ini": f"listen={listen}\nnodes=0\n", "plugins": "tls\nkeep\n" if self.tls else "keep\n",
                 "me": self.HOST + "\n", "log.ini": "[main]\nlevel=notice\n", "outbound.ini": "disabled=true\n",
                 "connection.ini": "".join(f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in {
                     **INI.get(section, {}), **settings.get(section, {})}.items()) for section in {**INI, **settings}),
                 "tls.ini": "key=tls_key.pem\ncert=tls_cert.pem\n" + tls}
        for name, text in files.items():
            (config / name).write_text(text)
        if self.tls:
            shutil.copyfile(self.at / "etc/key.pem", config / "tls_key.pem")
            shutil.copyfile(self.at / "etc/cert.pem", config / "tls_cert.pem")
        (self.at / "server.json").write_text(json.dumps({
            "maildir": f"{self.inside}/mail/all", "refuse": self.refuse, "faces": {face.address: asdict(face) for face in self.faces}}))

    def run_command(self):
        return [*self.node, self.project / "build/npm/node_modules/Haraka/bin/haraka", "-c", self.inside]


SERVER = Haraka
