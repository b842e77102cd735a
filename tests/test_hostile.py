"""Intruders and careless people: what is refused, in which words, and that nothing is lost or done behind their back."""
import array
import fcntl
import json
import os
import pty
import pwd
import re
import resource
import select
import signal
import socket
import subprocess
import termios
import time
import urllib.request

import pytest

from common import serve, stop, wait_for
from peers import free_port


def talk(lab, line, descriptors=()):
    """One request over the control socket; the open socket and, when wanted by the caller, its answer."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(str(lab.store / "control.sock"))
    s.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else [])
    return s


def answer(s):
    got = b""
    while not got.endswith(b"\n"):
        got += s.recv(65536) or b'{"closed": true}\n'
    return json.loads(got.splitlines()[-1])


def content(lab):
    """The content as the command line would hand it over, caught by a false server."""
    path = str(lab.folder / "false.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        child = lab.start("send", "--template", lab.template, "--to", lab.list, "--set", f"control.socket={path}")
        client, _ = listener.accept()
        _, ancillary, _, _ = client.recvmsg(65536, socket.CMSG_SPACE(64))
        client.sendall(b'{"ok":false,"kind":1,"error":"a\\u001b[2J\\nb\\u009b\\u202e"}\n')
        assert child.wait(20) == 1
    assert "a?[2J?b??\n" in (lab.folder / "send.log").read_text()
    fds = array.array("i")
    fds.frombytes(ancillary[0][2])
    os.close(fds[0])
    return fds[1]


def test_what_is_no_socket_stays(bare):
    precious = bare.write("precious", "all my work\n")
    done = bare.run("serve", "--set", f"control.socket={precious}", "--set", f"store.path={bare.folder / 's'}",
                    "--set", "run.user=" + pwd.getpwuid(os.geteuid()).pw_name, "--set", "metrics.listen=off")
    assert done.returncode == 1 and "precious is there and is no socket" in done.stderr
    assert precious.read_text() == "all my work\n"


def test_a_silent_list_holds_up_nothing(lab):
    lab.audience(10)
    payload = content(lab)
    server = serve(lab)
    read_end, write_end = os.pipe()
    waiting = talk(lab, b'{"do":"send","name":"silent"}\n', [read_end, payload])
    time.sleep(0.3)
    stop(server)
    waiting.close()
    assert lab.json("status")["campaigns"] == []
    child = lab.start("send", "--template", lab.template, "--to", f"/dev/fd/{read_end}", pass_fds=[read_end])
    time.sleep(1.5)
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 130
    os.close(read_end)
    os.close(write_end)


def test_a_client_that_leaves_takes_its_load_along(lab):
    lab.audience(2000)
    payload = content(lab)
    server = serve(lab)
    with open(lab.list) as people:
        talk(lab, b'{"do":"send","name":"left"}\n', [people.fileno(), payload]).close()
    time.sleep(1)
    assert lab.json("status")["campaigns"] == []
    with open(lab.list) as people, open("/etc/hostname") as foreign:
        told = answer(talk(lab, b'{"do":"send","name":"x"}\n', [people.fileno(), payload, foreign.fileno()]))
    assert not told["ok"] and "open for writing" in told["error"]
    for line in (b"\0\xff\n", b"[" * 60000 + b"\n", b'{"do":"' + b"x" * 70000 + b'"}\n', b"[]\n", b'{"do":{}}\n'):
        assert answer(talk(lab, line))["ok"] is False
    assert answer(talk(lab, b'{"do":"campaign","id":4294967297}\n'))["kind"] == 6
    stop(server)


def test_who_reads_slowly_keeps_nobody_from_the_metrics(lab):
    port = free_port()
    lab.configure(metrics__listen=f"127.0.0.1:{port}")
    server = serve(lab)
    slow = [socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0)) for _ in range(20)]
    for s in slow:
        try:
            s.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        except OSError:
            pass  # it is one too many
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        assert b"tsubame_build_info" in page.read()
    for s in slow:
        s.close()
    stop(server)


def test_a_closed_terminal_ends_in_good_order(lab):
    lab.audience(500)
    lab.configure(limits__messages_per_second=2, deliver__grace="5s")  # long enough to be interrupted
    master, slave = pty.openpty()
    def own_terminal():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, under which this may run, is respected
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(lab.command("send", "--template", lab.template, "--to", lab.list, "--name", "x"),
                             stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                             preexec_fn=own_terminal)
    lab.children.append(child)
    os.close(slave)
    wait_for(lambda: b" delivered" in os.read(master, 4096))
    os.close(master)
    assert child.wait(30) == 130
    campaign = lab.json("status")["campaigns"][0]
    assert campaign["uncertain"] == 0 and campaign["leased"] == 0 and campaign["pending"] > 0


def test_a_deleted_history_is_told(lab):
    lab.audience(50)
    for name in ("one", "more"):  # the second's checkpoints drop the blocks of the first
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", name)
    for file in lab.store.glob("history.db*"):
        file.unlink()
    words = "the history lacks blocks 1 to "
    assert words in lab.run("status").stdout and words in lab.json("status")["notes"][0]
    assert words in lab.run("report", "one").stdout and words in lab.json("report", "one")["notes"][0]
    assert words in lab.run("report", "one", "--recipients").stderr
    assert words in lab.run("message", "--to", "a@big.test", ok=(4,)).stderr
    lab.audience(50, "--seed", "9")
    told = lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "two")
    assert "level=error event=history-gap" in told.stderr and words in told.stderr
    lab.run("report", "two", "--verify")
    server = serve(lab)
    assert words in lab.run("status").stdout and words in lab.json("status")["notes"][0]
    stop(server)


def test_a_list_does_not_lead_into_our_own_network(lab):
    lab.audience(20)
    lab.configure(deliver__private_hosts=False, deliver__retry__first="200ms", deliver__retry__most="1s")
    done = lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "one", ok=(1,), timeout=60)
    assert "20 planned = 0 delivered + 20 failed + 0 pending" in done.stdout
    reasons = lab.json("report", "one")["reasons"]
    assert {r["state"] for r in reasons} == {"failed"}
    assert all("is on no public address: 127.1." in r["example"] for r in reasons)
    assert lab.truth.read_text().count("\n") == 1  # nothing was sent
    lab.configure()  # what was looked up before does not stand in the way
    assert "20 planned = " in lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "two").stdout
    assert lab.json("report", "two")["delivered"] > 10


@pytest.mark.parametrize("command", ["serve", "send"])
def test_a_stop_that_waits_for_the_disk_says_so(lab, command):
    lab.audience(400)
    lab.configure(limits__messages_per_second=20, deliver__grace="1s", log__level="warn")
    log, log_end = os.pipe()  # a file could not be written to either

    def full(pid, is_full):
        most = 8192 if is_full else resource.RLIM_INFINITY  # LMDB's two meta pages have their place on any disk
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def started(name, *args):
        child = lab.start(name, *args, stderr=log_end, stdout=subprocess.DEVNULL,
                          preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN), restore_signals=False)
        wait_for(lambda: child.poll() is not None or (lab.store / "ledger.mdb").exists())
        return child

    def said_until(words):
        text = b""
        while words not in text:
            assert select.select([log], [], [], 30)[0], text
            text += os.read(log, 65536)
        return text.decode()

    sending = ["send", "--template", lab.template, "--to", lab.list, "--name", "x"]
    child = started("serve") if command == "serve" else started(*sending)
    if command == "serve":
        wait_for(lambda: (lab.store / "control.sock").exists())
        lab.run(*sending, "--detach")
    wait_for(lambda: lab.truth.read_text().count("accepted") > 5)
    full(child.pid, True)
    time.sleep(0.5)
    child.send_signal(signal.SIGTERM)
    text = said_until(b"stop-waits")
    assert "a second signal ends at once" in text and re.search("for=.*(File too large|Input.output error)", text), text
    assert child.poll() is None
    full(child.pid, False)  # there is room again: it ends by itself
    assert child.wait(30) == (0 if command == "serve" else 130)
    child = started("serve") if command == "serve" else started("send", "--resume", "x")
    wait_for(lambda: lab.truth.read_text().count("accepted") > 30)
    full(child.pid, True)
    time.sleep(0.5)
    child.send_signal(signal.SIGTERM)
    said_until(b"stop-waits")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 130
    os.close(log)
    os.close(log_end)
    lab.run("send", "--resume", "x", "--set", "limits.messages_per_second=0")
    lab.export("x")
    lab.stop_sim()
    good, told = lab.check()
    assert good, told


def test_errors_name_file_and_place(bare):
    good = "email,name\na@b.test,Ann\n"
    bare.write("good.csv", good)
    lists = {"": "is empty", "email,name\n": "no row", "name;city\na;x\n": "line 1: no column looks like the address (email, mail, address...); there are: name, city",
             "email,name,name\na@b.test,x,y\n": "line 1: two columns are called 'name'",
             "email,name\nx,y\n\nalso bad,y\n": "none of the 2 rows can be used; the first, line 2: "}
    for where in ((), ("--dry-run",)):
        for text, words in lists.items():
            bare.write("bad.csv", text)
            done = bare.run("send", "--template", "t.yaml", "--to", "bad.csv", *where)
            assert done.returncode == 1 and f"tsubame: bad.csv: " in done.stderr and words in done.stderr, done
        for text in (b"email,name\na@b.test,M\xfcller\n", b"email,name\na@b.test,\xa4\xc0\xff\n"):
            (bare.folder / "bad.csv").write_bytes(text)
            done = bare.run("send", "--template", "t.yaml", "--to", "bad.csv", *where)
            assert done.returncode == 1 and "bad.csv: none of the 1 rows can be used; the first, line 2: " in done.stderr
            assert "UTF-8" in done.stderr
        bare.write("u.yaml", "from: a@b.example\nsubject: s\ntext: |\n  Dear\n  {{nme}}\n")
        done = bare.run("send", "--template", "u.yaml", "--to", "good.csv", *where)
        assert done.returncode == 1 and "tsubame: u.yaml: text, line 2, column 1: " in done.stderr, done
    done = bare.run("send", "--template", "t.yaml", "--to", "good.csv", "--rejects", "./good.csv")
    assert done.returncode == 2 and (bare.folder / "good.csv").read_text() == good
    done = bare.run("send", "--template", "t.yaml", "--to", "bad.csv", "--rejects", "nowhere/r.csv", "--dry-run")
    assert done.returncode == 1 and "nowhere/r.csv" in done.stderr and "are in nowhere" not in done.stderr
