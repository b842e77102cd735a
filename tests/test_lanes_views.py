"""What a running server shows of its lanes: explain, top, lanes, queue and trace, all against one laboratory with a provider
that is slow, one that takes nothing, a domain without a DNS, and two sources."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from common import laboratory, serve, stop, wait_for

SCENARIO = """\
seed: 7
defaults: {latency: {connect: 1, command: 1, data: 1}}
providers:
  - name: slow
    weight: 4
    domains: [slow.test, more.slow.test]
    hosts: [mx.slow.test, mx2.slow.test]
    limits: {connections: 1, rate: 8, burst: 8}
  - {name: quick, weight: 1, domains: [quick.test], hosts: [mx.quick.test]}
  - {name: shut, weight: 1, domains: [shut.test], hosts: [mx.shut.test], maintenance: [{at: 0s, for: 100h, how: refuse}]}
  - {name: nodns, weight: 1, domains: [nodns.test], hosts: [mx.nodns.test], dns: {mode: servfail}}
"""
PEOPLE = [(domain, n) for domain, count in (("slow.test", 1500), ("more.slow.test", 300), ("quick.test", 40), ("shut.test", 600),
                                            ("nodns.test", 600)) for n in range(count)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory, build):
    """A server at work, which will not be through while the tests last."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "scenario.yaml").write_text(SCENARIO)
    with laboratory.Lab(folder / "lab", folder / "scenario.yaml", build) as lab:
        lab.template.write_text(laboratory.TEMPLATE)
        lab.configure(log__level="warn", deliver__grace="1s", deliver__retry={"first": "30s", "most": "60s"},
                      sources=[{"name": "s1", "address": "127.0.0.11"}, {"name": "s2", "address": "127.0.0.12"}],
                      providers=[{"name": "slow", "mx": [".slow.test"]}, {"name": "quick", "mx": ["mx.quick.test"]},
                                 {"name": "never", "mx": ["mx.never.test"]}])
        lab.list.write_text("email,name,city,company,amount\n" +
                            "".join(f"u{n}@{domain},A,B,C,1\n" for domain, n in PEOPLE))
        lab.server = serve(lab)
        lab.sending = lab.start("send", "--template", lab.template, "--to", lab.list, "--name", "spring")
        wait_for(lambda: waiting(lab, "slow") and waiting(lab, "mx.shut.test") and delivered(lab, "quick") == 40)
        yield lab
        if lab.server.poll() is None:
            stop(lab.server)


def waiting(lab, provider):
    return sum(lane["waiting"] for lane in lab.json("lanes", provider)["lanes"])


def delivered(lab, provider):
    return sum(lane["delivered"] for lane in lab.json("lanes", provider)["lanes"])


# --- lanes

def test_lanes(lab):
    seen = lab.json("lanes")
    names = {(lane["provider"], lane["source"]) for lane in seen["lanes"]}
    assert {"slow", "quick", "mx.shut.test"} <= {provider for provider, _ in names}
    assert {source for _, source in names} <= {"s1", "s2"} and len(names) == len(seen["lanes"])
    assert seen["in_all"]["lanes"] == len(seen["lanes"])
    assert seen["in_all"]["waiting"] == sum(lane["waiting"] for lane in seen["lanes"]) <= len(PEOPLE)
    for lane in seen["lanes"]:
        assert {"sessions", "limits", "kept", "bound_by", "next_try", "messages_per_second", "last_error", "why"} <= lane.keys()
    by_waiting = [lane["waiting"] for lane in seen["lanes"]]
    assert by_waiting == sorted(by_waiting, reverse=True)
    by_name = [lane["provider"] for lane in lab.json("lanes", "--sort", "provider")["lanes"]]
    assert by_name == sorted(by_name)
    one = lab.json("lanes", "--source", "s1")["lanes"]
    assert one and {lane["source"] for lane in one} == {"s1"}
    assert "by waiting, rate" in lab.run("lanes", "--sort", "beauty", ok=(1,)).stderr
    table = lab.run("lanes").stdout.splitlines()
    assert table[0].startswith("LANE") and "LAST REPLY" in table[0]
    assert any(line.startswith("slow ") for line in table[1:])


# --- queue

