"""The control socket: two servers that start at the same moment, and requests that are not as they should be."""
import fcntl
import json
import os
import socket
import subprocess
import time

ROUNDS = 5


def configure(folder, name):
    (folder / name).write_text(json.dumps({"store": {"path": name + ".data"}, "control": {"socket": "c.sock"},
                                           "metrics": {"listen": "off"}, "run": {"user": "root"}}))
    return folder / name


def ask(path, request):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(path))
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile().readline())


def serve(build, config):
    return subprocess.Popen([build / "program/tsubame", "serve", "--config", config], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for(path, children):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            return ask(path, {"do": "status"})
        except OSError:
            assert any(child.poll() is None for child in children), [child.stderr.read() for child in children]
            time.sleep(0.05)
    raise AssertionError("no server answers")


def end(children):
    for child in children:
        if child.poll() is None:
            child.terminate()
    return [child.communicate(timeout=60)[1] for child in children]


def test_one_of_two_that_start_together(build, tmp_path):
    """Each has a store of its own and both want one socket: one of them has it, and keeps it."""
    configs = [configure(tmp_path, name) for name in ("a.yaml", "b.yaml")]
    for _ in range(ROUNDS):
        children = [serve(build, config) for config in configs]
        try:
            wait_for(tmp_path / "c.sock", children)
            until = time.monotonic() + 30
            while all(child.poll() is None for child in children) and time.monotonic() < until:
                time.sleep(0.05)
            assert [child.poll() is None for child in children].count(True) == 1
            wait_for(tmp_path / "c.sock", children)  # the other took nothing away
        finally:
            said = end(children)
        assert sum("a server is running already" in text for text in said) == 1, said
        assert not (tmp_path / "c.sock").exists()


def test_between_looking_and_binding(build, tmp_path):
    """The moment in which another server has looked and not bound yet, held still: nothing is taken from it."""
    config = configure(tmp_path, "a.yaml")
    with open(tmp_path / "c.sock.lock", "w") as lock, socket.socket(socket.AF_UNIX) as dead:
        fcntl.flock(lock, fcntl.LOCK_EX)
        dead.bind(str(tmp_path / "c.sock"))  # and does not listen: as if left behind
        child = serve(build, config)
        said = child.communicate(timeout=60)[1]
        assert child.returncode != 0 and "starts just now" in said, said
        assert (tmp_path / "c.sock").exists()
    children = [serve(build, config)]
    try:
        wait_for(tmp_path / "c.sock", children)
    finally:
        end(children)


def test_nobody_else_can_hold_the_lock(build, tmp_path):
    """A lock that others may open they may hold: then no server would ever start."""
    (tmp_path / "c.sock.lock").touch(mode=0o644)
    children = [serve(build, configure(tmp_path, "a.yaml"))]
    try:
        wait_for(tmp_path / "c.sock", children)
        assert (tmp_path / "c.sock.lock").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "c.sock").stat().st_mode & 0o777 == 0o660
    finally:
        end(children)
    (tmp_path / "c.sock.lock").unlink()
    os.mkfifo(tmp_path / "c.sock.lock")  # nor keep it waiting
    children = [serve(build, tmp_path / "a.yaml")]
    try:
        wait_for(tmp_path / "c.sock", children)
    finally:
        end(children)


def test_addresses_of_a_wrong_type(build, tmp_path):
    children = [serve(build, configure(tmp_path, "a.yaml"))]
    try:
        wait_for(tmp_path / "c.sock", children)
        for wrong in ({}, {"addresses": "a@b.example"}, {"addresses": {"address": "a@b.example"}}, {"addresses": None}):
            answer = ask(tmp_path / "c.sock", {"do": "suppress", "change": "add", **wrong})
            assert not answer["ok"] and "expected a list of addresses" in json.dumps(answer), answer
    finally:
        end(children)
