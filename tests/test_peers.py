"""The foreign servers themselves: a mail handed over by swaks arrives byte for byte."""
import subprocess


def swaks(server, *more):
    done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(server.port), "--from", "a@sender.example",
                           "--to", "b@rcpt.example", "--ehlo", "client.example", *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_mail_arrives_at_postfix(foreign):
    with foreign.postfix() as server:
        swaks(server, "--header", "Subject: hello", "--body", "first line\n.second\n")
        mail = server.wait_for_mails(1)[0]
    head, _, body = mail.partition(b"\n\n")
    assert b"Delivered-To: b@rcpt.example" in head and b"Subject: hello" in head
    assert body.startswith(b"first line\n.second\n")


def test_postfix_with_starttls(foreign):
    with foreign.postfix(tls=True) as server:
        assert "TLS started" in swaks(server, "--tls")
        assert server.wait_for_mails(1)


def test_two_at_once_do_not_meet(foreign):
    with foreign.postfix() as one, foreign.postfix() as two:
        swaks(one)
        one.wait_for_mails(1)
        assert not two.mails()