def test_queue(lab):
    seen = lab.json("queue")
    [row] = seen["rows"]
    assert row["name"] == "spring" and row["waiting"] == seen["in_all"]["waiting"] > 0
    assert seen["rest"]["rows"] == 0 and not any(seen["not_known"].values())
    campaign = lab.json("status")["campaigns"][0]
    assert row["waiting"] + row["under_way"] + row["deferred"] >= campaign["pending"]  # it was asked before

    seen = lab.json("queue", "--by", "provider")
    by = {row["name"]: row for row in seen["rows"]}
    assert by["slow"]["waiting"] > by["mx.shut.test"]["waiting"] > 0 and "quick" not in by
    assert all("under_way" in row for row in seen["rows"])
    wait_for(lambda: {r["name"]: r for r in lab.json("queue", "--by", "provider")["rows"]}["slow"]["under_way"] > 0)
    wait_for(lambda: lab.json("queue", "--by", "domain", "--domain", "slow.test")["in_all"]["under_way"] > 0)
    unknown = seen["not_known"]
    assert unknown["look_up_failed"] + unknown["looked_up_now"] >= 512  # nodns.test: too many to be put off by retry
    total = sum(row["waiting"] for row in seen["rows"]) + unknown["look_up_failed"] + unknown["looked_up_now"]
    assert abs(total + unknown["not_sorted"] - seen["in_all"]["waiting"]) < 100

    seen = lab.json("queue", "--by", "domain", "--top", "1")
    assert [row["name"] for row in seen["rows"]] == ["slow.test"] and seen["rest"]["rows"] >= 3
    seen = lab.json("queue", "--provider", "SLOW", "--campaign", "spring")
    assert {row["name"] for row in seen["rows"]} == {"slow.test", "more.slow.test"}
    assert seen["in_all"]["waiting"] == sum(row["waiting"] for row in seen["rows"])
    [row] = lab.json("queue", "--domain", "shut.test")["rows"]
    assert row["name"] == "shut.test"
    [row, *_] = lab.json("queue", "--by", "age")["rows"]
    assert row["name"].startswith("waits for") and row["waiting"] > 0

    text = lab.run("queue", "--by", "provider").stdout
    assert re.search(r"^slow +[\d,]+ +", text, re.M) and "Not known where they belong" in text
    assert "no campaign 'autumn'" in lab.run("queue", "--campaign", "autumn", ok=(4,)).stderr
    assert "campaign, provider, domain or age" in lab.run("queue", "--by", "colour", ok=(1,)).stderr
    assert "--top" in lab.run("queue", "--top", "none", ok=(2,)).stderr


# --- explain

def test_explain(lab):
    text = lab.run("explain", "slow").stdout
    assert "slow from s" in text and "recipients wait" in text and "delivered" in text
    seen = lab.json("explain", "slow")
    assert {lane["provider"] for lane in seen["lanes"]} == {"slow"} and seen["configured"]
    source = seen["lanes"][0]["source"]
    assert [lane["source"] for lane in lab.json("explain", "slow", "--source", source)["lanes"]] == [source]

    text = lab.run("explain", "slow.test").stdout.replace("\n", " ")
    assert "Mail for slow.test goes to the lane slow from s" in text and "slow.test, of that provider by the configuration" in text
    assert "by the configuration" in text and "recipients of it wait" in text
    text = lab.run("explain", "shut.test").stdout.replace("\n", " ")
    assert "lane mx.shut.test" in text and "of no provider in the configuration" in text
    assert "is a mail exchanger of the lane slow" in lab.run("explain", "MX2.slow.test").stdout
    text = lab.run("explain", "mx.shut.test").stdout
    assert "The last refusal or failure" in text and "wait" in text
    assert "could not be looked up" in lab.run("explain", "nodns.test").stdout.replace("\n", " ") or \
        "waits for the look-up" in lab.run("explain", "nodns.test").stdout.replace("\n", " ")
    assert "Nothing waits" in lab.run("explain", "quick").stdout

    lane = lab.json("explain", "slow")["lanes"][0]  # and how it came to that
    [limit, *_] = [c for c in lane["changes"] if c["kind"] == "limit" and c["cause"] == "reply"]
    assert limit["words"] and limit["code"] >= 400 and limit["source"] == lane["source"]
    lab.run("suspend", "--provider", "quick", "--reason", "a test of it")
    text = lab.run("explain", "quick").stdout
    assert "Order 1 stands: suspend provider quick" in text and text.count("a test of it") == 2  # and in what happened lately
    assert lab.json("explain", "quick")["orders"][0]["order"] == 1
    lab.run("resume", "--provider", "quick")
    assert "stands" not in lab.run("explain", "quick").stdout and "resumed provider quick" in lab.run("explain", "quick").stdout
    assert "was not used" in lab.run("explain", "never").stdout
    said = lab.run("explain", "nonsense", ok=(4,)).stderr
    assert "no lane 'nonsense'" in said and "known: slow, quick, never" in said


# --- trace

def lines_of(lab, *args):
    return [json.loads(line) for line in lab.run("trace", "--json", *args).stdout.splitlines()]


def test_trace(lab):
    lines = lines_of(lab, "slow", "--to", "slow.test", "--all", "--count", "200", "--for", "60s")
    assert lines[0]["what"] == "begin" and lines[0]["provider"] == "slow" and ".slow.test [" in lines[0]["host"]
    assert len(lines) == 200 and {line["session"] for line in lines} == set(range(1, lines[-1]["session"] + 1))
    for session in {line["session"] for line in lines}:
        times = [line["seconds"] for line in lines if line["session"] == session]
        assert times == sorted(times)
    said = [line["text"] for line in lines if line["what"] == "sent"]
    assert any(re.fullmatch(r"\[[\d,]+ bytes\]", text) for text in said)
    assert any(text.startswith("RCPT TO:<u") for text in said) and not any("Dear A" in text for text in said)
    shown = lines_of(lab, "slow", "--all", "--count", "300", "--for", "60s", "--content")
    assert any("Dear A" in line.get("text", "") for line in shown)
    text = lab.run("trace", "slow", "--sessions", "2", "--count", "12", "--for", "60s").stdout.splitlines()
    assert re.match(r" *1 +[\d.]+ +\* session 1: slow from s", text[0])
    assert any(" > " in line for line in text) and any(" < " in line for line in text)


