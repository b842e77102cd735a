"""What lanes have learned outlives a restart, a kill and a move; each change can be read with its cause and words."""
import time

import pytest

from common import serve

SCENARIO = """\
seed: 5
defaults: {latency: {connect: 1, command: 1, data: 25}}
providers:
  - {name: big, weight: 1, domains: [big.test], hosts: [mx1.big.test, mx2.big.test], limits: {connections: 2, counts: provider}}
"""
FAST = {"deliver__retry": {"first": "200ms", "most": "1s"}, "deliver__grace": "3s",
        "providers": [{"name": "big", "mx": [".big.test"]}]}


@pytest.fixture
def lab(lab):
    lab.configure(**FAST)
    lab.audience(400)
    return lab


def send(lab, name):
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", name)
    report = lab.json("report", name)
    assert report["planned"] == report["delivered"] == 400
    return report


def changes(lab, *more):
    return lab.json("changes", "--last", "0", *more)["changes"]


def limits(lab, **where):
    return [c for c in changes(lab, "big") if c["kind"] == "limit" and all(c[k] == v for k, v in where.items())]


def test_after_a_restart_nothing_is_refused(lab):
    assert "Nothing has changed" in lab.run("changes", ok=(0, 4)).stdout or not lab.store.exists()
    send(lab, "one")
    found = limits(lab, dimension="connections")
    assert found and all(c["cause"] == "reply" and c["code"] == 421 for c in found) and found[-1]["to"] == 2
    assert all("connections" in c["words"].lower() for c in found)
    assert found[0]["source"] == "default" and found[0]["changes"] >= 1
    first = len(found)
    send(lab, "two")
    assert len(limits(lab, dimension="connections", cause="reply")) == first, limits(lab)
    text = lab.run("changes", "BIG").stdout
    assert "big from default: " in text and "2 connections" in text and "by reply" in text and "421" in text
    assert changes(lab, "nobody") == [] and changes(lab, "--only", "hands") == []
    assert len(changes(lab, "--since", "1h")) == len(changes(lab)) and changes(lab, "--since", "0s") == []
    assert "expected" in lab.run("changes", "--since", "soon", ok=(2,)).stderr
    assert "expected" in lab.run("changes", "--only", "feet", ok=(2,)).stderr


def test_kill_backup_and_restore(lab, tmp_path):
    server = serve(lab)
    send(lab, "one")
    time.sleep(12)  # what was found is kept within 5 s, and gathered changes are told after 10
    lab.run("backup", tmp_path / "copy")
    found = limits(lab, cause="reply")
    assert found
    server.kill()
    server.wait()
    send(lab, "two")
    assert limits(lab, cause="reply") == found
    there = tmp_path / "elsewhere"
    lab.configure(**FAST, store__path=str(there))
    lab.run("restore", tmp_path / "copy")
    assert limits(lab, cause="reply") == found
    send(lab, "three")
    assert limits(lab, cause="reply") == found


def test_old_notes_go(lab):
    send(lab, "one")
    count = len(changes(lab))
    assert count > 0
    assert lab.json("prune", "--older-than", "0s", "--dry-run")["notes"] == count == len(changes(lab))
    assert lab.json("prune", "--campaign", "one", "--yes")["notes"] == 0
    assert f"notes of the audit trail: {count}" in lab.run("prune", "--older-than", "0s", "--yes").stdout
    assert changes(lab) == []
