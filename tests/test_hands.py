"""Orders by the commands: previews, questions, the list, and a cancellation that is killed in the middle. The DNS is
dead: nothing is sent, all waits."""
import json
import os
import pwd
import signal
import subprocess
import time

import pytest

from test_control import end, serve, wait_for

EACH = 3000


@pytest.fixture
def place(build, tmp_path):
    (tmp_path / "c.yaml").write_text(json.dumps({
        "store": {"path": "data"}, "control": {"socket": "c.sock"}, "metrics": {"listen": "off"}, "run": {"user": "root"},
        "dns": {"servers": ["127.0.0.1:9"]}}))
    (tmp_path / "t.yaml").write_text("from: news@sender.example\nsubject: hello\ntext: hello\n")
    (tmp_path / "l.csv").write_text("email\n" + "".join(f"u{i}@a.example\nu{i}@b.example\nu{i}@x.b.example\n"
                                                        for i in range(EACH)))
    children = [serve(build, tmp_path / "c.yaml")]
    wait_for(tmp_path / "c.sock", children)

    class Place:
        sock = tmp_path / "c.sock"

        def run(self, *words, code=0):
            done = subprocess.run([build / "program/tsubame", *words, "--config", tmp_path / "c.yaml"], text=True,
                                  capture_output=True, stdin=subprocess.DEVNULL, timeout=100, check=False)
            assert done.returncode == code, (words, done.stdout, done.stderr)
            return done

        def json(self, *words):
            return json.loads(self.run(*words, "--json").stdout)

        def send(self, name):
            self.run("send", "--template", tmp_path / "t.yaml", "--to", tmp_path / "l.csv", "--name", name, "--detach")

        def stop(self):
            end(children[-1:])

        def kill(self):
            os.kill(children[-1].pid, signal.SIGKILL)
            children[-1].wait()
            children.append(serve(build, tmp_path / "c.yaml"))
            wait_for(self.sock, children[-1:])

    yield Place()
    end(children[-1:])


def test_orders(place):
    place.send("spring")
    preview = place.json("suspend", "--domain", "a.example", "--dry-run")
    assert preview["campaigns"] == 1 and preview["recipients"] + preview["maybe"] >= EACH
    assert place.json("orders")["orders"] == []
    place.json("suspend", "--domain", "*.B.example", "--reason", "a test", "--for", "2h")
    done = place.json("suspend", "--provider", "nobody")
    assert done["order"] == 2 and done["unknown_provider"]
    first, second = place.json("orders")["orders"]
    assert (first["of"], first["reason"], first["act"]) == ("domain *.b.example", "a test", "suspend")
    assert first["until"] - first["at"] == pytest.approx(7200e6, abs=60e6) and first["by"]
    place.kill()
    assert [o["order"] for o in place.json("orders")["orders"]] == [1, 2]
    place.run("resume", "--provider", "nobody")
    place.run("resume", "--provider", "nobody", code=4)
    place.run("resume", "--order", "1")
    assert "no order stands" in place.run("orders").stdout
    place.run("hold", "spring")
    assert [o["campaign"] for o in place.json("orders")["orders"]] == [1]
    place.run("resume", "spring")
    assert place.json("orders")["orders"] == []
    place.run("flush", "--domain", "a.example")


def test_wrong(place):
    for words, code, said in ((["suspend"], 1, "of which mail"), (["suspend", "--domain", "a..b"], 1, "expected example.org"),
                              (["route", "--domain", "a.example"], 2, "--to SOURCE"),
                              (["route", "--domain", "a.example", "--to", "x"], 4, "no source 'x'"),
                              (["suspend", "--source", "x"], 4, "no source 'x'"), (["suspend", "--campaign", "x"], 4, "no campaign"),
                              (["suspend", "--tenant", "-1"], 2, "expected a number"), (["resume", "--order", "7"], 4, "no order 7"),
                              (["cancel", "--domain", "a.example"], 2, "give --yes")):
        done = place.run(*words, code=code)
        assert said in done.stderr, (words, done.stderr)