def test_trace_of_nothing(lab):
    began = time.monotonic()
    assert lines_of(lab, "nobody", "--for", "1s") == []
    assert time.monotonic() - began < 20
    assert "no campaign" in lab.run("trace", "--campaign", "autumn", ok=(4,)).stderr
    for wrong in (("--for", "soon"), ("--count", "0"), ("--sessions", "-1")):
        assert wrong[0][2:] in lab.run("trace", *wrong, ok=(2,)).stderr


def test_who_reads_slowly_holds_nobody_up(lab):
    """It is stopped in the middle: what it misses is counted, and mail goes on meanwhile."""
    child = subprocess.Popen(lab.command("trace", "--all", "--content", "--for", "60s"), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True)
    try:
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        before = delivered(lab, "slow")
        wait_for(lambda: delivered(lab, "slow") > before + 10)
    finally:
        child.kill()
        child.communicate(timeout=20)


# --- top

def test_frames(lab):
    frame = lab.run("top", "--once").stdout.splitlines()
    assert re.match(r"tsubame  \d\d:\d\d:\d\d UTC  1 campaign  [\d,]+ pending", frame[0])
    assert "messages/s" in frame[1] and any(line.startswith("LANE") for line in frame)
    seen = lab.json("top", "--once")
    assert seen["queue"]["campaigns"] == 1 and seen["counters"]["delivered"] > 0 and seen["lanes"]
    child = subprocess.Popen(lab.command("top", "--json", "--interval", "100ms"), stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(3):
            assert json.loads(child.stdout.readline())["ok"]
    finally:
        child.kill()
        child.communicate(timeout=20)
    assert "100ms to 1m" in lab.run("top", "--interval", "1h", ok=(2,)).stderr


class Screen:
    """A terminal with the program in it. What it has drawn is kept as it came."""

    def __init__(self, lab, *args, size=(24, 80)):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.child = subprocess.Popen(lab.command("top", *args), stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                      env={**os.environ, "TERM": "xterm", "NO_COLOR": ""}, start_new_session=True)
        self.text = ""

    def until(self, what, seconds=30):
        """Reads on until it is there, and returns what came before it."""
        until = time.monotonic() + seconds
        while what not in self.text:
            left = until - time.monotonic()
            assert left > 0, f"'{what}' did not come: {self.text[-3000:]!r}"
            if select.select([self.master], [], [], left)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
        before, self.text = self.text.split(what, 1)
        return before

    def until_frame(self, wanted, seconds=30):
        """Looks at whole frames, from the next one on."""
        until = time.monotonic() + seconds
        self.until("\x1b[H")
        while not wanted(self.until("\x1b[J", until - time.monotonic())):
            self.until("\x1b[H", until - time.monotonic())

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        code = self.child.wait(30)
        while select.select([self.master], [], [], 0.2)[0]:
            self.text += os.read(self.master, 65536).decode(errors="replace")
        given_back = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return code, given_back and "\x1b[?1049l" in self.text and "\x1b[?25h" in self.text


def test_live(lab):
    screen = Screen(lab, "--interval", "200ms")
    screen.until("\x1b[?1049h")
    screen.until("1 campaign")
    screen.until("[waiting]")
    screen.type("jp")
    screen.until("[provider]")
    screen.type("\x1b[B\x1b[Aw")
    screen.until("[waiting]")
    fcntl.ioctl(screen.master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 200, 0, 0))
    screen.until("LAST REPLY")
    screen.type("q")
    assert screen.end() == (0, True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGABRT])
def test_the_terminal_is_given_back(lab, how):
    screen = Screen(lab)
    screen.until("1 campaign")
    screen.child.send_signal(how)
    code, given_back = screen.end()
    assert given_back and code == (-signal.SIGABRT if how == signal.SIGABRT else 0)


def test_a_server_that_goes_and_comes(lab):
    """The last test: the server is another one afterwards."""
    screen = Screen(lab, "--interval", "100ms")
    screen.until("1 campaign")
    stop(lab.server)
    screen.until("The server does not answer since")
    for command in (("lanes",), ("queue",), ("explain", "slow"), ("trace",), ("top", "--once")):
        assert "no server is running" in lab.run(*command, ok=(4,)).stderr
    lab.server = serve(lab)
    screen.until_frame(lambda frame: "The server does not answer" not in frame and "1 campaign" in frame)
    screen.type("q")
    assert screen.end() == (0, True)
