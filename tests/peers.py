"""Foreign servers for tests: started and stopped by their process, on loopback ports.

    with server("exim") as exim:
        ... send to 127.0.0.1:exim.port ...
        exim.wait_for_mails(1)

Whatever the recipient, a mail ends in one maildir. `missing(kind)` says in a sentence why a server can't be had here,
or gives None. What differs between the servers is a class of its own (peers_exim.py and so on); all else is here: Rooted
runs one of Debian's packages in a private root, Script one of npm's or Python's as an ordinary child.

A server shows itself at several addresses if it is given `faces`: at each it announces what that Face says. What a kind
can't announce, its LACKS says, with the reason.
"""
import contextlib
import functools
import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools/private-root"
KINDS = ("postfix", "exim", "opensmtpd")
ALL_KINDS = (*KINDS, "haraka", "smtp_server", "aiosmtpd")
FEATURES = ("pipelining", "chunking", "tls", "smtputf8")
START_S = 120


@dataclass(frozen=True)
class Face:
    """What a server announces at one address."""
    address: str = "127.0.0.1"
    pipelining: bool = True
    chunking: bool = True
    tls: bool = True
    smtputf8: bool = True

    def without(self):
        return [name for name in FEATURES if not getattr(self, name)]


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
    return kind_of(kind).missing()


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
    """A kind says NAME, HOST, LACKS, and how it is configured: write_config(settings), and how it is run.
    ADDS: the header fields that it puts above a mail. CRLF: its maildir keeps the line ends of the wire.
    certificate: files of certificate and key, else it makes its own."""

    LACKS, ADDS, CRLF = {}, (), False

    def __init__(self, settings=None, tls=False, address="127.0.0.1", port=None, faces=None, certificate=None, refuse=None):
        self.faces = faces or [Face(address, tls=tls)]
        self.address, self.port, self.tls = self.faces[0].address, port or free_port(), tls or any(f.tls for f in faces or [])
        self.refuse = refuse or {}
        self.child, self.settings = None, settings or {}
        # Mails are written by the caller; no server writes them as root.
        self.uid, self.gid = os.getuid() or 65534, os.getgid() or 65534
        self._prepare()
        self.maildir = self.at / "mail/all"
        for name in ("etc", "spool", "data", "log", *(f"mail/all/{box}" for box in ("cur", "new", "tmp"))):
            (self.at / name).mkdir(parents=True)
        self._give_mail()
        if self.tls:
            self._certificate(certificate)
        self.write_config(self.settings)

    def _give_mail(self):
        """To whom the server writes mails as."""

    def _certificate(self, given):
        key, cert = self.at / "etc/key.pem", self.at / "etc/cert.pem"
        if given:
            shutil.copyfile(given[0], cert)
            shutil.copyfile(given[1], key)
            key.chmod(0o600)
        else:
            make_certificate(cert, key, [self.HOST])

    def configure(self, **changes):
        """Between stop(keep=True) and start(): settings, refuse."""
        self.settings, self.refuse = changes.get("settings", self.settings), changes.get("refuse", self.refuse)
        self.write_config(self.settings)

    def is_up(self, s):
        return s.recv(3) == b"220"

    def start(self, **more):
        self.child = subprocess.Popen(self.run_command(), stdin=subprocess.DEVNULL, stdout=open(self.at / "out", "a"),
                                      stderr=subprocess.STDOUT, **more)
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.child.poll() is None:
            with contextlib.suppress(OSError):
                if all(self._greets(face.address) for face in self.faces):
                    return self
            time.sleep(0.1)
        said = self.log()
        self.stop()
        raise RuntimeError(f"{self.NAME} did not start: {said[-3000:]}")

    def _greets(self, address):
        with socket.create_connection((address, self.port), 5) as s:
            return self.is_up(s)

    def stop(self, keep=False):
        """Ends all its processes at once, as a crash would. keep: it can be started again."""
        if self.child and self.child.poll() is None:
            self._kill()
            self.child.wait(10)
        if not keep:
            self._remove()

    def log(self):
        """All that the server said: its own output, then its log files."""
        files = [self.at / "out", *sorted((self.at / "log").glob("*"))]
        return "".join(self._read(f) for f in files if f.exists())

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


