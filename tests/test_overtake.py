"""Priorities and times of campaigns: transactional mail overtakes bulk inside a lane, compared by places in the truth log;
weights; not-before and deadline, over a restart too."""
import json
import os
import time

import pytest
from common import FAST, laboratory, serve, stop, wait_for

BULK = int(os.environ.get("TSUBAME_OVERTAKE", "5000"))
URGENT = 20 if "TSUBAME_OVERTAKE" in os.environ else 6
SCENARIO = """\
seed: 5
defaults: {latency: {connect: 5, command: 2, data: 10}}
providers:
  - {name: slow, domains: [slow.test], hosts: [mx.slow.test], limits: {connections: 3, rate: 60}}
  - {name: big, domains: [big.test], hosts: [mx.big.test]}
  - {name: other, domains: [other.test], hosts: [mx.other.big.test]}
"""
PROVIDERS = [{"name": "slow", "mx": [".slow.test"], "limits": {"connections": 3, "messages_per_second": 40}},
             {"name": "big", "mx": [".big.test"], "limits": {"connections": 3}}]


@pytest.fixture
def lab(build, tmp_path):
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO)
    with laboratory.Lab(tmp_path, scenario, build) as lab:
        lab.template.write_text(laboratory.TEMPLATE)
        lab.configure(providers=PROVIDERS, control__socket=str(tmp_path / "c.sock"), **FAST)
        yield lab


def write_list(path, addresses):
    path.write_text("email,name,city,company,amount\n" + "".join(f"{a},A,B,C,1\n" for a in addresses))
    return path


def send(lab, name, addresses, *more):
    return lab.json("send", "--template", lab.template, "--to", write_list(lab.folder / f"{name}.csv", addresses),
                    "--name", name, *more)


def state(lab, name):
    return lab.json("campaign", name)


def accepted(lab):
    """Who was accepted, in order."""
    return [row["rcpt"] for row in laboratory.read_tsv(lab.truth) if row["event"] == "accepted"]


@pytest.mark.parametrize("bulk,urgent", [("slow.test", "slow.test"), ("big.test", "other.test")])
def test_transactional_overtakes_bulk(lab, bulk, urgent):
    """All connections of the lane are busy with bulk mail, which has waited for longer: at the same exchangers, and at
    others of the provider, where a connection has to become free first."""
    server = serve(lab)
    send(lab, "bulk", (f"b{i}@{bulk}" for i in range(BULK)), "--detach")
    wait_for(lambda: state(lab, "bulk")["delivered"] > 20)
    before = []
    for i in range(URGENT):
        before.append(state(lab, "bulk")["delivered"])
        done = send(lab, f"urgent-{i}", [f"u{i}@{urgent}"], "--priority", "transactional")
        assert done["delivered"] == 1 and done["priority"] == "transactional", done
        if state(lab, "bulk")["pending"] < 500:
            break  # a fast machine: there is little left to overtake
    left = state(lab, "bulk")["pending"]
    lab.run("cancel", "bulk", "--yes")
    stop(server)
    lab.stop_sim()
    order = accepted(lab)
    bulks = 0
    place = {}
    for rcpt in order:
        if rcpt.startswith("u"):
            place[rcpt] = bulks
        else:
            bulks += 1
    assert len(before) >= 4 and left > 0
    for i, seen in enumerate(before):
        # what was delivered while the command started and loaded, and the windows that were under way
        assert place[f"u{i}@{urgent}"] - seen < (200 if bulk == "slow.test" else 1500), (i, seen, place)


def test_weights_divide_a_lane(lab):
    """Two campaigns for one provider: three to one, however many domains either has. Held until both are there."""
    server = serve(lab)
    send(lab, "large", (f"l{i}@slow.test" for i in range(400)), "--weight", "300", "--hold", "--detach")
    send(lab, "small", (f"s{i}@slow.test" for i in range(400)), "--hold", "--detach")
    lab.run("resume", "small")
    lab.run("resume", "large")
    wait_for(lambda: state(lab, "large")["delivered"] >= 150)
    large, small = state(lab, "large")["delivered"], state(lab, "small")["delivered"]
    assert 0.6 < large / (large + small) < 0.85, (large, small)
    assert lab.json("campaign", "small", "--weight", "1000", "--priority", "transactional")["weight"] == 1000
    before = state(lab, "large")["delivered"]
    wait_for(lambda: state(lab, "small")["pending"] == 0)
    assert state(lab, "large")["delivered"] - before < 100  # what was under way, and what came after it
    stop(server)


def test_nothing_before_its_time(lab):
    """A campaign with a not-before waits, over a restart, until it is told to begin."""
    server = serve(lab)
    done = send(lab, "later", ["a@big.test", "b@other.test"], "--not-before", "+1h", "--deadline", "+3h", "--detach")
    assert done["scheduled"] and done["state"] == "ready" and done["deadline"] > done["not_before"]
    assert "waits until" in lab.run("status").stdout and "scheduled" in lab.run("campaign", "later").stdout
    stop(server)
    assert state(lab, "later")["scheduled"]  # as the store has it
    changed = lab.json("campaign", "later", "--not-before", "+2h")
    assert changed["not_before"] > done["not_before"] and changed["expires"] > done["expires"]
    server = serve(lab)
    time.sleep(1.5)
    assert state(lab, "later")["pending"] == 2
    lab.run("campaign", "later", "--not-before", "none")
    wait_for(lambda: state(lab, "later")["delivered"] == 2)
    soon = send(lab, "soon", ["c@big.test"], "--not-before", "+2s")
    assert soon["delivered"] == 1 and not soon["scheduled"]
    stop(server)


@pytest.mark.parametrize("args,code,word", [
    (["--priority", "high"], 2, "transactional or bulk"),
    (["--weight", "0"], 2, "1 to 1000"),
    (["--weight", "many"], 2, "1 to 1000"),
    (["--not-before", "tomorrow"], 2, "is no time"),
    (["--deadline", "2020-01-01T00:00:00Z"], 1, "has passed"),
    (["--not-before", "+2h", "--deadline", "+1h"], 1, "is not after"),
])
def test_what_cannot_be(lab, args, code, word):
    path = write_list(lab.folder / "one.csv", ["a@big.test"])
    done = lab.run("send", "--template", lab.template, "--to", path, *args, ok=(1, 2))
    assert word in done.stderr and done.returncode == code, done.stderr
    assert not json.loads(lab.run("status", "--json", ok=(0, 4)).stdout or "{}").get("campaigns")
