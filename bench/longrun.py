"""The figures of a server that stands long: many open sessions, and hours of mixed work."""
import json
import os
import signal
import socket
import statistics
import subprocess
import time
from pathlib import Path

import kit
import lab as laboratory

SCENARIO = """\
seed: 9
defaults: {{latency: {{connect: 20, command: 10, data: {hold_ms}, jitter: 0}}, tls: {{mode: {tls}}}}}
providers:
  - {{name: tail, weight: 9, domains: {{pattern: "d{{}}.tail.test", count: {most}}}, hosts: {{own: 1}}}}
  - {{name: slow, weight: 1, domains: {{pattern: "s{{}}.slow.test", count: {few}}}, hosts: {{own: 1}},
     latency: {{connect: 3000, command: 1500}}}}
"""
MIXED = """\
seed: 4
defaults:
  latency: {connect: 10, command: 1, data: 10}
  users: {unknown: 0.02}
providers:
  - {name: big, weight: 40, domains: [big.test], hosts: [mx1.big.test, mx2.big.test], limits: {connections: 20},
     faults: [{step: dot, do: drop, chance: 0.005}, {step: rcpt, do: reset, chance: 0.005}]}
  - {name: grey, weight: 10, domains: [grey.test], hosts: [mx.grey.test], greylist: {share: 0.3, delay: 1}}
  - {name: picky, weight: 20, domains: [picky.test], hosts: [mx.picky.test], defer: {rcpt: 0.05, data: 0.02},
     tls: {mode: offer}}
  - {name: tail, weight: 30, domains: {pattern: "d{}.tail.test", count: 3000}, hosts: {own: 1},
     tls: {mode: offer}, faults: [{step: greeting, do: drop, chance: 0.01}]}
"""


def ask(lab, what="status"):
    """The server's own answer, without a program in between."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(str(lab.store / "control.sock"))
        s.sendall(json.dumps({"do": what}).encode() + b"\n")
        text = b""
        while not text.endswith(b"\n"):
            text += s.recv(1 << 20)
    return json.loads(text)


def serving(lab, **more):
    child = lab.start("serve", **more)
    until = time.monotonic() + 60
    while time.monotonic() < until and child.poll() is None:
        try:
            ask(lab)
            return child
        except OSError:
            time.sleep(0.05)
    raise laboratory.LabError("the server did not start: " + (lab.folder / "serve.log").read_text()[-1000:])


def cpu_s(pid):
    """Of the threads that run now, to the nanosecond: /proc/PID/stat counts ticks, and whoever wakes by a timer is on
    the processor just when it ticks."""
    return sum(int(f.read_text().split()[0]) for f in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def settle(lab, pid, limit_s=400):
    """Until nothing happens: the slow ones have come to their content too. Quiet alone does not say so, for a busy
    machine's fake internet may just not have come to answer: nobody is newly on the wire either."""
    until = time.monotonic() + limit_s
    quiet, leased = 0, -1
    while quiet < 4 and time.monotonic() < until:
        used, before = cpu_s(pid), leased
        time.sleep(4)
        leased = sum(c["leased"] for c in ask(lab)["campaigns"])
        quiet = quiet + 1 if cpu_s(pid) - used < 0.1 and leased == before else 0


