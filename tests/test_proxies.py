"""Sources behind proxies that this project did not write: HAProxy with the PROXY protocol, microsocks and Dante with
SOCKS5. The receiver must see the connection come from the proxy's side; what the proxy refuses must be told as its words."""
import contextlib
import json
import subprocess

import pytest

import peers
from names import names
from receiver import Keeper, Receiver

PORT = peers.free_port()  # where all receivers listen
TEMPLATE = "from: A <a@swallow.example>\nsubject: hello\ntext: hello\n"


class Noting(Keeper):
    """Notes who has connected."""

    def __init__(self):
        super().__init__()
        self.peers = set()

    async def handle_DATA(self, server, session, envelope):
        self.peers.add(session.peer[0])
        return await super().handle_DATA(server, session, envelope)


@contextlib.contextmanager
def receiver(address):
    made = Receiver(address, PORT)
    made.handler = Noting()
    made.start()
    try:
        yield made.handler
    finally:
        made.stop()


class Proxy(peers.Rooted):
    HOST = "proxy.example"

    def is_up(self, s):
        return True


class HAProxy(Proxy):
    NAME, PACKAGES, FROM, PROTOCOL = "haproxy", ["haproxy"], "127.0.9.1", "haproxy"

    def write_config(self, settings):
        (self.at / "etc/haproxy.cfg").write_text(f"""\
defaults
    mode tcp
    retries 0
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen tsubame
    bind {self.address}:{self.port} accept-proxy
    use-server here if {{ src {self.FROM} }}
    server here 0.0.0.0:0 source {self.FROM}
    server other 0.0.0.0:0 source 127.0.9.99
""")

    def command(self):
        return ["/usr/sbin/haproxy", "-db", "-f", f"{self.inside}/etc/haproxy.cfg"]


class Microsocks(Proxy):
    NAME, PACKAGES, FROM, PROTOCOL = "microsocks", ["microsocks"], "127.0.9.2", "socks5"

    def write_config(self, settings):
        pass

    def command(self):
        return ["/usr/bin/microsocks", "-i", self.address, "-p", str(self.port), "-u", "me", "-P", "secret word",
                "-b", self.FROM]


class Dante(Proxy):
    NAME, PACKAGES, FROM, PROTOCOL = "dante", ["dante-server"], "127.0.0.1", "socks5"

    def write_config(self, settings):
        (self.at / "etc/danted.conf").write_text(f"""\
logoutput: stderr
internal: {self.address} port = {self.port}
external: lo
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: root
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks block {{ from: 0.0.0.0/0 to: 127.0.7.2/32 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
""")

    def command(self):
        return ["/usr/sbin/danted", "-f", f"{self.inside}/etc/danted.conf"]


@contextlib.contextmanager
def running(kind):
    if missing := peers.missing_root(kind.NAME, *kind.PACKAGES):
        pytest.skip(f"{kind.NAME}: {missing}")
    made = kind()
    try:
        yield made.start()
    finally:
        made.stop()


class Sender:
    """tsubame with one source behind a proxy; made-up domains d1.example and d2.example at 127.0.7.1 and 127.0.7.2."""

    def __init__(self, build, tmp_path, proxy):
        self.build, self.at, self.proxy = build, tmp_path, proxy
        (tmp_path / "proxy.password").write_text("secret word\nnot this\n")
        (tmp_path / "t.yaml").write_text(TEMPLATE)

    def configure(self, dns, **keys):
        proxy = {"protocol": self.proxy.PROTOCOL, "address": f"{self.proxy.address}:{self.proxy.port}"}
        if isinstance(self.proxy, Microsocks):
            proxy |= {"user": "me", "password_file": "proxy.password"}
        source = {"name": "far", "helo": "far.example", "proxy": proxy | keys}
        if self.proxy.PROTOCOL == "haproxy":
            source["address"] = self.proxy.FROM
        (self.at / "tsubame.yaml").write_text(json.dumps({
            "store": {"path": "data"}, "dns": {"servers": [dns]}, "sources": [source], "metrics": {"listen": "off"},
            "deliver": {"port": PORT, "private_hosts": True, "expire": "20s", "retry": {"first": "1s", "most": "2s"}}}))

    def run(self, *args):
        return subprocess.run([self.build / "program/tsubame", *args, "--config", self.at / "tsubame.yaml"],
                              capture_output=True, text=True, timeout=60)

    def send(self, domain, *args):
        (self.at / "list.csv").write_text("email\n" + "".join(f"p{i}@{domain}\n" for i in range(20)))
        return self.run("send", "--template", self.at / "t.yaml", "--to", self.at / "list.csv", "--name", domain, *args)


