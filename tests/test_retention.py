"""History that is old, or too much, is removed: what remains, what is said of it, and that nothing else is touched."""
import json
import re
import signal
import time

import pytest

from common import serve, stop, wait_for

SCENARIO = """\
seed: 5
defaults: {latency: {connect: 1, command: 0, data: 0}}
providers:
  - {name: big, weight: 3, domains: [big.test], hosts: [mx.big.test]}
"""
FAST = {"deliver__retry": {"first": "200ms", "most": "1s"}, "deliver__grace": "3s"}


@pytest.fixture
def lab(lab):
    lab.configure(**FAST)
    lab.audience(300)
    return lab


def send(lab, name, *more):
    return lab.run("send", "--template", lab.template, "--to", lab.list, "--name", name, *more)


def segments(lab):
    return sorted(p.name for p in (lab.store / "segments").glob("*.seg"))


def someone(lab):
    return lab.list.read_text().splitlines()[1].split(",")[0]


def is_removed(lab, name, by):
    """Its sums are there, its recipients are not, and everybody says since when and why."""
    sums = lab.json("report", name)
    assert sums["planned"] == sums["delivered"] == 300
    assert sums["removed"].startswith("20") and sums["removed_by"] == by
    assert by in sums["notes"][0] and sums["providers"] == []
    text = lab.run("report", name).stdout
    assert re.search(r"recipients were removed from the history on 20\d\d-\d\d-\d\d \(" + by, text)
    for how in (["--recipients"], ["--verify"]):
        told = lab.run("report", name, *how, ok=(4,)).stderr
        assert "were removed from the history on 20" in told and "corrupt" not in told
    told = lab.run("message", "--to", someone(lab), "--campaign", name, ok=(4,)).stderr
    assert "note: the recipients of 1 campaign were removed" in told and "still known" in told


def test_by_hand_without_a_server(lab):
    send(lab, "one")
    send(lab, "two")
    whole = lab.json("report", "two")
    assert "what?" in lab.run("prune", ok=(2,)).stderr
    assert "--yes" in lab.run("prune", "--campaign", "one", ok=(2,)).stderr
    assert "expected an age" in lab.run("prune", "--older-than", "old", ok=(2,)).stderr
    assert "no campaign 'three'" in lab.run("prune", "--campaign", "three", "--yes", ok=(4,)).stderr
    assert lab.json("prune", "--older-than", "1d", "--yes")["campaigns"] == []
    dry = lab.json("prune", "--older-than", "0s", "--dry-run")
    assert [c["name"] for c in dry["campaigns"]] == ["one", "two"] and dry["dry_run"] and not dry["kept"]
    assert all(c["recipients"] == 300 and c["bytes"] > 1000 for c in dry["campaigns"])
    before = segments(lab)
    done = lab.run("prune", "--campaign", "one", "--yes").stdout
    assert "Removed" in done and "one" in done and "300 recipients" in done
    assert len(segments(lab)) < len(before)
    is_removed(lab, "one", "tsubame prune")
    assert lab.json("report", "two") == whole
    lab.run("report", "two", "--verify")
    [found] = lab.json("message", "--to", someone(lab))
    assert found["name"] == "two"
    assert "the recipients of 1 campaign were removed" in lab.run("message", "--to", someone(lab)).stderr
    assert "removed before" in lab.run("prune", "--campaign", "one", "--yes", ok=(4,)).stderr
    lab.run("prune", "--campaign", "two", "--yes")
    told = lab.run("message", "--to", someone(lab), ok=(4,)).stderr
    assert "was in no campaign whose recipients are still known" in told and "of 2 campaigns" in told


def test_by_hand_in_a_server_and_never_what_is_under_way(lab):
    send(lab, "old")
    server = serve(lab)
    send(lab, "held", "--hold", "--detach")
    assert "under way" in lab.run("prune", "--campaign", "held", "--yes", ok=(1, 2)).stderr
    done = wait_for(lambda: lab.json("prune", "--older-than", "0s", "--yes")["campaigns"])
    assert [c["name"] for c in done] == ["old"]
    is_removed(lab, "old", "tsubame prune")
    lab.run("resume", "held")
    wait_for(lambda: lab.json("status")["campaigns"][0]["state"] == "done")
    lab.run("report", "held", "--verify")
    stop(server)
    assert "event=history-removed" in (lab.folder / "serve.log").read_text()


def test_by_age_and_size_in_a_server(lab):
    send(lab, "one")
    send(lab, "two")
    server = serve(lab)
    time.sleep(1)
    assert lab.json("prune", "--older-than", "0s", "--dry-run") is not None
    assert "removed" not in lab.json("report", "one")  # nothing goes without being told
    wait_for(lambda: len(lab.json("prune", "--older-than", "0s", "--dry-run")["campaigns"]) == 2)
    lab.configure(**FAST, history__keep="1s")
    server.send_signal(signal.SIGHUP)
    wait_for(lambda: all("removed" in lab.json("report", name) for name in ("one", "two")))
    is_removed(lab, "one", "history.keep")
    lab.configure(**FAST, history__max_size="4k")
    server.send_signal(signal.SIGHUP)
    send(lab, "three")
    wait_for(lambda: lab.json("prune", "--older-than", "0s", "--dry-run")["campaigns"])
    server.send_signal(signal.SIGHUP)
    wait_for(lambda: "removed" in lab.json("report", "three"))
    is_removed(lab, "three", "history.max_size")
    stop(server)
    log = (lab.folder / "serve.log").read_text()
    assert log.count("event=history-removed") == 3 and 'by=history.keep' in log and 'by=history.max_size' in log


def test_killed_in_between_it_goes_on(lab):
    for turn in range(3):
        send(lab, f"c{turn}")
    server = serve(lab)
    wait_for(lambda: len(lab.json("prune", "--older-than", "0s", "--dry-run")["campaigns"]) == 3)
    child = lab.start("prune", "--older-than", "0s", "--yes")
    time.sleep(0.03)
    server.kill()
    server.wait()
    child.wait(30)
    text = lab.run("status", "--json").stdout
    assert len(json.loads(text)["campaigns"]) == 3
    for turn in range(3):
        sums = lab.json("report", f"c{turn}")
        assert sums["delivered"] == 300
        if "removed" not in sums:
            lab.run("report", f"c{turn}", "--verify")
    server = serve(lab)
    wait_for(lambda: lab.json("prune", "--older-than", "0s", "--yes")["kept"] == [])
    wait_for(lambda: all("removed" in lab.json("report", f"c{turn}") for turn in range(3)))
    wait_for(lambda: not segments(lab))
    stop(server)
