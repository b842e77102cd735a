"""The crash kit itself: what survives a power cut, and what does not."""
import os
import subprocess
from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[2] / "build/release/tests"


class Disk:
    """A data directory under libpowercut; `run` does operations and dies as by kill -9."""

    def __init__(self, base):
        self.data, self.journal = base / "data", base / "journal"
        self.data.mkdir()
        self.journal.mkdir()

    def run(self, script):
        env = dict(os.environ, LD_PRELOAD=str(KIT / "libpowercut.so"), POWERCUT_DIR=str(self.data),
                   POWERCUT_JOURNAL=str(self.journal))
        done = subprocess.run([KIT / "powercut-probe", *script.split()], cwd=self.data, env=env,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == -9, done.stderr

    def cut(self, seed=None):
        more = [] if seed is None else ["--seed", str(seed)]
        subprocess.run([KIT / "powercut-undo", self.data, self.journal, *more], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)
        assert not list(self.journal.iterdir())

    def files(self):
        return {str(p.relative_to(self.data)): p.read_text() for p in self.data.rglob("*") if p.is_file()}


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path)
    (made.data / "old").write_text("0123456789")  # there since long ago: durable
    return made


OLD = "0123456789"
TABLE = [
    # operations, what is left after all that was not synced is undone
    ("write old 2 AB", {"old": OLD}),
    ("write old 2 AB sync old", {"old": "01AB456789"}),
    ("write old 2 AB sync old write old 3 xyz", {"old": "01AB456789"}),
    ("write old 2 AB write old 3 xyz append old tail", {"old": OLD}),
    ("append old tail sync old append old gone", {"old": OLD + "tail"}),
    ("write old 20 far", {"old": OLD}),
    ("truncate old 4", {"old": OLD}),
    ("truncate old 4 sync old", {"old": "0123"}),
    ("truncate old 4 append old more", {"old": OLD}),
    ("truncate old 100", {"old": OLD}),
    # written through: survives alone, over earlier and under later writes
    ("through old 2 AB", {"old": "01AB456789"}),
    ("write old 0 abcdef through old 2 XY write old 3 zz", {"old": "01XY456789"}),
    ("append old tail through old 12 XY", {"old": OLD + "\0\0XY"}),
    # names
    ("create new sync new", {"old": OLD}),
    ("create new append new hello sync new", {"old": OLD}),
    ("create new append new hello syncdir .", {"old": OLD, "new": ""}),
    ("create new append new hello sync new syncdir .", {"old": OLD, "new": "hello"}),
    ("rename old moved", {"old": OLD}),
    ("rename old moved syncdir .", {"moved": OLD}),
    ("create new append new N sync new rename new old", {"old": OLD}),
    ("create new append new N sync new syncdir . rename new old", {"old": OLD, "new": "N"}),
    ("create new append new N sync new rename new old syncdir .", {"old": "N"}),
    ("unlink old", {"old": OLD}),
    ("write old 0 AB unlink old", {"old": OLD}),
    ("unlink old syncdir .", {}),
    ("unlink old create old append old fresh sync old", {"old": OLD}),
    ("link old twin", {"old": OLD}),
    ("link old twin syncdir .", {"old": OLD, "twin": OLD}),
    ("mkdir sub create sub/f append sub/f x sync sub/f syncdir sub", {"old": OLD}),
    ("mkdir sub syncdir . list sub create sub/f", {"old": OLD}),
    ("mkdir sub syncdir . create sub/f append sub/f x sync sub/f", {"old": OLD}),
    ("mkdir sub syncdir . create sub/f append sub/f x sync sub/f syncdir sub", {"old": OLD, "sub/f": "x"}),
]


@pytest.mark.parametrize("script,left", TABLE, ids=[row[0] for row in TABLE])
def test_what_is_left(disk, script, left):
    disk.run(script)
    disk.cut()
    assert disk.files() == left


