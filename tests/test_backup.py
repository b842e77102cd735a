"""Backup, restore and the move to another machine, as docs/backup.md tells them: what is not sent twice, what is held
and why, and that nothing half is left behind."""
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter


from common import FAST, ROOT, equation_holds, laboratory, rows_of, serve, stop, wait_for


def other_machine(lab, tmp_path, **values):
    """Another folder, configuration and store; the same internet."""
    other = object.__new__(laboratory.Lab)
    other.__dict__.update(lab.__dict__)
    other.folder, other.children, other.sim = tmp_path / "other", [], None
    other.folder.mkdir()
    other.store, other.config = other.folder / "data", other.folder / "tsubame.yaml"
    other.configure(**{**FAST, **values})
    lab.children_of_other = other.children
    return other


def accepted(lab):
    return Counter(r["rcpt"].lower() for r in laboratory.read_tsv(lab.truth) if r["event"].startswith("accepted"))


def under_load(lab, rate=150, people=600):
    lab.audience(people)
    lab.configure(**FAST, limits__messages_per_second=rate)
    server = serve(lab)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "spring", "--detach")
    wait_for(lambda: sum(accepted(lab).values()) > 100)
    return server


def states_in(lab, campaign):
    return {r["address"].lower(): r for r in rows_of(lab.run("report", campaign, "--recipients").stdout)}


def test_a_backup_under_load_sends_nothing_twice_that_it_knew(lab, tmp_path):
    server = under_load(lab)
    backup = tmp_path / "backup"
    lab.run("backup", backup)
    wait_for(lambda: sum(accepted(lab).values()) > 250)
    server.kill()  # this machine is gone
    server.wait()
    other = other_machine(lab, tmp_path)
    told = other.json("restore", backup)
    assert told["final"] is False and len(told["held"]) == 1 and told["store"] == str(other.store)
    known = states_in(other, "spring")
    delivered = {a for a, r in known.items() if r["state"] == "delivered"}
    assert 50 < len(delivered) < 300
    before = accepted(lab)
    server = serve(other)
    note = other.json("status")["notes"]
    assert any("restored from the backup of 20" in n and "1 (spring)" in n for n in note), note
    assert "Note: restored from the backup of" in other.run("status").stdout
    assert other.json("status")["campaigns"][0]["state"] == "held"
    time.sleep(0.5)
    assert accepted(lab) == before  # nothing by itself
    other.run("resume", "spring")
    wait_for(lambda: other.json("status")["campaigns"][0]["pending"] == 0, 60)
    assert not other.json("status")["notes"]  # the note goes when nothing is held any more
    stop(server)
    report = other.json("report", "spring")
    assert equation_holds(report)
    other.run("report", "spring", "--verify")
    copies = accepted(lab)
    assert not [a for a in delivered if copies[a] != 1]
    after = states_in(other, "spring")
    assert all(copies[a] >= 1 for a, r in after.items() if r["state"] == "delivered")
    # A second copy went only to those who were pending or uncertain in the backup and got theirs since.
    assert {a for a, n in copies.items() if n > 1} <= {a for a in known if known[a]["state"] != "delivered"}
    assert not [a for a, n in copies.items() if n > 2]


def test_a_move_holds_nothing_and_sends_nothing_twice(lab, tmp_path):
    server = under_load(lab)
    final = tmp_path / "final"
    refused = lab.run("backup", "--final", final, ok=(5,))
    assert "end it first" in refused.stderr and not final.exists()
    stop(server)
    lab.run("backup", "--final", final)
    stopped = lab.run("serve", ok=(1, 2))
    assert f"was moved: its final backup is {final}" in stopped.stderr
    lab.run("report", "spring", "--verify")  # it can still be read
    other = other_machine(lab, tmp_path)
    told = other.json("restore", final)
    assert told["final"] is True and told["held"] == []
    server = serve(other)
    wait_for(lambda: other.json("status")["campaigns"][0]["pending"] == 0, 60)
    stop(server)
    other.ledger = lab.ledger
    other.export("spring")
    lab.stop_sim()
    good, text = lab.check()
    assert good, text
    assert not laboratory.account(lab.list, lab.truth, lab.ledger)


def test_the_copied_folder_of_a_stopped_server_goes_on(lab, tmp_path):
    server = under_load(lab)
    stop(server)
    other = other_machine(lab, tmp_path)
    subprocess.run(["cp", "-a", lab.store, other.store], check=True)
    assert other.json("status")["campaigns"][0]["state"] == "ready"
    other.run("send", "--resume", "spring")
    lab.ledger = other.ledger
    other.export("spring")
    lab.stop_sim()
    assert not laboratory.account(lab.list, lab.truth, lab.ledger)


def test_resume_with_the_restore(lab, tmp_path):
    lab.audience(20)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "a", "--hold")
    lab.run("resume", "a")
    lab.run("backup", tmp_path / "b")
    other = other_machine(lab, tmp_path)
    assert other.json("restore", "--resume", tmp_path / "b")["held"] == []
    assert other.json("status")["campaigns"][0]["state"] == "ready" and other.json("status")["notes"] == []
    other.run("send", "--resume", "a")
    again = other.run("restore", tmp_path / "b", ok=(2, 1))
    assert "move it away first" in again.stderr
    again = other.run("restore", tmp_path / "b", "--to", other.folder / "new" / "deep", ok=(1,))
    assert "deep.partial" in again.stderr and not (other.folder / "new").exists()
    os.mkdir(other.folder / "empty")
    assert "1 unfinished campaign is held" in other.run("restore", tmp_path / "b", "--to", other.folder / "empty").stdout