def sessions(bench, tls):
    """10,000 sessions, each with a mail whose final dot is not answered: KB of anonymous memory each, and the share of
    one processor that is used while nothing happens."""
    count, hosts = bench.count(10000), bench.count(3000)
    name = "sessions-tls" if tls else "sessions"
    scenario = bench.folder / f"{name}.yaml"
    bench.folder.mkdir(parents=True, exist_ok=True)
    scenario.write_text(SCENARIO.format(hold_ms=600000, tls="require" if tls else "off", most=hosts * 9 // 10,
                                        few=max(1, hosts // 10)))
    with bench.lab(name, scenario) as lab:
        lab.audience(hosts * 100)  # a session for each 16 that wait
        bench.configure(lab, False, tls, deliver__max_sessions=count * 3 // 2, limits__connections=4,
                        limits__messages_per_connection=0)
        child = serving(lab)
        time.sleep(2)
        before = kit.anonymous_bytes(child.pid)
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "many", "--detach")
        until, open_ = time.monotonic() + 600, 0
        while time.monotonic() < until and open_ < count * 0.995:
            time.sleep(1)
            open_ = ask(lab)["counters"]["sessions_open"]
        established = sum(1 for line in open(f"/proc/{child.pid}/net/tcp") if line.split()[2].endswith(f":{lab.smtp_port:04X}")
                          and line.split()[3] == "01")
        settle(lab, child.pid)
        memory = kit.anonymous_bytes(child.pid)
        start, used = time.monotonic(), cpu_s(child.pid)
        time.sleep(30 if bench.scale == 1 else 10)
        idle = (cpu_s(child.pid) - used) / (time.monotonic() - start) * 100
        open_ = ask(lab)["counters"]["sessions_open"]
        child.kill()
        child.wait()
        lab.stop_sim()
    each = (memory - before) / max(1, open_) / 1024
    bench.notes.append(f"{name}: {open_} sessions ({established} connected) to {hosts} hosts, {before >> 20} MB before, "
                       f"{memory >> 20} MB with them: {each:.1f} KB each; idle {idle:.2f} % of a processor")
    if open_ < count * 0.95:
        raise laboratory.LabError(f"only {open_} of {count} sessions were open")
    return each, idle


def disk_bytes(folder):
    """What the store takes beyond its data: history.db, which keeps what became of everybody, and the lists of those it
    names in segments/; both are pruned by age."""
    return sum(f.stat().st_blocks * 512 for f in folder.rglob("*")
               if f.is_file() and not f.name.startswith("history") and f.parent.name != "segments")


def soak(bench):
    """Half an hour of campaigns, holds, cancels, suppressions, backups, refusals and broken sessions; samples are taken
    when nothing is under way and the server has given back what the work took. The first third warms up: caches come to
    their bounds. Growth over the rest, as a line through all its samples tells it: MB of anonymous memory,
    descriptors, MB of disk beyond the data."""
    scenario = bench.folder / "soak.yaml"
    bench.folder.mkdir(parents=True, exist_ok=True)
    scenario.write_text(MIXED)
    seconds = max(60, 1800 * bench.scale)
    samples, sent, number = [], 0, 0
    with bench.lab("soak", scenario, more=()) as lab:
        bench.configure(lab, False, tls__mode="opportunistic", tls__ca_file=str(lab.folder / "tls/ca.pem"),
                        deliver__retry__first="500ms", deliver__retry__most="2s", deliver__idle="2s",
                        deliver__private_hosts=True)
        child = serving(lab)
        sent += wave(lab, "warm", max(1500, int(100000 * bench.scale)))  # fills SQLite's page caches, 2 MB each
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            sent += wave(lab, number)
            number += 1
            time.sleep(12)  # sessions end, a checkpoint is written, free memory goes back (every 10 s)
            samples.append((time.monotonic() - start, kit.anonymous_bytes(child.pid), len(os.listdir(f"/proc/{child.pid}/fd")),
                            disk_bytes(lab.store), (lab.store / "history.db").stat().st_size))
        child.send_signal(signal.SIGTERM)
        child.wait(60)
    rest = samples[len(samples) // 3:]
    if len(rest) < 4:
        raise laboratory.LabError("too few samples")
    growth = [slope([s[0] for s in rest], [s[i] for s in rest]) * (rest[-1][0] - rest[0][0]) for i in (1, 2, 3)]
    first, warm, last = samples[0], rest[0], samples[-1]
    bench.notes.append(f"soak: {seconds:.0f} s, {sent} recipients in {number} waves; at the first, warm, at the last: memory "
                       f"{first[1] >> 10}, {warm[1] >> 10}, {last[1] >> 10} KB; descriptors {first[2]}, {warm[2]}, "
                       f"{last[2]}; disk {first[3] >> 10}, {warm[3] >> 10}, {last[3] >> 10} KB; history {first[4] >> 10}, "
                       f"{last[4] >> 10} KB")
    (bench.folder / "soak.json").write_text(json.dumps(samples))
    return growth[0] / (1 << 20), growth[1], growth[2] / (1 << 20)


def slope(times, values):
    """The middle one of the slopes between all pairs (Theil and Sen): a single outlier does not turn it."""
    pairs = [(b - a, w - v) for i, (a, v) in enumerate(zip(times, values))
             for b, w in list(zip(times, values))[i + 1:]]
    return statistics.median(rise / run for run, rise in pairs)


def wave(lab, number, count=1500):
    """Two campaigns of so many recipients and what an operator does meanwhile, to their end; how many were sent to."""
    names = [f"wave-{number}-{i}" for i in range(2)]
    for i, name in enumerate(names):
        lab.audience(count, "--seed", str(number * 2 + i if number != "warm" else 1000000 + i))
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", name, "--detach")
    lab.run("hold", names[0], ok=(0, 1))  # 1: it is at its end already
    lab.run("suppress", "add", lab.list.read_text().splitlines()[7].split(",")[0])
    backup = lab.folder / "backup"
    subprocess.run(["rm", "-rf", backup], check=True)
    lab.run("backup", backup)
    lab.run("resume", names[0], ok=(0, 1))
    if number != "warm" and number % 3 == 0:
        lab.run("cancel", "--yes", names[1], ok=(0, 1))
    until = time.monotonic() + 120 + count / 50
    while any(c["pending"] for c in ask(lab)["campaigns"]):
        if time.monotonic() > until:
            raise laboratory.LabError(f"wave {number} does not come to its end")
        time.sleep(0.2)
    return 2 * count
