"""DKIM as an operator meets it: making keys, checking the configuration, rotating while mail goes out."""
import contextlib
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import threading
from datetime import datetime, timedelta, timezone

import dkim
import pytest

from common import laboratory, serve, stop, wait_for
from names import names

TABLE = {("rcpt.example", "MX"): ["10 mx.rcpt.example."], ("mx.rcpt.example", "A"): ["127.0.0.1"]}


def key(bare, name, *args):
    return bare.run("dkim-key", "--domain", "example.com", "--selector", name, *args)


# --- tsubame dkim-key

@pytest.mark.parametrize("kind, args, bits", [("rsa", [], 2048), ("rsa", ["--bits", "3072"], 3072),
                                              ("ed25519", ["--algorithm", "ed25519"], 256)])
def test_a_key_and_its_record(bare, kind, args, bits):
    os.umask(0)
    try:
        made = key(bare, "s1", "--out", "k.pem", "--json", *args)
    finally:
        os.umask(0o022)
    assert made.returncode == 0 and not made.stderr, made.stderr
    said, path = json.loads(made.stdout), bare.folder / "k.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (said["algorithm"], said["bits"], said["name"], said["type"]) == (kind, bits, "s1._domainkey.example.com", "TXT")
    assert "".join(said["strings"]) == said["value"] and all(0 < len(s) <= 255 for s in said["strings"])
    assert "".join(re.findall('"([^"]*)"', said["zone"])) == said["value"]
    # OpenSSL's command, apart from its library, agrees on the public half; the RFCs differ in how it is published.
    pem = subprocess.run(["openssl", "pkey", "-in", path, "-pubout"], capture_output=True, text=True, check=True).stdout
    public = "".join(pem.splitlines()[1:-1])
    assert said["value"] == f"v=DKIM1; k={kind}; p=" + (public if kind == "rsa" else public[16:])

    before = path.read_bytes()
    again = key(bare, "s1", "--out", "k.pem", *args)
    assert again.returncode == 1 and "k.pem is there already, and a key is not written over" in again.stderr
    assert path.read_bytes() == before

    shown = key(bare, "s1", "--show", "k.pem")
    assert said["value"] in shown.stdout and said["zone"] in shown.stdout and path.read_bytes() == before
    assert "- {domain: example.com, selector: s1, key_file: k.pem}" in shown.stdout
    assert json.loads(key(bare, "s1", "--show", "k.pem", "--json").stdout) == said


def test_what_it_says_can_be_configured(bare):
    said = key(bare, "s1", "--out", "my key.pem").stdout
    bare.write("tsubame.yaml", said[said.index("  dkim:\n"):])
    done = bare.run("config", "check", "tsubame.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "tsubame.yaml: good\n", "")


@pytest.mark.parametrize("args, says", [
    (["--selector", "s", "--out", "k"], "give --domain and --selector"),
    (["--domain", "e.com", "--out", "k"], "give --domain and --selector"),
    (["--domain", "e com", "--selector", "s", "--out", "k"], "--domain: "),
    (["--domain", "e.com", "--selector", "s;x", "--out", "k"], "--selector: expected letters"),
    (["--domain", "e.com", "--selector", ".".join(["x" * 60] * 4), "--out", "k"], "longer than 253 bytes"),
    (["--domain", "e.com", "--selector", "s"], "give --out FILE for a new key, --show FILE for one"),
    (["--domain", "e.com", "--selector", "s", "--out", "k", "--show", "k"], "give --out FILE for a new key, --show FILE for one"),
    (["--domain", "e.com", "--selector", "s", "--out", "k", "--algorithm", "dsa"], "expected rsa or ed25519, got 'dsa'"),
    (["--domain", "e.com", "--selector", "s", "--out", "k", "--bits", "512"], "from 1024 to 4096, got '512'"),
    (["--domain", "e.com", "--selector", "s", "--out", "k", "--bits", "2048", "--algorithm", "ed25519"], "has its size"),
    (["--domain", "e.com", "--selector", "s", "--show", "k", "--bits", "2048"], "of what kind the key is"),
])
def test_wrong_usage(bare, args, says):
    done = bare.run("dkim-key", *args)
    assert done.returncode == 2 and says in done.stderr and not done.stdout, done
    assert not (bare.folder / "k").exists()


def test_a_short_key_and_an_open_file(bare):
    assert "warning: 1024 bits are fewer than the 2048 that receivers expect" in key(
        bare, "s", "--out", "k.pem", "--bits", "1024").stderr
    (bare.folder / "k.pem").chmod(0o644)
    assert "k.pem may be read by everybody here (mode 0644)" in key(bare, "s", "--show", "k.pem").stderr
    assert key(bare, "s", "--show", "t.yaml").returncode == 1
    assert key(bare, "s", "--out", "no/such/folder.pem").returncode == 1


# --- config check, send

def time(days):
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def keys(bare):
    for name, *args in (("r1",), ("r2",), ("e1", "--algorithm", "ed25519"), ("short", "--bits", "1024")):
        assert key(bare, name, "--out", name, *args).returncode == 0
    shutil.copy(bare.folder / "r1", bare.folder / "open")
    (bare.folder / "open").chmod(0o644)
    return bare


def item(selector, file=None, domain="example.com", **more):
    return {"domain": domain, "selector": selector, "key_file": file or selector, **more}


@pytest.mark.parametrize("items, code, says", [
    ([item("r1"), item("e1")], 0, ""),
    ([item("r1", until=time(9)), item("r2", **{"from": time(5)})], 0, ""),
    ([item("r1", "nothing")], 3, r"c.yaml:1:8: dkim\[0\].key_file: nothing: No such file"),
    ([item("r1", "t.yaml")], 3, r"c.yaml:1:8: dkim\[0\]: t.yaml: DKIM key: not a private key in PEM"),
    ([item("short")], 0, r"warning: c.yaml:1:8: dkim\[0\]: 1024 bits are fewer than the 2048"),
    ([item("open")], 0, r"warning: .*dkim\[0\]: open may be read by everybody here \(mode 0644\)"),
    ([item("r1", until=time(-1))], 0, r"its time is over.*no key is valid now: mail goes out unsigned"),
    ([item("r1", **{"from": time(1)})], 0, r"for example.com no key is valid now"),
    ([item("r1", until=time(5)), item("r2", **{"from": time(9)})], 0, "no key is valid from 20[-0-9T:]*Z on"),
    ([item("r1", until=time(5)), item("e1", domain="other.example")], 0, "for example.com no key is valid from"),
    ([item("s", "r1"), item("s", "e1")], 3, r"dkim\[1\]: the selector s of example.com is that of dkim\[0\]"),
    ([item("r1"), item("r2")], 0, r"dkim\[1\]: dkim\[0\] is of the same domain, kind and from: that one signs"),
])
def test_config_check(keys, items, code, says):
    keys.write("c.yaml", "dkim: " + json.dumps(items))
    done = keys.run("config", "check", "c.yaml")
    assert done.returncode == code, done
    assert re.search(says, done.stderr, re.S) if says else not done.stderr, done.stderr
    assert done.stdout == ("" if code else "c.yaml: good, but for the warnings\n" if says else "c.yaml: good\n")


@pytest.mark.parametrize("items, says", [
    ([], ""),
    ([item("r1", domain="swallow.example")], ""),
    ([item("r1", domain="example")], ""),
    ([item("r1")], "warning: DKIM: for From at swallow.example no key is valid now: the mail goes out unsigned"),
    ([item("r1", any_from=True)], "is signed by example.com, which does not align for DMARC"),
    ([item("r1", domain="swallow.example", until=time(3))], "for From at swallow.example no key is valid from 20"),
])
def test_send_says_what_is_not_signed(keys, items, says):
    keys.write("l.csv", "email,name\nann@rcpt.example,Ann\n")
    keys.write("c.yaml", "dkim: " + json.dumps(items))
    done = keys.run("send", "--config", "c.yaml", "--template", "t.yaml", "--to", "l.csv", "--dry-run")
    assert done.returncode == 0 and says in done.stderr and ("DKIM" in done.stderr) == bool(says), done


# --- Rotation

class Sink(socketserver.StreamRequestHandler):
    """Takes every mail."""

    def handle(self):
        self.wfile.write(b"220 mx\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go\r\n")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b".") else line)
                self.server.mails.append(b"".join(lines))
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 good\r\n")


