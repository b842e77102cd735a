"""The demo must fail when ledger and truth disagree: else its green says nothing."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COUNT = 400


def demo(*args):
    return subprocess.run([ROOT / "tools/demo", *map(str, args)], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    done = demo("--recipients", COUNT, "--folder", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def copy(played, tmp_path):
    for name in ("list.csv", "truth.tsv", "ledger.tsv"):
        shutil.copy(played / name, tmp_path)
    return tmp_path


def change(path, pattern, to):
    """Replaces the first line that matches."""
    lines = path.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if re.search(pattern, line))
    lines[at] = re.sub(pattern, to, lines[at]) if to is not None else ""
    path.write_text("".join(lines))


def test_what_the_demo_left_is_found_good_again(copy):
    done = demo("--verify", copy)
    assert done.returncode == 0, done.stdout


BREAKS = [
    ("ledger.tsv", r"\tdelivered\b", "\tfailed", "called failed, but it was delivered"),
    ("ledger.tsv", r"\tfailed\b", "\tdelivered", "called delivered, but nobody got it"),
    ("ledger.tsv", r"\tdelivered\b", "\tpending", "not final"),
    ("ledger.tsv", r"\tdelivered\b.*", None, "a recipient the ledger does not know"),
    ("truth.tsv", r"\taccepted\t.*", None, "the receiver never took it"),
    ("list.csv", r"\A(?!email).*@.*", "somebody.else@gmail.test,A,B,C,1", "another person was planned"),
]


@pytest.mark.parametrize("name,pattern,to,what", BREAKS, ids=[b[3] for b in BREAKS])
def test_a_broken_ledger_fails(copy, name, pattern, to, what):
    change(copy / name, pattern, to)
    done = demo("--verify", copy)
    assert done.returncode == 1, done.stdout


def test_a_second_copy_fails(copy):
    truth = copy / "truth.tsv"
    line = next(line for line in truth.read_text().splitlines() if "\taccepted\t" in line)
    with open(truth, "a") as out:
        out.write(line + "\n")
    assert demo("--verify", copy).returncode == 1


def test_a_recipient_twice_in_the_ledger_fails(copy):
    ledger = copy / "ledger.tsv"
    with open(ledger, "a") as out:
        out.write(ledger.read_text().splitlines()[-1] + "\n")
    assert demo("--verify", copy).returncode == 1


def test_without_programs_it_fails_and_says_so(tmp_path):
    done = subprocess.run([ROOT / "tools/demo", "--recipients", "5", "--folder", tmp_path / "d"], capture_output=True,
                          text=True, env={"TSUBAME_BUILD": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 1 and "The demo failed" in done.stdout