class Rooted(Server):
    """From a private root. A kind says PACKAGES, USERS and GROUPS (lines for passwd and group), and command() to run it in the
    foreground. `inside` is `at`, as the server sees it."""

    PACKAGES, USERS, GROUPS = [], [], []

    @classmethod
    def missing(cls):
        return missing_root(cls.NAME, *cls.PACKAGES)

    def _prepare(self):
        self.root = ROOT / "build/roots" / self.NAME
        self.name = self.NAME + "-" + uuid.uuid4().hex[:12]
        self.at, self.inside = self.root / "inst" / self.name, f"/inst/{self.name}"
        run_as_root("mkdir", "-p", self.at)
        run_as_root("chown", f"{os.getuid()}:{os.getgid()}", self.at)
        for line in self.USERS:
            self._add_line("etc/passwd", line.format(uid=self.uid, gid=self.gid))
        for line in self.GROUPS:
            self._add_line("etc/group", line)

    def _give_mail(self):
        self.give("mail", f"{self.uid}:{self.gid}")

    def _add_line(self, name, line):
        known = (self.root / name).read_text().splitlines()
        if not any(have.startswith(line.split(":")[0] + ":") for have in known):
            run_as_root("tee", "-a", self.root / name, input=line.encode() + b"\n", stdout=subprocess.DEVNULL)

    def give(self, folder, owner):
        """A folder of `at` to an owner in the root: a number, for names are not known here."""
        run_as_root("chown", "-R", owner, self.at / folder)

    def write_etc(self, name, text):
        """A file of its configuration, also when its folder was given away before."""
        run_as_root("tee", self.at / "etc" / name, input=text.encode(), stdout=subprocess.DEVNULL)

    def run_command(self):
        return [*as_root(), TOOL, "--run", self.NAME, *self.command()]

    def _kill(self):
        """By the first process of their namespace."""
        if first := namespace_init(self.child.pid):
            run_as_root("kill", "-KILL", first, check=False, stderr=subprocess.DEVNULL)

    def _remove(self):
        run_as_root("rm", "-rf", self.at, check=False)

    def _read(self, file):
        return run_as_root("cat", file, check=False, capture_output=True).stdout.decode(errors="replace")


class Script(Server):
    """A child of this process, with a folder of its own. A kind says run_command(). It logs lines `used [ADDRESS, [FEATURE...]]`."""

    CRLF = True

    def used(self, face):
        found = [json.loads("[" + line.partition("used [")[2]) for line in self.log().splitlines() if "used [" in line]
        return {name for address, names in found if address == face.address for name in names}

    def _prepare(self):
        self.at = Path(tempfile.mkdtemp(prefix=self.NAME + "-"))

    def _kill(self):
        self.child.send_signal(signal.SIGKILL)

    def _remove(self):
        shutil.rmtree(self.at, ignore_errors=True)

    def _read(self, file):
        return file.read_text(errors="replace")


def make_certificate(cert, key, names):
    """A self-signed one, good for these names."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "30", "-subj", "/CN=" + names[0], "-addext", "subjectAltName=" + ",".join("DNS:" + n for n in names),
                    "-keyout", key, "-out", cert], check=True, capture_output=True)


@contextlib.contextmanager
def server(kind, settings=None, tls=False, **more):
    """One server, taking mail for any domain from loopback. settings: more of its configuration, by name; more: its address
    and port, else a free port of 127.0.0.1; or faces; its certificate; refuse: {beginning of a local part: reply to RCPT}."""
    made = kind_of(kind)(settings, tls, **more)
    try:
        yield made.start()
    finally:
        made.stop()


def postfix(settings=None, tls=False):
    return server("postfix", settings, tls)
