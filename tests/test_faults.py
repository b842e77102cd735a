"""The machine around Tsubame fails: its clock, its DNS, its descriptors, its disk, its memory, its processors. What is
expected: no mail is lost, none is sent twice, and work goes on by itself when the fault is over."""
import errno
import mmap
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from common import FAST, ROOT, equation_holds, laboratory, rows_of, serve, stop, wait_for

DAY = 86400
MX = 15  # the type of record
SCENARIO = """\
seed: 5
defaults: {latency: {connect: 1, command: 0, data: 0}}
providers:
  - {name: big, weight: 3, domains: [big.test], hosts: [mx.big.test]}
  - {name: many, weight: 2, domains: {pattern: "d{}.many.test", count: 40}, hosts: {own: 1}}
"""
BUSY = SCENARIO.replace("hosts: [mx.big.test]}", "hosts: [mx.big.test], manner: google, users: {full: 1}}")  # said of mailboxes: no limit of the lane


def laboratory_with(tmp_path, scenario, build):
    path = tmp_path / "scenario.yaml"
    path.write_text(scenario)
    lab = laboratory.Lab(tmp_path / "lab", path, build)
    lab.template.write_text(laboratory.TEMPLATE)
    return lab


class Faults:
    """What tests/crash/faults.c reads. Sanitizers want to be loaded first themselves, so it goes with the release build."""

    def __init__(self, path):
        path.write_bytes(bytes(80))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 80)
        self.env = {"LD_PRELOAD": str(ROOT / "build/release/tests/libfaults.so"), "FAULTS": str(path)}

    def clock(self, seconds):
        self.map[0:8] = struct.pack("q", seconds)

    def disk(self, error, path=""):
        self.map[12:76] = path.encode().ljust(64, b"\0")
        self.map[8:12] = struct.pack("i", error)


@pytest.fixture
def faulty(tmp_path, request):
    with laboratory_with(tmp_path, getattr(request, "param", SCENARIO), ROOT / "build/release") as it:
        it.faults = Faults(tmp_path / "faults")
        it.configure(**FAST)
        yield it


def started(lab):
    return serve(lab, env=lab.faults.env)


def send(lab, name="x"):
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", name, "--detach")


def campaign(lab):
    return lab.json("status")["campaigns"][0]


def events(lab, kind):
    return sum(row["event"].startswith(kind) for row in laboratory.read_tsv(lab.truth))


def done(lab, seconds=90):
    return wait_for(lambda: campaign(lab)["pending"] == 0, seconds)


def all_right(lab, name="x"):
    """After the server has ended: sums, and the receivers' log against the ledger."""
    lab.run("report", name, "--verify")
    lab.export(name)
    lab.stop_sim()
    good, text = lab.check()
    assert good, text
    assert not laboratory.account(lab.list, lab.truth, lab.ledger)


# --- the clock

@pytest.mark.parametrize("faulty", [BUSY], indirect=True)
def test_the_clock_jumps_by_a_day(faulty):
    lab = faulty
    lab.audience(60)
    lab.configure(**{**FAST, "deliver__retry": {"first": "6s", "most": "6s", "factor": "1"}}, deliver__expire="10h")
    server = started(lab)
    send(lab)
    wait_for(lambda: 20 < campaign(lab)["pending"] <= events(lab, "deferred") and events(lab, "accepted") > 10)
    waiting = campaign(lab)["pending"]
    delivered = events(lab, "accepted")
    for jump, soonest, latest in ((DAY, 1.5, 15), (0, 4, 30)):  # forth, and back
        before, since = events(lab, "deferred"), time.monotonic()
        lab.faults.clock(jump)
        wait_for(lambda: events(lab, "deferred") > before, latest)
        assert time.monotonic() - since > soonest - 1  # not at once
        wait_for(lambda: events(lab, "deferred") >= before + waiting, latest)
        now = campaign(lab)
        assert now["expired"] == 0 and now["pending"] == waiting and equation_holds(now)
    assert "event=clock-jumped" in (lab.folder / "serve.log").read_text()
    stop(server)
    for jump in (-DAY, DAY):  # between two runs
        lab.faults.clock(jump)
        before = events(lab, "deferred")
        server = started(lab)
        wait_for(lambda: events(lab, "deferred") >= before + (waiting if jump < 0 else 0), 40)
        if jump < 0:
            assert campaign(lab)["expired"] == 0
        stop(server)
    # A day ahead, 10 hours are over: the same as a day out of work. Nobody got two mails.
    assert campaign(lab)["pending"] + campaign(lab)["expired"] == waiting
    assert events(lab, "accepted") == delivered == campaign(lab)["delivered"]
    lab.run("report", "x", "--verify")


