"""tsubame doctor and dkim-key --check: one good state, and each thing that can be wrong with it."""
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from names import names  # noqa: E402

HELO = "out.swallow.example"


class Patient:
    """A configuration, keys and names that are as they should be, to be spoiled."""

    def __init__(self, folder, build, made):
        self.folder, self.program = folder, build / "program/tsubame"
        self.store, self.key = folder / "data", folder / "dkim.pem"
        self.config = {"store.path": str(self.store), "store.reserve": "4m", "deliver.private_hosts": True,
                       "deliver.helo": HELO, "deliver.bind": ["127.0.0.1"], "metrics.listen": "off",
                       "dkim": [{"domain": "swallow.example", "selector": "s1", "key_file": str(self.key)}]}
        if os.geteuid() == 0:
            self.config["run.user"] = "root"
        self.key.write_text(made[0])
        self.key.chmod(0o600)
        self.record = made[1]
        self.names = {(HELO, "A"): ["127.0.0.1"], ("1.0.0.127.in-addr.arpa", "PTR"): [HELO + "."],
                      ("s1._domainkey.swallow.example", "TXT"): self.strings(self.record),
                      ("_dmarc.swallow.example", "TXT"): ['"v=DMARC1; p=none"'],
                      ("swallow.example", "TXT"): ['"v=spf1 ip4:127.0.0.1 -all"', '"other"'],
                      ("rcpt.example", "MX"): ["10 mx.rcpt.example."], ("mx.rcpt.example", "A"): ["127.0.0.1"]}

    @staticmethod
    def strings(text):
        return [" ".join(f'"{text[i:i + 200]}"' for i in range(0, len(text), 200))]

    def call(self, *args, files=None):
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None
        return subprocess.run([self.program, *map(str, args)], capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, preexec_fn=limit, env={**os.environ, "TSUBAME_CONFIG": ""})

    def write(self):
        path = self.folder / "tsubame.yaml"
        path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in self.config.items()))
        path.chmod(0o644)
        return path

    def doctor(self, *args, dns=None, files=None, code=None):
        with names(self.names) as server:
            self.config["dns.servers"] = [dns or server]
            done = self.call("doctor", "--config", self.write(), *args, files=files)
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done

    def checks(self, *args, **more):
        done = self.doctor("--json", *args, **more)
        out = json.loads(done.stdout)
        assert done.returncode == (1 if out["wrong"] else 0), done.stderr
        assert len(out["checks"]) == out["good"] + out["advice"] + out["wrong"] + out["not_checked"]
        for check in out["checks"]:
            assert check["seen"] and (check["result"] in ("good", "not checked") or (check["why"] and check["mend"])), check
        return out["checks"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, build):
    """A key and its record."""
    path = tmp_path_factory.mktemp("key") / "dkim.pem"
    done = subprocess.run([build / "program/tsubame", "dkim-key", "-d", "swallow.example", "-s", "s1", "--out", path, "--json"],
                          check=True, capture_output=True, text=True)
    return path.read_text(), json.loads(done.stdout)["value"]


@pytest.fixture
def patient(tmp_path, build, made):
    return Patient(tmp_path, build, made)


def find(checks, group, name):
    found = [c for c in checks if (c["group"], c["name"]) == (group, name)]
    assert found, [(c["group"], c["name"]) for c in checks]
    return found


def test_what_is_good_is_called_good(patient):
    checks = patient.checks()
    assert not [c for c in checks if c["result"] == "wrong"], checks
    for group, name in [("source", "address"), ("source", "helo"), ("source", "helo-leads-here"), ("source", "reverse"),
                        ("dkim", "record"), ("policy", "spf"), ("policy", "dmarc"), ("dns", "resolver"),
                        ("limits", "files"), ("store", "disk"), ("config", "config")]:
        assert [c["result"] for c in find(checks, group, name)] == ["good"], (group, name, find(checks, group, name))
    assert find(checks, "port", "outgoing")[0]["result"] == "not checked"
    assert not patient.store.exists()  # nothing is made
    text = patient.doctor(code=0).stdout
    assert "\x1b" not in text and "0 wrong" in text.splitlines()[-1] and "Source addresses" in text
    only = patient.checks("--only", "dkim")
    assert {c["group"] for c in only} == {"dkim"}
    assert "expected config, permissions" in patient.doctor("--only", "teeth", code=2).stderr


def put(table, **more):
    def spoil(p):
        p.config.update(table)
        p.names.update({tuple(k.split("/")): v for k, v in more.items()})
    return spoil


def without(*key):
    return lambda p: p.names.pop(key)


def name(*key, **value):
    return lambda p: p.names.update({key: value["is_"]})


def chmod(what, mode):
    def spoil(p):
        path = getattr(p, what)
        if what == "store":
            path.mkdir()
        path.chmod(mode)
    return spoil