@contextlib.contextmanager
def table():
    with names({(f"d{i}.example", "MX"): [f"10 mx{i}.example."] for i in (1, 2)} |
               {(f"mx{i}.example", "A"): [f"127.0.7.{i}"] for i in (1, 2)}) as dns:
        yield dns


@pytest.mark.parametrize("kind", [HAProxy, Microsocks, Dante], ids=lambda k: k.NAME)
def test_mail_goes_through(build, tmp_path, kind):
    with running(kind) as proxy, table() as dns, receiver("127.0.7.1") as at:
        sender = Sender(build, tmp_path, proxy)
        sender.configure(dns)
        done = sender.send("d1.example")
        assert done.returncode == 0, done.stderr + proxy.log()
        assert len(at.kept) == 20 and at.peers == {proxy.FROM}
        shown = sender.run("config", "show").stdout
        assert "secret" not in done.stderr + shown
        assert isinstance(proxy, Microsocks) == ("proxy.user: me" in shown and "proxy.password" in shown)


@pytest.mark.parametrize("kind", [HAProxy, Microsocks, Dante], ids=lambda k: k.NAME)
def test_a_receiver_that_is_down(build, tmp_path, kind):
    """It is the receiver that is deferred, with the proxy's words, and the source goes on."""
    with running(kind) as proxy, table() as dns:
        sender = Sender(build, tmp_path, proxy)
        sender.configure(dns)
        (tmp_path / "tsubame.yaml").write_text((tmp_path / "tsubame.yaml").read_text().replace('"20s"', '"3s"'))
        done = sender.send("d1.example")
        assert done.returncode == 0 and "proxy-failed" not in done.stderr, done.stderr
        said = json.loads(sender.run("message", "--json", "--to", "p1@d1.example").stdout)[0]["events"]
        words = [event.get("text", "") for event in said if event["event"] == "deferred"]
        assert words and all("through proxy" in text for text in words), said


def test_a_password_that_is_wrong(build, tmp_path):
    with running(Microsocks) as proxy, table() as dns, receiver("127.0.7.1") as at:
        sender = Sender(build, tmp_path, proxy)
        sender.configure(dns)
        (tmp_path / "proxy.password").write_text("wrong\n")
        (tmp_path / "tsubame.yaml").write_text((tmp_path / "tsubame.yaml").read_text().replace('"20s"', '"3s"'))
        done = sender.send("d1.example")
        assert "event=proxy-failed source=far" in done.stderr and "refused user name and password" in done.stderr
        assert "wrong" not in done.stderr and not at.kept
        report = sender.run("report", "d1.example").stdout
        assert "20 expired" in report and "deferred" not in report, report


def test_rules_of_the_proxy(build, tmp_path):
    """127.0.7.2 is not allowed: it waits, 127.0.7.1 does not."""
    with running(Dante) as proxy, table() as dns, receiver("127.0.7.1") as one, receiver("127.0.7.2") as two:
        sender = Sender(build, tmp_path, proxy)
        sender.configure(dns)
        (tmp_path / "tsubame.yaml").write_text((tmp_path / "tsubame.yaml").read_text().replace('"20s"', '"3s"'))
        (tmp_path / "list.csv").write_text("email\na@d1.example\nb@d2.example\n")
        done = sender.run("send", "--template", tmp_path / "t.yaml", "--to", tmp_path / "list.csv", "--name", "both")
        assert len(one.kept) == 1 and not two.kept
        assert "its rules do not allow this connection" in done.stderr, done.stderr
        assert "1 delivered" in sender.run("report", "both").stdout
