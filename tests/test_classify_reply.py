"""tsubame classify-reply: lines in, lines out; bad lines told; own rules before the built-in ones; the bench's own lines."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))
import reply_score  # noqa: E402


@pytest.fixture
def ask(build, tmp_path):
    def call(text, *more):
        return subprocess.run([build / "program/tsubame", "classify-reply", *more], input=text.encode(),
                              capture_output=True, timeout=60, cwd=tmp_path)
    return call


def test_lines(ask):
    done = ask("rcpt\t550 5.1.1 User unknown\nDATA\t550 Ip frequency limited\tqq\n-\t421-4.7.0 busy\\n421 4.7.0 later\n")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert [len(row) for row in rows] == [4, 4, 4]
    assert rows[0][:3] == ["invalid-recipient", "hard", "suppress-now"]
    assert rows[1][:3] == ["rate-limited", "soft", "slow-isp"]
    assert rows[2][1] == "soft"


def test_json(ask):
    done = ask("rcpt\t451 4.7.1 Greylisted, try again in 300 seconds\n", "--json")
    said = json.loads(done.stdout)
    assert (said["class"], said["wait_s"], said["permanent"], said["code"], said["enhanced"]) == \
        ("greylisted", 300, False, 451, "4.7.1")


def test_bad_lines_are_told_with_their_number(ask, tmp_path):
    path = tmp_path / "replies.tsv"
    path.write_text("rcpt\t550 no such user\nno tabulator\nlunch\t550 x\nrcpt\t\n")
    done = ask("", str(path))
    assert done.returncode == 1
    assert done.stdout.decode().startswith("invalid-recipient\thard\t") and done.stdout.count(b"\n") == 1
    told = done.stderr.decode().splitlines()
    assert [line.split(": ")[1].rsplit(":", 1)[1] for line in told] == ["2", "3", "4"]
    assert ask("", str(tmp_path / "absent.tsv")).returncode == 1


def test_own_rules(ask, tmp_path):
    (tmp_path / "own.rules").write_text("invalid-recipient certain : moved to the moon\n")
    (tmp_path / "tsubame.yaml").write_text("replies: {rules: own.rules}\n")
    text = "rcpt\t550 moved to the moon\n"
    assert ask(text).stdout.startswith(b"invalid-recipient\thard\tsuppress-now\t")
    assert ask(text, "--rules", "own.rules").stdout.startswith(b"invalid-recipient\thard\t")
    (tmp_path / "own.rules").write_text("# a comment\nmailbox-full wait=soon : x\n")
    done = ask(text)
    assert done.returncode == 1 and b"own.rules:2: wait: expected a time such as" in done.stderr


def test_the_lines_of_the_bench_are_understood(ask):
    done = ask((ROOT / "bench/replies.tsv").read_text())
    assert done.returncode == 0, done.stderr
    classes = [line.split("\t")[0] for line in done.stdout.decode().splitlines()]
    assert len(classes) >= 60 and classes.count("undetermined") <= 2


def test_labelled_replies(build):
    try:
        score = reply_score.Score(build / "program/tsubame")
    except reply_score.Absent as e:
        pytest.skip(str(e))
    assert score.group >= 92 and score.no_false_hard == 100 and score.hard_found >= 95