def test_dates_follow_the_clock_at_once(faulty):
    lab = faulty
    lab.audience(20)
    lab.configure(**FAST, deliver__expire="1h")
    server = started(lab)
    lab.faults.clock(-DAY)
    send(lab)  # an hour, of a clock that was just put back
    done(lab)
    now = campaign(lab)
    assert now["expired"] == 0 and now["delivered"] > 10
    told = rows_of(lab.run("report", "x", "--recipients").stdout)
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAY))
    assert {row["time"][:10] for row in told} <= {yesterday, time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAY - 60))}
    stop(server)


# --- DNS

class FalseDNS:
    """A resolver between Tsubame and the fake internet: it tells the truth, nothing, or lies."""

    def __init__(self, truth):
        host, port = truth.rsplit(":", 1) if ":" in truth else truth.rsplit("@", 1)
        self.true, self.mode, self.ending = (host.strip("[]"), int(port)), "truth", False
        self.exchangers = 0
        self.asked = Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def close(self):
        self.ending = True
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()

    def run(self):
        while not self.ending:
            question, client = self.socket.recvfrom(4096)
            if len(question) < 17:
                continue
            self.asked[self.mode, self.type_of(question)] += 1
            answer = getattr(self, self.mode)(question)
            if answer:
                self.socket.sendto(answer, client)

    def truth(self, question):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(question, self.true)
            return s.recv(65535)

    @staticmethod
    def type_of(question):
        return question[question.index(b"\0", 12) + 2]

    def count(self, mode):
        return sum(n for (said, _), n in self.asked.items() if said == mode)

    @staticmethod
    def made(question, code=0, records=b"", count=0, bits=0x8180):
        at = 12
        while question[at]:
            at += 1 + question[at]
        return question[:2] + struct.pack(">HHHHH", bits | code, 1, count, 0, 0) + question[12:at + 5] + records

    @staticmethod
    def record(kind, data, name=b"\xc0\x0c"):
        return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data

    def dead(self, question):
        return None

    def nothing_exists(self, question):
        return self.made(question, code=3)

    def garbage(self, question):
        return question[:2] + b"\x81\x80" + os.urandom(60)

    def of_another_name(self, question):
        other = question[:12] + b"\x05other\x04test\x00\x00\x0f\x00\x01"
        return self.made(other, records=self.record(1, bytes([127, 1, 0, 1])), count=1)

    def circle(self, question):
        return self.made(question, records=self.record(5, b"\xc0\x0c"), count=1)

    def cut(self, question):
        return self.made(question, bits=0x8380)

    def too_many(self, question):
        """The first is the true one."""
        if self.type_of(question) != MX:
            return self.truth(question)
        names = b"".join(self.record(MX, struct.pack(">H", i) + (b"\3mx1" if i == 0 else b"\5x%04d" % i) + b"\xc0\x0c")
                         for i in range(self.exchangers))
        return self.made(question, records=names, count=self.exchangers)

    def private(self, question):
        kind = self.type_of(question)
        if kind == MX:
            return self.made(question, records=self.record(MX, b"\0\1\2mx\xc0\x0c"), count=1)
        return self.made(question, records=self.record(1, bytes([10, 0, 0, 7])), count=1) if kind == 1 \
            else self.made(question)


@pytest.fixture
def false_dns(lab):
    dns = FalseDNS(lab.dns)
    dns.tell = lambda mode: setattr(dns, "mode", mode)
    lab.dns = dns.address
    lab.configure(**FAST)
    yield dns
    dns.close()


LIES = ["dead", "garbage", "of_another_name", "circle", "cut"]


