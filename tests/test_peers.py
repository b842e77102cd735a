"""The foreign servers themselves: a mail handed over by swaks arrives byte for byte, and nothing stays behind."""
import subprocess
from pathlib import Path

import pytest

import peers


def swaks(server, *more):
    done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(server.port), "--from", "a@sender.example",
                           "--to", "b@rcpt.example", "--ehlo", "client.example", *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def space_of(process):
    """Its process namespace; nothing once it has ended."""
    return peers.run_as_root("readlink", f"/proc/{process}/ns/pid", check=False, capture_output=True).stdout


def processes_in(space):
    return [p.name for p in Path("/proc").glob("[0-9]*") if space_of(p.name) == space]


def test_a_mail_arrives(kind):
    with peers.server(kind) as server:
        swaks(server, "--header", "Subject: hello", "--body", "first line\n.second\n")
        mail = server.wait_for_mails(1)[0]
        space = space_of(peers.namespace_init(server.child.pid))
        assert processes_in(space)
    head, _, body = mail.partition(b"\n\n")
    assert b"b@rcpt.example" in head and b"Subject: hello" in head
    assert body.startswith(b"first line\n.second\n")
    assert not processes_in(space) and not server.at.exists()


def test_a_mail_arrives_by_starttls(kind):
    if "tls" in peers.kind_of(kind).LACKS:
        pytest.skip(peers.kind_of(kind).LACKS["tls"])
    with peers.server(kind, tls=True) as server:
        assert "TLS started" in swaks(server, "--tls")
        assert server.wait_for_mails(1)


def test_two_at_once_do_not_meet(kind):
    with peers.server(kind) as one, peers.server(kind) as two:
        swaks(one)
        one.wait_for_mails(1)
        assert not two.mails()