def test_cancel_killed_in_the_middle(place):
    place.send("spring")
    place.run("cancel", "--domain", "a.example", "--yes", "--reason", "wrong list")
    place.kill()
    until = time.monotonic() + 60
    while place.json("orders")["orders"] and time.monotonic() < until:
        time.sleep(0.2)
    campaign = place.json("status")["campaigns"][0]
    assert campaign["cancelled"] == EACH and campaign["pending"] == 2 * EACH, campaign
    place.send("summer")  # came later: is not meant
    assert place.json("status")["campaigns"][0]["cancelled"] == 0


def test_trail(place):
    """Who did what stands in the audit trail: with a server and without one."""
    place.send("spring")
    place.run("campaign", "spring", "--weight", "300", "--priority", "transactional")
    place.run("cancel", "--domain", "a.example", "--yes", "--reason", "wrong list")
    place.run("trace", "--host", "mx.b.example", "--content", "--for", "1s")
    until = time.monotonic() + 60
    while place.json("orders")["orders"] and time.monotonic() < until:
        time.sleep(0.2)
    place.stop()
    place.run("hold", "spring")
    place.run("campaign", "spring", "--deadline", "+3h")
    place.run("resume", "spring")
    place.run("cancel", "spring", "--yes")
    who = pwd.getpwuid(os.getuid()).pw_name
    notes = [note for note in place.json("changes", "--only", "hands", "--last", "0")["changes"]]
    assert {note["by"] for note in notes} == {who}
    assert [(note["act"], note["campaign"], note["recipients"]) for note in notes] == [
        ("changed", 1, 3 * EACH), ("cancelled", 0, EACH), ("cancel-done", 0, EACH), ("traced", 0, 0), ("suspended", 1, 2 * EACH),
        ("changed", 1, 2 * EACH), ("resumed", 1, 2 * EACH), ("cancelled", 1, 2 * EACH)], notes
    assert notes[0]["scope"] == "priority transactional, weight 300" and notes[5]["scope"].startswith("deadline 20")
    traced = next(note for note in notes if note["act"] == "traced")
    assert traced["scope"] == "host mx.b.example, with the mails' content"
    text = place.run("changes", "--only", "hands").stdout
    assert f"traced host mx.b.example, with the mails' content, by {who}" in text and "wrong list" in text
    assert f"suspended campaign 1: {2 * EACH:,} recipients, by {who}" in text


def test_trail_of_a_campaign_that_ends_by_it(place):
    """A cancellation that leaves nothing of its campaign has an end in the trail too."""
    place.send("spring")
    for domain in ("a.example", "b.example", "x.b.example"):
        place.run("cancel", "--campaign", "spring", "--domain", domain, "--yes")
    until = time.monotonic() + 60
    while place.json("orders")["orders"] and time.monotonic() < until:
        time.sleep(0.2)
    campaign = place.json("status")["campaigns"][0]
    assert (campaign["state"], campaign["cancelled"]) == ("done", 3 * EACH), campaign
    notes = place.json("changes", "--only", "hands", "--last", "0")["changes"]
    assert sorted(note["scope"].split()[-1] for note in notes if note["act"] == "cancel-done") == [
        "a.example", "b.example", "x.b.example"], notes


def test_previews_are_exact(place):
    """As soon as all is loaded: whoever waits in chunks that were not taken apart is looked for there."""
    place.send("spring")
    for words, count in ((("--domain", "a.example"), EACH), (("--domain", "*.b.example"), EACH), (("--campaign", "spring"), 3 * EACH)):
        preview = place.json("suspend", *words, "--dry-run")
        assert (preview["recipients"], preview["maybe"], preview["exact"], preview["on_the_wire"]) == (count, 0, True, 0), preview
    preview = place.json("suspend", "--provider", "google", "--dry-run")  # nobody knows: the DNS is dead
    assert (preview["recipients"], preview["maybe"], preview["exact"]) == (0, 3 * EACH, False)
