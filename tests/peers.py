"""Foreign servers for tests, each from a private root: started and stopped by their process, on loopback ports.

    with server("exim") as exim:
        ... send to 127.0.0.1:exim.port ...
        exim.wait_for_mails(1)

Whatever the recipient, a mail ends in one maildir. `missing(kind)` says in a sentence why a server can't be had here,
or gives None. What differs between the servers is a class of its own (peers_exim.py and so on); all else is here.
"""
import contextlib
import functools
import importlib
import os
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools/private-root"
KINDS = ("postfix", "exim", "opensmtpd")
START_S = 20


def as_root():
    """What to put before a command to run it as root, or None when that is not possible."""
    if os.geteuid() == 0:
        return []
    probe = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True)
    return ["sudo", "-n"] if probe and probe.returncode == 0 else None


def run_as_root(*command, **more):
    return subprocess.run([*as_root(), *map(str, command)], **{"check": True, **more})


@functools.cache
def missing_rights():
    prefix = as_root()
    if prefix is None:
        return "foreign servers need root for their private root"
    if subprocess.run([*prefix, "unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        return "foreign servers need mount and process namespaces, which are not allowed here"
    return None


@functools.cache
def missing_root(name, *packages):
    """Makes a private root of these packages, if there is none yet."""
    if missing_rights():
        return missing_rights()
    made = subprocess.run([*as_root(), TOOL, name, *packages], capture_output=True, text=True, timeout=600)
    return made.stderr.strip() or "tools/private-root failed" if made.returncode else None


def kind_of(name):
    return importlib.import_module("peers_" + name).SERVER


def missing(kind="postfix"):
    return missing_root(kind, *kind_of(kind).PACKAGES)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def namespace_init(pid):
    """Process 1 of the namespace that `pid` (unshare, or sudo before it) made: all others there end with it."""
    status = Path(f"/proc/{pid}/status").read_text()
    if len(next(line for line in status.splitlines() if line.startswith("NSpid:")).split()) > 2:
        return pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(filter(None, (namespace_init(int(child)) for child in children)), None)


class Server:
    """A kind says NAME, HOST, PACKAGES, USERS and GROUPS (lines for passwd and group), and how it is configured:
    write_config(settings), and command() to run it in the foreground. `inside` is `at`, as the server sees it."""

    USERS, GROUPS = [], []
    TLS_FAULT = None  # or why its STARTTLS can't be used

    def __init__(self, settings=None, tls=False, address="127.0.0.1", port=None):
        self.root = ROOT / "build/roots" / self.NAME
        self.name = self.NAME + "-" + uuid.uuid4().hex[:12]
        self.at, self.inside = self.root / "inst" / self.name, f"/inst/{self.name}"
        self.address, self.port, self.tls, self.child = address, port or free_port(), tls, None
        # Mails are written by the caller; no server writes them as root.
        self.uid, self.gid = os.getuid() or 65534, os.getgid() or 65534
        self.maildir = self.at / "mail/all"
        self._prepare()
        self.write_config(settings or {})

    def _prepare(self):
        run_as_root("mkdir", "-p", self.at)
        run_as_root("chown", f"{os.getuid()}:{os.getgid()}", self.at)
        for line in self.USERS:
            self._add_line("etc/passwd", line.format(uid=self.uid, gid=self.gid))
        for line in self.GROUPS:
            self._add_line("etc/group", line)
        for name in ("etc", "spool", "data", "log", *(f"mail/all/{box}" for box in ("cur", "new", "tmp"))):
            (self.at / name).mkdir(parents=True)
        run_as_root("chown", "-R", f"{self.uid}:{self.gid}", self.at / "mail")
        if self.tls:
            self._certificate()

    def _add_line(self, name, line):
        known = (self.root / name).read_text().splitlines()
        if not any(have.startswith(line.split(":")[0] + ":") for have in known):
            run_as_root("tee", "-a", self.root / name, input=line.encode() + b"\n", stdout=subprocess.DEVNULL)

    def _certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                        "/CN=" + self.HOST, "-addext", "subjectAltName=DNS:" + self.HOST, "-keyout",
                        self.at / "etc/key.pem", "-out", self.at / "etc/cert.pem"], check=True, capture_output=True)

    def give(self, folder, owner):
        """A folder of `at` to an owner in the root: a number, for names are not known here."""
        run_as_root("chown", "-R", owner, self.at / folder)

    def is_up(self, s):
        return s.recv(3) == b"220"

    def start(self, **more):
        self.child = subprocess.Popen([*as_root(), TOOL, "--run", self.NAME, *self.command()], stdin=subprocess.DEVNULL,
                                      stdout=open(self.at / "out", "w"), stderr=subprocess.STDOUT, **more)
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.child.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), 1) as s:
                if self.is_up(s):
                    return self
            time.sleep(0.1)
        self.stop(keep=True)
        raise RuntimeError(f"{self.NAME} did not start: {self.log()}")

    def stop(self, keep=False):
        """Ends all its processes at once, by the first of their namespace."""
        if self.child and self.child.poll() is None and (first := namespace_init(self.child.pid)):
            run_as_root("kill", "-KILL", first, check=False, stderr=subprocess.DEVNULL)
            self.child.wait(10)
        if not keep:
            run_as_root("rm", "-rf", self.at, check=False)

    def log(self):
        """All that the server said: its own output, then its log files."""
        files = [self.at / "out", *sorted((self.at / "log").glob("*"))]
        return "".join(run_as_root("cat", f, check=False, capture_output=True).stdout.decode(errors="replace")
                       for f in files if f.exists())

    def mails(self):
        """The mails that arrived, as bytes, each with the server's own header lines on top."""
        return [p.read_bytes() for p in sorted((self.maildir / "new").glob("*"))]

    def wait_for_mails(self, count, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if len(os.listdir(self.maildir / "new")) >= count:
                return self.mails()
            time.sleep(0.1)
        raise AssertionError(f"{len(self.mails())} of {count} mails arrived; log:\n{self.log()[-3000:]}")


@contextlib.contextmanager
def server(kind, settings=None, tls=False, **where):
    """One server, taking mail for any domain from loopback. settings: more of its configuration, by name; where: its
    address and port, else a free port of 127.0.0.1."""
    made = kind_of(kind)(settings, tls, **where)
    try:
        yield made.start()
    finally:
        made.stop()


def postfix(settings=None, tls=False):
    return server("postfix", settings, tls)