def other_key(p):
    done = p.call("dkim-key", "-d", "x.example", "-s", "x", "--out", p.folder / "other.pem", "--json")
    p.names[("s1._domainkey.swallow.example", "TXT")] = p.strings(json.loads(done.stdout)["value"])


def fifo_as_rules(p):
    os.mkfifo(p.folder / "rules.yaml")
    p.config["replies.rules"] = str(p.folder / "rules.yaml")


def password_for_everybody(p):
    (p.folder / "password").write_text("secret\n")
    (p.folder / "password").chmod(0o644)
    p.config.pop("deliver.bind", None)
    p.config["sources"] = [{"name": "a", "address": "127.0.0.1",
                            "proxy": {"protocol": "socks5", "address": "127.0.0.1:9", "user": "u",
                                      "password_file": str(p.folder / "password")}}]


def file_as_socket(p):
    p.config["control.socket"] = str(p.folder / "sock")
    (p.folder / "sock").write_text("x")


def broken_store(p):
    p.store.mkdir(mode=0o700)
    (p.store / "ledger.mdb").write_bytes(b"no ledger" * 2000)


def text(path, content):
    def spoil(p):
        (p.folder / path).write_text(content)
    return spoil


BAD = {
    "no PTR": (without("1.0.0.127.in-addr.arpa", "PTR"), "source", "reverse", "IN PTR out.swallow.example."),
    "PTR leads elsewhere": (name("1.0.0.127.in-addr.arpa", "PTR", is_=["gone.example."]), "source", "reverse", "IN PTR"),
    "HELO leads elsewhere": (name(HELO, "A", is_=["127.0.0.2"]), "source", "helo-leads-here", "IN A 127.0.0.1"),
    "HELO is unknown": (without(HELO, "A"), "source", "helo-leads-here", "IN A 127.0.0.1"),
    "HELO localhost": (put({"deliver.helo": "localhost"}), "source", "helo", "deliver.helo:"),
    "HELO without a dot": (put({"deliver.helo": "mailhost"}), "source", "helo", "deliver.helo:"),
    "address of another": (put({"deliver.bind": ["192.0.2.77"]}), "source", "address", "ip address add 192.0.2.77/32"),
    "DKIM not published": (without("s1._domainkey.swallow.example", "TXT"), "dkim", "record", "v=DKIM1"),
    "another key published": (other_key, "dkim", "record", "p="),
    "key revoked": (name("s1._domainkey.swallow.example", "TXT", is_=['"v=DKIM1; p="']), "dkim", "record", "v=DKIM1"),
    "no SPF": (name("swallow.example", "TXT", is_=['"other"']), "policy", "spf", "v=spf1 ip4:127.0.0.1"),
    "SPF names others": (name("swallow.example", "TXT", is_=['"v=spf1 ip4:192.0.2.0/24 -all"']), "policy", "spf", "ip4:127.0.0.1"),
    "two DMARC records": (name("_dmarc.swallow.example", "TXT", is_=['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"']),
                          "policy", "dmarc", "_dmarc.swallow.example"),
    "key for everybody": (chmod("key", 0o644), "permissions", "permissions", "chmod o-rwx"),
    "password for everybody": (password_for_everybody, "permissions", "permissions", "chmod o-rwx"),
    "store for everybody": (chmod("store", 0o777), "permissions", "permissions", "chmod o-w"),
    "key missing": (lambda p: p.key.unlink(), "config", "config", "Correct that place"),
    "rules are a FIFO": (fifo_as_rules, "config", "config", "replies.rules"),
    "rules are none": (lambda p: p.config.update({"replies.rules": str(p.folder)}), "config", "config", "replies.rules"),
    "rules are wrong": (lambda p: (text("r.yaml", "- nonsense: 1\n")(p), p.config.update({"replies.rules": str(p.folder / "r.yaml")})),
                        "config", "config", "replies.rules"),
    "CA file is none": (lambda p: (text("ca.pem", "hello")(p), p.config.update({"tls.ca_file": str(p.folder / "ca.pem")})),
                        "config", "config", "tls.ca_file"),
    "too little space": (put({"store.reserve": "1024g"}), "store", "disk", "prune"),
    "a broken ledger": (broken_store, "store", "ledger", "backup"),
    "no socket": (file_as_socket, "server", "running", "control.socket"),
    "an unknown key": (put({"deliver.hello": "x"}), "config", "config", "configuration.md"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_found(patient, case):
    spoil, group, check, mend = BAD[case]
    spoil(patient)
    wrong = [c for c in patient.checks() if c["result"] == "wrong"]
    assert any(c["group"] == group and c["name"] == check and mend in c["mend"] for c in wrong), wrong


def test_advice_is_no_fault(patient):
    patient.names.pop(("_dmarc.swallow.example", "TXT"))
    patient.config["deliver.workers"] = 64
    patient.config["log.level"] = "off"
    checks = patient.checks()
    for group, check in [("policy", "dmarc"), ("limits", "processors"), ("work", "log"), ("dns", "dnssec")]:
        assert [c["result"] for c in find(checks, group, check)] == ["advice"]
    assert not [c for c in checks if c["result"] == "wrong"]


def test_few_open_files(patient):
    [found] = find(patient.checks("--only", "limits", files=1024), "limits", "files")
    assert found["result"] == "wrong" and "LimitNOFILE=2200" in found["mend"] and "max_sessions: 824" in found["mend"]


def test_a_silent_resolver_is_waited_for_once(patient):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        began = time.monotonic()
        checks = patient.checks(dns="127.0.0.1:%d" % silent.getsockname()[1])
        assert time.monotonic() - began < 30
    assert find(checks, "dns", "resolver")[0]["result"] == "wrong"
    assert "does not answer" in find(checks, "dkim", "record")[0]["seen"]


def greeter(lines):
    """A port that greets whoever comes; how many came."""
    server = socket.create_server(("127.0.0.1", 0))
    came = []

    def run():
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            came.append(1)
            peer.sendall(lines)
            peer.close()
    threading.Thread(target=run, daemon=True).start()
    return server, came


def test_nobody_is_knocked_at_unasked(patient):
    server, came = greeter(b"220 mx.rcpt.example ready\r\n")
    with server:
        patient.config["deliver.port"] = server.getsockname()[1]
        patient.checks()
        assert not came
        [found] = find(patient.checks("--connect", "127.0.0.1", "--only", "port"), "port", "outgoing")
        assert found["result"] == "good" and "220 mx.rcpt.example ready" in found["seen"] and len(came) == 1
        checks = patient.checks("--try", "rcpt.example", "--only", "port")
        assert "mx.rcpt.example" in find(checks, "port", "exchangers")[0]["seen"]
        assert find(checks, "port", "outgoing")[0]["result"] == "good" and len(came) == 2
        server.shutdown(socket.SHUT_RDWR)
    [found] = find(patient.checks("--connect", "127.0.0.1", "--only", "port"), "port", "outgoing")
    assert found["result"] == "wrong" and "refused" in found["seen"]
    [found] = find(patient.checks("--try", "nothing.example", "--only", "port"), "port", "exchangers")
    assert found["result"] == "wrong"


def test_beside_a_server_and_after_its_hard_end(patient):
    with socket.create_server(("127.0.0.1", 0)) as free:
        patient.config["metrics.listen"] = "127.0.0.1:%d" % free.getsockname()[1]
    patient.doctor()
    server = subprocess.Popen([patient.program, "serve", "--config", patient.write()], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            checks = patient.checks()
            if "process" in find(checks, "server", "running")[0]["seen"]:
                break
        assert f"process {server.pid}" in find(checks, "server", "running")[0]["seen"]
        assert "running server's" in find(checks, "metrics", "metrics")[0]["seen"]
        assert find(checks, "store", "ledger")[0]["result"] == find(checks, "store", "history")[0]["result"] == "good"
    finally:
        server.kill()
        server.wait()
    [found] = find(patient.checks("--only", "server"), "server", "running")
    assert found["result"] == "good" and "left behind" in found["seen"]
    with socket.create_server(("127.0.0.1", int(patient.config["metrics.listen"].split(":")[1]))):
        [found] = find(patient.checks("--only", "metrics"), "metrics", "metrics")
        assert found["result"] == "wrong" and "ss -ltnp" in found["mend"]


def check_key(patient, *more):
    with names(patient.names) as server:
        patient.config["dns.servers"] = [server]
        return patient.call("dkim-key", "--config", patient.write(), "-d", "swallow.example", "-s", "s1", "--check", patient.key,
                            *more)


def test_a_key_is_compared_with_what_is_published(patient):
    done = check_key(patient)
    assert done.returncode == 0 and "it is this key" in done.stdout, done.stderr
    assert json.loads(check_key(patient, "--json").stdout)["published"] is True
    other_key(patient)
    done = check_key(patient)
    assert done.returncode == 1 and "another key" in done.stdout and "IN TXT" in done.stdout
    patient.names.pop(("s1._domainkey.swallow.example", "TXT"))
    assert json.loads(check_key(patient, "--json").stdout)["result"] == "not-published"
    patient.names[("s1._domainkey.swallow.example", "TXT")] = [*patient.strings(patient.record), '"v=DKIM1; p=A"']
    assert json.loads(check_key(patient, "--json").stdout)["result"] == "several-records"
    assert check_key(patient, "--bits", "2048").returncode == 2
    assert check_key(patient, "--show", patient.key).returncode == 2


def test_config_check_reads_the_rules(patient):
    patient.config.pop("dkim")
    fifo_as_rules(patient)
    done = patient.call("config", "check", patient.write())
    assert done.returncode == 3 and "expected a file with rules" in done.stderr
    good = patient.folder / "good.rules"
    good.write_bytes(b"\xef\xbb\xbf# a mark before the text is nothing to stumble over\n")
    patient.config["replies.rules"] = str(good)
    assert patient.call("config", "check", patient.write()).returncode == 0
