"""Foreign servers for tests, from a private root: started and stopped by their process, on loopback ports.

    with postfix() as server:
        ... send to 127.0.0.1:server.port ...
        server.wait_for_mails(1)

`missing()` says in a sentence why they can't be had here, or gives None.
"""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools/private-root"
PACKAGES = ["postfix", "ssl-cert"]
START_S = 20

MAIN_CF = {
    "compatibility_level": "3.6",
    "queue_directory": "{at}/spool",
    "data_directory": "{at}/data",
    "command_directory": "/usr/sbin",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "shlib_directory": "/usr/lib/postfix",
    "meta_directory": "/etc/postfix",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "maillog_file": "/var/log/{name}.log",
    "myhostname": "mx.postfix.example",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "smtp_dns_support_level": "disabled",
    "mydestination": "",
    "alias_maps": "",
    "local_recipient_maps": "",
    "mynetworks": "127.0.0.0/8",
    "biff": "no",
    # Whatever the address, into one maildir.
    "virtual_mailbox_domains": "static:all",
    "virtual_mailbox_maps": "static:all/",
    "virtual_mailbox_base": "{at}/mail",
    "virtual_uid_maps": "static:{uid}",
    "virtual_gid_maps": "static:{gid}",
    "virtual_minimum_uid": "1",
    "virtual_mailbox_limit": "0",
    "smtpd_recipient_restrictions": "permit_mynetworks,reject",
    "smtpd_client_connection_count_limit": "0",
    "message_size_limit": "52428800",
}
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def as_root():
    """What to put before a command to run it as root, or None when that is not possible."""
    if os.geteuid() == 0:
        return []
    probe = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True)
    return ["sudo", "-n"] if probe and probe.returncode == 0 else None


_missing = ()


def missing():
    global _missing
    if _missing == ():
        _missing = _find_missing()
    return _missing


def _find_missing():
    prefix = as_root()
    if prefix is None:
        return "foreign servers need root for their private root"
    if subprocess.run([*prefix, "unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        return "foreign servers need mount and process namespaces, which are not allowed here"
    made = subprocess.run([*prefix, TOOL, "peers", *PACKAGES], capture_output=True, text=True, timeout=600)
    return made.stderr.strip() or "tools/private-root failed" if made.returncode else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def add_line(path, line):
    key = line.split(":")[0]
    if not any(have.startswith(key + ":") for have in path.read_text().splitlines()):
        with open(path, "a") as out:
            out.write(line + "\n")


def namespace_init(pid):
    """Process 1 of the namespace that `pid` (unshare, or sudo before it) made: all others there end with it."""
    status = Path(f"/proc/{pid}/status").read_text()
    if len(next(line for line in status.splitlines() if line.startswith("NSpid:")).split()) > 2:
        return pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(filter(None, (namespace_init(int(child)) for child in children)), None)


class Postfix:
    def __init__(self, settings, tls):
        self.root = ROOT / "build/roots/peers"
        self.name = "postfix-" + uuid.uuid4().hex[:12]
        self.at = self.root / "inst" / self.name
        self.port = free_port()
        self.uid = os.getuid() or 65534
        self.child = None
        self._configure(settings, tls)

    def _configure(self, settings, tls):
        add_line(self.root / "etc/passwd", "postfix:x:950:950::/nonexistent:/usr/sbin/nologin")
        add_line(self.root / "etc/group", "postfix:x:950:")
        add_line(self.root / "etc/group", "postdrop:x:951:")
        for name in ("etc", "spool", "data", "mail/all"):
            (self.at / name).mkdir(parents=True)
        os.chown(self.at / "data", 950, 950)
        for name in ("mail", "mail/all"):
            os.chown(self.at / name, self.uid, os.getgid() or 65534)
        values = {**MAIN_CF, **(self._certificate() if tls else {}), **settings}
        fill = {"at": f"/inst/{self.name}", "name": self.name, "uid": self.uid, "gid": os.getgid() or 65534}
        lines = [f"{key} = {value.format(**fill)}" for key, value in values.items()]
        (self.at / "etc/main.cf").write_text("\n".join(lines) + "\n")
        (self.at / "etc/master.cf").write_text(MASTER_CF.format(port=self.port))

    def _certificate(self):
        key, cert = self.at / "etc/key.pem", self.at / "etc/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                        "/CN=mx.postfix.example", "-addext", "subjectAltName=DNS:mx.postfix.example",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        return {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
                "smtpd_tls_cert_file": "{at}/etc/cert.pem", "smtpd_tls_key_file": "{at}/etc/key.pem"}

    def start(self, **more):
        self.child = subprocess.Popen([*as_root(), TOOL, "--run", "peers", "/usr/sbin/postfix", "-c",
                                       f"/inst/{self.name}/etc", "start-fg"], stdin=subprocess.DEVNULL,
                                      stdout=open(self.at / "out", "w"), stderr=subprocess.STDOUT, **more)
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.child.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as s:
                if s.recv(3) == b"220":
                    return self
            time.sleep(0.1)
        self.stop(keep=True)
        raise RuntimeError("Postfix did not start: " + (self.at / "out").read_text() + self.log())

    def stop(self, keep=False):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            master = self.child.poll() is None and namespace_init(self.child.pid)
            if master:
                subprocess.run([*as_root(), "kill", f"-{sign.value}", str(master)], stderr=subprocess.DEVNULL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(10)
        if not keep:
            shutil.rmtree(self.at, ignore_errors=True)
            self._log().unlink(missing_ok=True)

    def _log(self):
        return self.root / f"var/log/{self.name}.log"

    def log(self):
        return self._log().read_text(errors="replace") if self._log().exists() else ""

    def mails(self):
        """The mails that arrived, as bytes, each with Postfix's own trace header lines on top."""
        return [p.read_bytes() for p in sorted((self.at / "mail/all/new").glob("*"))]

    def wait_for_mails(self, count, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if len(self.mails()) >= count:
                return self.mails()
            time.sleep(0.1)
        raise AssertionError(f"{len(self.mails())} of {count} mails arrived; log:\n{self.log()[-3000:]}")


@contextlib.contextmanager
def postfix(settings=None, tls=False):
    """Debian's Postfix, taking mail for any domain from loopback. settings: more of main.cf."""
    server = Postfix(settings or {}, tls)
    try:
        yield server.start()
    finally:
        server.stop()