@pytest.mark.parametrize("lie", LIES)
def test_dns_that_says_nothing_of_use(lab, false_dns, lie):
    """Nothing fails: recipients wait, and are served when it is back."""
    lab.audience(60)
    false_dns.tell(lie)
    server = serve(lab)
    send(lab)
    wait_for(lambda: false_dns.count(lie) > 5)
    time.sleep(2)
    now = campaign(lab)
    assert now["failed"] == 0 and now["pending"] == 60 and now["delivered"] == 0
    false_dns.tell("truth")
    done(lab, 120)
    stop(server)
    all_right(lab)
    assert lab.json("report", "x")["delivered"] == 60 - lab.json("report", "x")["failed"]


def test_dns_where_suddenly_nothing_exists(lab, false_dns):
    """NXDOMAIN for everything, in the midst of a campaign: at most one domain that was never seen is lost to it."""
    lab.audience(400)
    lab.configure(**FAST, limits__messages_per_second=60)
    false_dns.tell("truth")
    lab.list.write_text("\n".join(line for line in lab.list.read_text().splitlines() if "@big" in line or "email" in line)
                        + "\n")
    server = serve(lab)
    send(lab, "first")  # one domain is known
    done(lab)
    false_dns.tell("nothing_exists")
    lab.audience(300)
    lab.list.write_text("\n".join(l for l in lab.list.read_text().splitlines() if "@big" not in l) + "\n")
    send(lab)
    wait_for(lambda: false_dns.count("nothing_exists") > 10)
    time.sleep(2)
    now = campaign(lab)
    domains = {row["address"].partition("@")[2] for row in rows_of(lab.run("report", "x", "--recipients").stdout)
               if row["state"] == "failed" and row["text"].startswith("NXDOMAIN")}
    assert len(domains) <= 1, domains
    assert now["pending"] > 100
    told = lab.json("report", "x")["reasons"]
    assert any("is not believed" in r["example"] for r in told if r["state"] != "failed"), told
    assert "event=dns-not-believed" in (lab.folder / "serve.log").read_text()
    false_dns.tell("truth")
    done(lab, 120)
    stop(server)
    assert lab.json("report", "x")["delivered"] > 100


def test_a_domain_that_never_was_fails(lab, false_dns):
    false_dns.tell("truth")
    lab.list.write_text("email,name,city,company,amount\n" + "".join(
        f"a@{d},A,B,C,1\n" for d in ["big.test", *(f"no{i}.nowhere.test" for i in range(6))]))
    told = lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "x", timeout=60)
    assert "7 planned = 1 delivered + 6 failed" in told.stdout, told.stdout


def one(lab, domain="d1.many.test"):
    lab.list.write_text(f"email,name,city,company,amount\na@{domain},A,B,C,1\n")
    return lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "x", ok=(0, 1), timeout=60).stdout


def test_dns_with_hundreds_of_exchangers(lab, false_dns):
    """The best are asked for, the mail goes to the first of them; the rest costs no questions."""
    false_dns.exchangers = 600
    false_dns.tell("too_many")
    told = one(lab)
    assert "1 delivered" in told and events(lab, "accepted") == 1, lab.json("report", "x")["reasons"]
    assert 1 <= false_dns.asked["too_many", 1] <= 64, false_dns.asked


def test_dns_with_more_exchangers_than_fit_in_an_answer(lab, false_dns):
    """What is cut off is not "no exchangers": the recipient waits. (2,700 fill a datagram; as libunbound writes them down, more.)"""
    lab.configure(**FAST, deliver__expire="3s")
    false_dns.exchangers = 2700
    false_dns.tell("too_many")
    told = one(lab)
    assert "1 expired" in told, lab.json("report", "x")["reasons"]
    assert "cut short" in lab.json("report", "x")["reasons"][0]["example"]


def test_dns_with_private_exchangers(lab, false_dns):
    lab.configure(**FAST, deliver__private_hosts=False)
    false_dns.tell("private")
    told = one(lab)
    assert "1 failed" in told and "10.0.0.7" in lab.json("report", "x")["reasons"][0]["example"]
    assert events(lab, "accepted") == 0


# --- what a process may have