@contextlib.contextmanager
def sink():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink) as server:
        server.daemon_threads, server.mails = True, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def lab(tmp_path, build):
    made = laboratory.Lab(tmp_path, "sim/scenarios/demo.yaml", build)
    made.list.write_text("email\nann@rcpt.example\nbo@rcpt.example\n")
    made.template.write_text('from: news@mail.swallow.example\nsubject: hi\ntext: hello\n')
    yield made
    made.__exit__()


def signed_by(mail, records):
    """The selectors of the mail's signatures, each good."""
    found = re.findall(rb"^DKIM-Signature:.*?\ts=(\w+);", mail, re.M | re.S)
    for index in range(len(found)):
        assert dkim.DKIM(mail).verify(index, dnsfunc=lambda name, timeout=5: records[name.decode().rstrip(".")].encode())
    return [s.decode() for s in found]


def configure(lab, server, dns, keys):
    lab.dns, lab.smtp_port = dns, server.server_address[1]
    lab.configure(dkim=keys, tls__mode="off", deliver__helo="out.swallow.example", deliver__workers=2, deliver__idle="100ms")


def test_keys_rotate_by_time_and_by_sighup(lab):
    (old, _), (new, _), (ed, _) = made = [lab.dkim_key("old"), lab.dkim_key("new"), lab.dkim_key("ed", "ed25519")]
    records = dict(record for _, record in made)
    with sink() as server, names(TABLE) as dns:
        def send(name):
            del server.mails[:]
            lab.run("send", "--name", name, "--template", lab.template, "--to", lab.list, timeout=60)
            assert len(server.mails) == 2
            signatures = [signed_by(mail, records) for mail in server.mails]
            assert signatures[0] == signatures[1], signatures
            return signatures[0]

        change = datetime.now(timezone.utc) + timedelta(seconds=6)
        until = change.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        configure(lab, server, dns, [{**old, "until": time(1)}, {**new, "from": until}, {**ed, "from": until}])
        running = serve(lab)
        assert send("before") == ["old"]
        wait_for(lambda: datetime.now(timezone.utc) > change)
        assert send("after") == ["new", "ed"]

        log = lab.folder / "serve.log"
        configure(lab, server, dns, [ed])
        running.send_signal(signal.SIGHUP)
        wait_for(lambda: "event=reloaded" in log.read_text())
        assert send("only-ed") == ["ed"]

        (lab.folder / "bad.pem").write_text("no key")
        configure(lab, server, dns, [{**old, "key_file": str(lab.folder / "bad.pem")}])
        running.send_signal(signal.SIGHUP)
        wait_for(lambda: "event=reload-failed" in log.read_text())
        assert send("still-ed") == ["ed"]

        configure(lab, server, dns, [{**old, "domain": "elsewhere.example"}])
        running.send_signal(signal.SIGHUP)
        wait_for(lambda: log.read_text().count("event=reloaded") == 2)
        assert send("unsigned") == []
        wait_for(lambda: "event=unsigned from=mail.swallow.example" in log.read_text())
        stop(running)
