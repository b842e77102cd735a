"""What an operator relies on: a log that can be rotated, and a store that root leaves to its owner."""
import os
import pwd
import signal
import subprocess
import time

import pytest

NOBODY = pwd.getpwnam("nobody")


class Service:
    """`serve` with a configuration in a folder of its own."""

    def __init__(self, build, folder):
        self.program, self.folder, self.child = build / "program/tsubame", folder, None

    def configure(self, more=""):
        (self.folder / "tsubame.yaml").write_text("store.path: data\nmetrics.listen: off\nstore.reserve: 1m\n" + more)

    def start(self):
        self.child = subprocess.Popen([self.program, "serve"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                      stderr=open(self.folder / "stderr", "a"))
        until = time.monotonic() + 60
        while '"running":true' not in self.run("status", "--json").stdout.replace(" ", ""):
            assert self.child.poll() is None and time.monotonic() < until, (self.folder / "stderr").read_text()
            time.sleep(0.1)

    def run(self, *args, **more):
        return subprocess.run([self.program, *args], cwd=self.folder, capture_output=True, text=True, timeout=60, **more)

    def stop(self):
        if self.child:
            self.child.send_signal(signal.SIGTERM)
            self.child.wait(60)
            self.child = None


@pytest.fixture
def service(build, tmp_path):
    it = Service(build, tmp_path)
    yield it
    it.stop()


def wait_for(path, text):
    until = time.monotonic() + 30
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < until, path.read_text() if path.exists() else f"no {path}"
        time.sleep(0.1)


ROOT_MAY = "run.user: root\n" if os.geteuid() == 0 else ""


def test_a_log_file_is_opened_anew_with_sighup(service, tmp_path):
    log, old = tmp_path / "tsubame.log", tmp_path / "tsubame.log.1"
    service.configure(ROOT_MAY + "log.file: tsubame.log\n")
    service.start()
    wait_for(log, "event=ready")
    log.rename(old)
    service.child.send_signal(signal.SIGHUP)
    wait_for(log, "event=reloaded")
    assert "event=reloaded" not in old.read_text()
    service.stop()
    assert "event=stopped" in log.read_text() and "event=stopped" not in old.read_text()
    assert (tmp_path / "stderr").read_text() == ""


def test_a_log_file_may_come_and_go(service, tmp_path):
    log = tmp_path / "tsubame.log"
    service.configure(ROOT_MAY)
    service.start()
    service.configure(ROOT_MAY + "log.file: tsubame.log\n")
    service.child.send_signal(signal.SIGHUP)
    wait_for(log, "event=reloaded")
    service.configure(ROOT_MAY + "log.file: absent/tsubame.log\n")
    service.child.send_signal(signal.SIGHUP)
    wait_for(log, "event=reload-failed")
    service.configure(ROOT_MAY)
    service.child.send_signal(signal.SIGHUP)
    wait_for(tmp_path / "stderr", "event=reloaded")


def test_a_log_file_that_cannot_be_opened_is_told_at_once(service):
    service.configure(ROOT_MAY + "log.file: absent/tsubame.log\n")
    done = service.run("serve")
    assert done.returncode == 1 and "log.file" in done.stderr and "absent/tsubame.log" in done.stderr


def test_a_log_file_that_nobody_reads_holds_up_nothing(service, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    service.configure(ROOT_MAY + "log.file: fifo\n")
    done = service.run("serve")
    assert done.returncode == 1 and "log.file" in done.stderr


@pytest.fixture
def others(service, tmp_path):
    """A store of nobody's, in a folder where root works."""
    if os.geteuid():
        pytest.skip("needs root")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0 and str(folder).startswith("/tmp/pytest"):
            folder.chmod(0o755)
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", NOBODY.pw_uid, NOBODY.pw_gid)
    (tmp_path / "news.yaml").write_text('from: "a@example.com"\nsubject: x\ntext: x\n')
    (tmp_path / "list.csv").write_text("email\na@none.invalid\n")
    service.configure("dns.servers: 127.0.0.1:9\n")
    return service


def owners(folder):
    return {path.stat().st_uid for path in [folder, *folder.rglob("*")]}


def test_root_leaves_a_store_to_its_owner(others, tmp_path):
    sent = others.run("send", "-t", "news.yaml", "--to", "list.csv", "--name", "x", "--hold")
    assert sent.returncode == 0, sent.stderr
    (tmp_path / "data/ledger.mdb-lock").unlink()  # a reader makes it anew
    for command in (["status"], ["report", "x"], ["message", "--to", "a@none.invalid"], ["cancel", "x", "--yes"],
                    ["suppress", "add", "b@none.invalid"]):
        done = others.run(*command)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert owners(tmp_path / "data") == {NOBODY.pw_uid}


def test_a_new_store_is_that_of_the_services_user(others, tmp_path):
    others.configure("dns.servers: 127.0.0.1:9\nrun.user: nobody\nstore.path: new\n")
    (tmp_path / "tsubame.yaml").write_text((tmp_path / "tsubame.yaml").read_text().replace("store.path: data\n", ""))
    sent = others.run("send", "-t", "news.yaml", "--to", "list.csv", "--name", "x", "--hold")
    assert sent.returncode == 0, sent.stderr
    assert owners(tmp_path / "new") == {NOBODY.pw_uid}


def test_who_may_not_open_it_is_told_what_to_do(others, tmp_path):
    (tmp_path / "data").chmod(0o700)
    done = others.run("report", "x", user=65533, group=65533)
    assert done.returncode == 1 and "belongs to the user nobody" in done.stderr and "runuser -u nobody" in done.stderr