def cpu_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_descriptors_used_up(lab):
    """Sessions that find no descriptor wait; nothing spins; it goes on when there are some."""
    lab.audience(300)
    lab.configure(**FAST, deliver__max_sessions=100)
    server = serve(lab)
    used = len(os.listdir(f"/proc/{server.pid}/fd"))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 1, resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[1]))
    sending = lab.start("send", "--template", lab.template, "--to", lab.list, "--name", "x", "--detach")
    time.sleep(2)
    before, since = cpu_of(server.pid), time.monotonic()
    time.sleep(3)
    assert (cpu_of(server.pid) - before) / (time.monotonic() - since) < 0.5
    assert server.poll() is None
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 200, resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[1]))
    if sending.wait(60):
        send(lab)  # it was refused in words, or cut off
    done(lab)
    stop(server)
    all_right(lab)


def test_a_low_limit_of_descriptors_is_told(lab):
    def low():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    told = subprocess.run(["setpriv", "--bounding-set=-sys_resource", *lab.command("serve")] if os.geteuid() == 0
                           else lab.command("serve"), capture_output=True, text=True, preexec_fn=low, timeout=60)
    assert told.returncode != 0 and "open files" in told.stderr and "64 are allowed" in told.stderr, told.stderr


def test_short_memory_is_told(faulty):
    """Not enough address space even for the start: a clear word, no crash."""
    lab = faulty

    def little():
        resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))
    told = subprocess.run(lab.command("serve"), capture_output=True, text=True, preexec_fn=little, timeout=60)
    assert told.returncode in (1, 5) and re.search("tsubame: .*(memory|allocate)", told.stderr), told


def test_a_starved_core_makes_nobody_uncertain(lab):
    """One processor, shared with busy loops: slow, but no time-out is taken for the receiver's silence."""
    lab.audience(300)
    core = min(os.sched_getaffinity(0))
    busy = [subprocess.Popen(["taskset", "-c", str(core), "sh", "-c", "while :; do :; done"]) for _ in range(3)]
    try:
        child = lab.start("send", "--template", lab.template, "--to", lab.list, "--name", "x",
                          preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        for _ in range(3):  # and stopped altogether for a while
            time.sleep(0.4)
            if child.poll() is None:
                child.send_signal(signal.SIGSTOP)
                time.sleep(0.7)
                child.send_signal(signal.SIGCONT)
        assert child.wait(120) == 0
    finally:
        for b in busy:
            b.kill()
            b.wait()
    assert lab.json("report", "x")["uncertain"] == 0
    all_right(lab)
    assert not [r for r in laboratory.read_tsv(lab.ledger) if int(r["uncertain"])]


# --- the disk

@pytest.mark.parametrize("error,path", [("ENOSPC", "history.db"), ("EIO", "history.db"), ("ENOSPC", "ledger.mdb"),
                                        ("EROFS", "/data/"), ("EIO", "ledger.mdb")])
def test_a_disk_that_fails_for_a_while(faulty, error, path):
    lab = faulty
    lab.audience(300)
    lab.configure(**FAST, limits__messages_per_second=80)
    server = started(lab)
    send(lab)
    wait_for(lambda: events(lab, "accepted") > 40)
    lab.faults.disk(getattr(errno, error), path)
    time.sleep(4.5)
    if path == "history.db":
        assert server.poll() is None, (lab.folder / "serve.log").read_text()
        wait_for(lambda: events(lab, "accepted") > 150)  # which holds nothing up
    else:
        sent = events(lab, "accepted")
        time.sleep(1)
        assert events(lab, "accepted") == sent < 280  # what can't be written down is not sent
        assert server.poll() is not None or lab.json("status")["counters"]["trouble"]
    lab.faults.disk(0)
    # After a failed write of the ledger's root only a new process can go on: the server ends to be started again.
    wait_for(lambda: server.poll() is not None or campaign(lab)["pending"] == 0, 90)
    if server.poll() is not None:
        assert server.returncode == 1 and "event=ledger-broken" in (lab.folder / "serve.log").read_text()
        assert path != "history.db"
        server = started(lab)
    done(lab)
    stop(server)
    all_right(lab)