def test_what_was_held_before_the_backup_is_named_too(lab, tmp_path):
    """It may have gone on after the backup: who resumes it must know that as of any other."""
    lab.audience(20)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "a", "--hold")
    lab.run("backup", tmp_path / "b")
    lab.run("send", "--resume", "a")
    other = other_machine(lab, tmp_path)
    assert other.json("restore", tmp_path / "b")["held"] == [{"id": 1}]
    assert "what was sent after it is not known here" in other.run("status").stdout


DAMAGE = {
    "cut": (lambda b: os.truncate(b / "ledger.mdb", 8192), "ledger.mdb has 8192 bytes, not "),
    "changed": (lambda b: flip(next((b / "segments").iterdir()), 40), "is damaged: its hash is another"),
    "history": (lambda b: flip(b / "history.db", 5000), "history.db is damaged"),
    "missing": (lambda b: next((b / "segments").iterdir()).unlink(), ".seg is missing"),
    "list": (lambda b: flip(b / "MANIFEST", 60), "its MANIFEST is damaged"),
    "half": (lambda b: (b / "MANIFEST").unlink(), "it has no MANIFEST: no backup, or one that was cut short"),
}


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 4]))


def test_a_damaged_backup_is_refused(lab, tmp_path):
    lab.audience(50)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "a")
    lab.run("backup", tmp_path / "whole")
    other = other_machine(lab, tmp_path)
    assert "It is whole." in other.run("restore", "--check", tmp_path / "whole").stdout
    for name, (damage, words) in DAMAGE.items():
        backup = tmp_path / name
        shutil.copytree(tmp_path / "whole", backup)
        damage(backup)
        for how in ((), ("--check",)):
            done = other.run("restore", *how, backup, ok=(1, 2, 4))
            assert words in done.stderr, (name, done.stderr)
            assert not list(other.folder.glob("data*")), name
    assert "is a backup" in lab.run("serve", "--set", f"store.path={tmp_path / 'whole'}", ok=(1, 2)).stderr


def with_room(most):
    """A disk that is full: no file may grow beyond `most` bytes."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    return limit


def test_a_full_disk_leaves_nothing_half(lab, tmp_path):
    lab.audience(3000)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "a", "--hold")
    lab.run("backup", tmp_path / "whole")
    other = other_machine(lab, tmp_path)
    size = max(f.stat().st_size for f in (tmp_path / "whole").rglob("*") if f.is_file())
    for most in (8192, 20000, size - 1):
        for lab_, args in ((lab, ("backup", tmp_path / "b")), (other, ("restore", tmp_path / "whole"))):
            done = subprocess.run(lab_.command(*args, "--set", "store.reserve=1m"), capture_output=True, text=True,
                                  preexec_fn=with_room(most), restore_signals=False, timeout=60)
            assert done.returncode in (1, 5), (args, most, done)
        assert not (tmp_path / "b").exists() and not (tmp_path / "b.partial").exists()
        assert not list(other.folder.glob("data*"))
    lab.run("backup", tmp_path / "b")
    other.run("restore", tmp_path / "b")
    assert other.json("status")["campaigns"][0]["pending"] == 3000


def commands_of_the_manual():
    text = (ROOT / "docs/backup.md").read_text()
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines() if line]


def test_the_commands_of_the_manual(lab, tmp_path):
    """Each line of docs/backup.md, in its order, with its paths put into this folder."""
    lab.audience(30)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "spring-news", "--hold")
    lab.run("resume", "spring-news")
    root = tmp_path / "root"
    for name in ("var/lib", "var/backups", "etc", "mnt"):
        (root / name).mkdir(parents=True)
    lab.store.rename(root / "var/lib/tsubame")
    lab.store = root / "var/lib/tsubame"
    lab.configure(**FAST)
    environment = {**os.environ, "TSUBAME_CONFIG": str(lab.config), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tsubame").symlink_to(lab.program)
    (tmp_path / "bin/systemctl").write_text("#!/bin/sh\nexit 0\n")  # nothing runs here
    (tmp_path / "bin/systemctl").chmod(0o755)
    (tmp_path / "bin/rsync").write_text("#!/bin/sh\nshift\ncp -a \"$1\" \"${2#new.example.com:}\"\n")
    (tmp_path / "bin/rsync").chmod(0o755)
    ran = 0
    for line in commands_of_the_manual():
        here = re.sub(r"(?<![\w.])(?=/(var|mnt|etc)/)", str(root), line.replace("new.example.com:/", "/"))
        done = subprocess.run(["bash", "-c", here], env=environment, capture_output=True, text=True, cwd=tmp_path,
                              timeout=60)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        ran += 1
    assert ran >= 10
    status = lab.json("status")
    assert status["campaigns"][0]["state"] == "ready" and status["campaigns"][0]["pending"] == 30
