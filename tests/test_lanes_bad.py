"""Lanes and providers that lie, dawdle, or speak in no language that anybody knows; clocks that jump; sources that are all down. Each
ends in a state that says what is so."""
import time

import pytest

from common import FAST, ROOT, equation_holds, laboratory, rows_of, serve, stop, wait_for
from peers import free_port
from test_faults import DAY, Faults, laboratory_with

COLUMNS = "email,name,city,company,amount\n"
STRANGE = """\
seed: 5
defaults: {latency: {connect: 5, command: 1, data: 10}}
providers:
  - name: liar
    domains: [liar.test]
    hosts: [mx.liar.test]
    users: {unknown: 0.2}
    replies: {unknown: "450 4.1.1 <{rcpt}>: Recipient address rejected: unverified address"}
  - name: foreign
    domains: [foreign.test]
    hosts: [mx.foreign.test]
    limits: {rate: 10, burst: 10}
    users: {unknown: 0.05}
    replies: {rate: "451 4.0.0 ძალიან ბევრი წერილი", unknown: "550 5.0.0 ასეთი არავინ არის"}
  - name: tarpit
    domains: [tarpit.test]
    hosts: [mx.tarpit.test]
    latency: {command: 5, tarpit: 15}
  - name: bouncer
    domains: [bouncer.test]
    hosts: [mx.bouncer.test]
"""
PEOPLE = {"liar": 300, "foreign": 250, "tarpit": 60, "bouncer": 50}


def lanes_of(lab):
    return {lane["provider"].split(".")[-2]: lane for lane in lab.json("lanes")["lanes"]}


@pytest.fixture(scope="module")
def strange(tmp_path_factory, build):
    """All of them at once; `seen`: their lanes while they were at work."""
    with laboratory_with(tmp_path_factory.mktemp("strange"), STRANGE, build) as lab:
        lab.configure(**{**FAST, "deliver__retry": {"first": "3s", "most": "3s"}}, deliver__expire="30s")
        lab.list.write_text(COLUMNS + "".join(f"u{i}@{name}.test,A,B,C,1\n" for name, n in PEOPLE.items() for i in range(n)))
        server = serve(lab)
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "x", "--detach")
        time.sleep(12)
        lab.seen = lanes_of(lab)
        wait_for(lambda: not lab.json("status")["campaigns"][0]["pending"], 60)
        stop(server)
        lab.export("x")
        lab.stop_sim()
        lab.rows = {name: [row for row in laboratory.read_tsv(lab.ledger) if row["address"].endswith(f"@{name}.test")]
                    for name in PEOPLE}
        lab.truths = list(laboratory.read_tsv(lab.truth))
        yield lab


def states(rows):
    return {state: sum(row["state"] == state for row in rows) for state in {row["state"] for row in rows}}


def test_who_says_for_now_of_unknown_users_is_believed(strange):
    """Their mail is tried until it expires, in the receiver's words; the others have theirs, at no other pace, and nobody
    is suppressed."""
    unknown = {row["rcpt"] for row in strange.truths if row["provider"] == "liar" and row["cause"] == "unknown"}
    now = states(strange.rows["liar"])
    assert now == {"delivered": PEOPLE["liar"] - len(unknown), "expired": len(unknown)} and len(unknown) > 30, now
    told = [row for row in rows_of(strange.run("report", "x", "--recipients").stdout) if row["address"] in unknown]
    assert all("unverified address" in row["text"] for row in told), told[:3]
    times = [int(row["time_us"]) / 1e6 for row in strange.truths if row["provider"] == "liar" and row["event"] == "accepted"]
    assert max(times) - min(times) < 12, max(times) - min(times)
    assert not rows_of(strange.run("suppress", "list").stdout)


def test_a_limit_in_no_known_language_is_found_all_the_same(strange):
    lane = strange.seen["foreign"]
    assert lane["bound_by"] == "rate", lane
    assert "ბევრი" in lane["why"], lane
    now = states(strange.rows["foreign"])
    assert now.get("failed", 0) > 0 and now["delivered"] + now["failed"] == PEOPLE["foreign"], now


def test_a_tarpit_is_waited_for(strange):
    """More and more time for each command, in as many connections as that deserves; nothing is lost or doubtful."""
    now = states(strange.rows["tarpit"])
    assert now == {"delivered": PEOPLE["tarpit"]}, now
    assert not any(int(row["uncertain"]) for row in strange.rows["tarpit"])


def test_what_was_taken_is_delivered_whatever_becomes_of_it(strange):
    """250 and then a bounce: until bounces are read, what is known is that it was taken, in which words, under which Message-ID."""
    assert states(strange.rows["bouncer"]) == {"delivered": PEOPLE["bouncer"]}
    ids = {row["rcpt"]: row["message_id"].strip("<>") for row in strange.truths if row["provider"] == "bouncer" and row["event"] == "accepted"}
    assert all(ids[row["address"]] == row["message_id"] for row in strange.rows["bouncer"])


def test_all_of_it_agrees_with_the_receivers(strange):
    good, text = strange.check()
    assert good, text
    strange.run("report", "x", "--verify")


def test_clocks_that_jump_teach_a_lane_nothing(tmp_path):
    """A day forth, and back: the lane is as fast as before, and says the same."""
    scenario = STRANGE.replace("rate: 10, burst: 10", "rate: 20, burst: 20")
    with laboratory_with(tmp_path, scenario, ROOT / "build/release") as lab:
        lab.faults = Faults(tmp_path / "faults")
        lab.configure(**FAST)
        lab.list.write_text(COLUMNS + "".join(f"u{i}@foreign.test,A,B,C,1\n" for i in range(2000)))
        server = serve(lab, env=lab.faults.env)
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "x", "--detach")
        time.sleep(12)
        for jump in (DAY, 0, -DAY):
            lab.faults.clock(jump)
            before = lab.json("status")["campaigns"][0]
            time.sleep(5)
            now = lab.json("status")["campaigns"][0]
            sent = now["delivered"] + now["failed"] - before["delivered"] - before["failed"]
            assert 60 <= sent <= 130 and now["expired"] == 0 and equation_holds(now), (jump, sent, now)
            lane = lanes_of(lab)["foreign"]
            assert lane["bound_by"] == "rate" and not lane["down"], (jump, lane)
        stop(server)


def test_when_all_sources_are_down_mail_waits(tmp_path, build):
    """Two proxies where nobody listens: each is named, nobody's mail is put off for it, and nothing runs hot."""
    with laboratory_with(tmp_path, STRANGE, build) as lab:
        lab.configure(**FAST, sources=[{"name": name, "address": "127.0.0.1", "proxy": {
            "protocol": "haproxy", "address": f"127.0.0.1:{free_port()}"}} for name in ("east", "west")])
        lab.list.write_text(COLUMNS + "".join(f"u{i}@{name}.test,A,B,C,1\n" for name in PEOPLE for i in range(20)))
        server = serve(lab)
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "x", "--detach")

        def named():
            notes = [note for note in lab.json("status")["notes"] if "nothing is sent from source" in note]
            return {name for name in ("east", "west") for note in notes if f" {name}:" in note}
        wait_for(lambda: named() == {"east", "west"}, 20)
        now = lab.json("status")["campaigns"][0]
        assert now["pending"] == 80 and now["failed"] == 0 and now["deferrals"] == 0, now
        assert all(lane["down"] for lane in lab.json("lanes")["lanes"]), lab.json("lanes")
        stop(server)