def test_without_a_cut_all_is_there(disk):
    disk.run("write old 2 AB create new append new x")
    assert disk.files() == {"old": "01AB456789", "new": "x"}


def test_a_process_killed_before_leaves_its_unsynced_writes(disk):
    disk.run("write old 0 AB sync old write old 2 CD")
    disk.run("write old 4 EF")
    disk.cut()
    assert disk.files() == {"old": "AB23456789"}


def test_a_later_sync_covers_what_a_killed_process_wrote(disk):
    disk.run("write old 2 CD")
    disk.run("write old 4 EF sync old")
    disk.cut()
    assert disk.files() == {"old": "01CDEF6789"}


def test_chance_reorders_blocks_but_keeps_what_was_synced(disk):
    seen = set()
    for seed in range(24):
        (disk.data / "old").write_bytes(b"." * 4096 * 4)
        disk.run("write old 0 S sync old write old 1 a write old 4096 b write old 8192 c write old 4097 d")
        disk.cut(seed)
        text = (disk.data / "old").read_text()
        assert len(text) == 4096 * 4 and text[0] == "S"
        seen.add((text[1], text[4096], text[4097], text[8192]))
    assert (".", ".", ".", "c") in seen or ("a", ".", ".", "c") in seen  # a later write without an earlier one
    assert any(s[1] == "b" and s[2] == "." for s in seen)  # some writes of a block
    assert not any(s[1] == "." and s[2] == "d" for s in seen)  # within a block in their order
    assert len(seen) > 4


def test_the_same_seed_gives_the_same_state(disk, tmp_path):
    states = []
    for _ in range(2):
        (disk.data / "old").write_bytes(b"." * 4096 * 8)
        disk.run("write old 1 a write old 4096 b write old 8192 c append old tail")
        disk.cut(5)
        states.append(disk.files())
    assert states[0] == states[1]


def test_threads_lose_only_what_no_sync_followed(disk):
    """Of each thread's blocks those before its last fdatasync stand; none is torn."""
    (disk.data / "old").write_bytes(b"." * 512 * 8 * 40)
    disk.run("threads old 8 38")
    disk.cut()
    blocks = (disk.data / "old").read_bytes()
    for who in range(8):
        mine = [blocks[(i * 8 + who) * 512:(i * 8 + who + 1) * 512] for i in range(40)]
        whole = [i for i, b in enumerate(mine) if b == bytes([97 + who]) * 512]
        assert all(b in (bytes([97 + who]) * 512, b"." * 512) for b in mine)
        assert set(range(36)) <= set(whole) <= set(range(38))


def test_real_databases_survive(disk):
    """SQLite in WAL mode: a committed transaction stands after a power cut, and the database is sound."""
    script = (
        "import os,signal,sqlite3\n"
        "c=sqlite3.connect('db',isolation_level=None)\n"
        "c.execute('pragma journal_mode=wal');c.execute('pragma synchronous=full')\n"
        "c.execute('create table t(x)')\n"
        "for i in range(50): c.execute('insert into t values(?)',(i,))\n"
        "os.fsync(os.open('.',os.O_RDONLY))\n"
        "c.execute('insert into t values(99)')\n"
        "c.execute('pragma synchronous=off');c.execute('insert into t values(100)')\n"
        "os.kill(os.getpid(),signal.SIGKILL)\n")
    env = dict(os.environ, LD_PRELOAD=str(KIT / "libpowercut.so"), POWERCUT_DIR=str(disk.data),
               POWERCUT_JOURNAL=str(disk.journal))
    done = subprocess.run(["/usr/bin/python3", "-c", script], cwd=disk.data, env=env, capture_output=True, timeout=60)
    assert done.returncode == -9, done.stderr
    disk.cut()
    import sqlite3
    rows = [r[0] for r in sqlite3.connect(disk.data / "db").execute("select x from t")]
    assert rows == list(range(50)) + [99]
