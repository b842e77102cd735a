#!/usr/bin/python3
"""Rounds of kill -9 at random moments under load, with --powercut followed by the loss of all that was not synced.

    tests/crash/run_crash.py [--rounds 100] [--seed 1] [--powercut] [--jobs 1] [--state FILE] [--keep]

A round loads one to three campaigns and sends them, by a server or by `send` alone; meanwhile campaigns are held,
resumed and cancelled, addresses suppressed, backups taken. One to three times the program is killed at a random moment
and started again; at the end it runs until nothing is pending. Then every recipient is accounted for against the
receivers' own log: a second copy only for one that the ledger called uncertain; and one of the backups that were
finished is restored, verified, and must not know a delivery that never was. Each round is a line `ok ...` or
`FAILED ...`; the last line counts them. The folder of a failed round stays under build/crash/. With --state, rounds that
were right are noted in that file and not played again.
"""
import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import lab as laboratory  # noqa: E402

ROOT = laboratory.ROOT
KIT = ROOT / "build/release/tests"
SCENARIO = "tests/crash/crash.yaml"
DRAIN_S = 180


class Round:
    def __init__(self, lab, rng, powercut, parts):
        self.lab, self.rng, self.powercut, self.parts = lab, rng, powercut, parts
        self.journal = lab.folder / "journal"
        self.kills, self.sessions, self.cuts = 0, 0, []
        self.backups, self.doing = [], []  # finished ones; commands under way
        self.did = Counter()

    def environment(self):
        if not self.powercut:
            return {}
        self.lab.store.mkdir(exist_ok=True)
        self.journal.mkdir(exist_ok=True)
        return {"LD_PRELOAD": str(KIT / "libpowercut.so"), "POWERCUT_DIR": str(self.lab.store),
                "POWERCUT_JOURNAL": str(self.journal)}

    def start(self, *command):
        return self.lab.start(*command, env=self.environment())

    def send(self, name, *more):
        return self.start("send", "--template", self.lab.template, "--to", self.parts[name], "--name", name, *more)

    # --- What is asked of a server, without starting a program for it

    def campaigns(self):
        """Those that became ready, by name; None: no server answers."""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(30)
                s.connect(str(self.lab.store / "control.sock"))
                s.sendall(b'{"do":"status"}\n')
                text = b""
                while not text.endswith(b"\n"):
                    text += s.recv(1 << 20) or b"\n"
            return {row["name"]: row for row in json.loads(text)["campaigns"] if row["state"] != "loading"}
        except (OSError, ValueError, KeyError):
            return None

    def serve(self):
        child, until = self.start("serve"), time.monotonic() + 60
        while self.campaigns() is None:
            if child.poll() is not None or time.monotonic() > until:
                raise laboratory.LabError(f"serve ended with {child.returncode}: " + tail(self.lab.folder / "serve.log"))
            time.sleep(0.02)
        return child

    def load(self):
        """What is not there yet is handed to the server."""
        have = self.campaigns()
        for name in self.parts:
            if have is not None and name not in have and not any(name in c.args for c in self.doing if c.poll() is None):
                self.doing.append(self.send(name, "--detach"))

    def act(self):
        """Something that an operator or a timer does."""
        what = self.rng.choice(["hold", "resume", "resume", "suppress", "backup", "backup", "cancel"])
        name = self.rng.choice(list(self.parts))
        if what == "cancel" and (self.did["cancel"] or self.rng.random() < 0.7):
            return
        if what == "suppress":
            command = ("suppress", "add", *self.rng.sample(self.people, 20))
        elif what == "backup":
            command = ("backup", self.lab.folder / f"backup-{self.did['backup']}")
        else:
            command = (what, name, *(["--yes"] if what == "cancel" else []))
        self.did[what] += 1
        self.doing.append(self.start(*command))

    # --- Time passes

    def wait_a_moment(self, child):
        """A random time: of each four one from the start, when loading or recovering, three from the first session."""
        if self.rng.random() > 0.25:
            until = time.monotonic() + 10
            while child.poll() is None and time.monotonic() < until and not open_sessions(self.lab.smtp_port):
                time.sleep(0.02)
        end = time.monotonic() + self.rng.choice([0.02, 0.3, 1.0]) * self.rng.random()
        while time.monotonic() < end:
            if self.campaigns() is not None:
                self.act()
            time.sleep(self.rng.random() * 0.15)
        if self.rng.random() < 0.5:
            self.await_backups()

    def await_backups(self):
        until = time.monotonic() + 5
        while time.monotonic() < until and any("backup" in c.args and c.poll() is None for c in self.doing):
            time.sleep(0.02)

    def settle_commands(self, dead):
        """With the server dead they die too, as the machine did; else they come to their end."""
        for child in self.doing:
            if dead and child.poll() is None:
                child.kill()
            child.wait(120)
            if "backup" in child.args and child.returncode == 0:
                self.backups.append(Path(child.args[-1]))
        self.doing = []

    def kill(self, child):
        """Stops it first, so that the sessions counted are those open when it dies."""
        child.send_signal(signal.SIGSTOP)
        self.sessions += open_sessions(self.lab.smtp_port)
        child.kill()
        child.wait()
        self.settle_commands(dead=True)
        self.kills += 1
        if self.powercut:
            self.cut()

    def cut(self):
        seed = None if self.rng.random() < 0.5 else self.rng.randrange(1 << 32)
        self.cuts.append(seed)
        command = [KIT / "powercut-undo", self.lab.store, self.journal]
        subprocess.run(command if seed is None else [*command, "--seed", str(seed)], check=True,
                       stdout=subprocess.DEVNULL)

    def drain(self, child):
        """Everything loaded, nothing held, nothing pending."""
        until = time.monotonic() + DRAIN_S
        while True:
            rows = self.campaigns()
            if rows is None:
                raise laboratory.LabError(f"serve ended with {child.poll()}: " + tail(self.lab.folder / "serve.log"))
            self.load()
            for name, row in rows.items():
                if row["state"] == "held":
                    self.lab.run("resume", name)
            if len(rows) == len(self.parts) and all(row["pending"] == 0 for row in rows.values()):
                break
            if time.monotonic() > until:
                raise laboratory.LabError(f"still pending after {DRAIN_S} s: {rows}")
            time.sleep(0.1)
        self.settle_commands(dead=False)

    def run(self):
        alone = self.rng.random() < 0.3
        for turn in range(self.rng.randint(1, 3)):
            if alone and turn == 0:
                child = self.send(next(iter(self.parts)))
            else:
                child = self.serve()
                self.load()
            self.wait_a_moment(child)
            if child.poll() is None:
                self.kill(child)
        child = self.serve()
        self.drain(child)
        child.send_signal(signal.SIGTERM)
        if child.wait(60):
            raise laboratory.LabError(f"serve ended with {child.returncode}: " + tail(self.lab.folder / "serve.log"))


def open_sessions(port):
    """Connections to the receivers' port that are established."""
    wanted = f":{port:04X} 01 ".encode()
    return Path("/proc/net/tcp").read_bytes().count(wanted)


def tail(path, size=1500):
    return path.read_text(errors="replace")[-size:] if path.exists() else ""


# --- What became of it

def export_all(lab, names, *more):
    """All campaigns' recipients in one ledger.tsv."""
    texts = [lab.run("report", name, "--recipients", "--tsv", *more).stdout for name in names]
    lab.ledger.write_text(texts[0] + "".join(text.partition("\n")[2] for text in texts[1:]))


def check_backup(this):
    """One of the finished backups: whole, restorable, its sums right, and ahead of nothing that happened."""
    if not this.backups:
        return []
    lab, backup = this.lab, this.rng.choice(this.backups)
    store = lab.folder / "restored"
    lab.run("restore", backup, "--to", store)
    where = ("--set", f"store.path={store}", "--set", f"control.socket={store}/control.sock")
    faults = []
    copies = copies_of(lab.truth)
    for row in lab.json("status", *where)["campaigns"]:
        if row["state"] == "ready":
            faults.append(f"{row['name']} is not held after the restore")
        lab.run("report", row["name"], "--verify", *where)
        export_all(lab, [row["name"]], *where)
        faults += [f"the backup calls {r['address']} delivered, who got nothing"
                   for r in laboratory.read_tsv(lab.ledger) if r["state"] == "delivered" and not copies[r["address"].lower()]]
    return faults


def copies_of(truth):
    return Counter(r["rcpt"].lower() for r in laboratory.read_tsv(truth) if r["event"].startswith("accepted"))


def verdict(this):
    lab, faults = this.lab, check_backup(this)
    for name in this.parts:
        lab.run("report", name, "--verify")
    export_all(lab, list(this.parts))
    good, text = lab.check()
    faults += laboratory.account(lab.list, lab.truth, lab.ledger)
    unsure = sum(int(row["uncertain"]) for row in laboratory.read_tsv(lab.ledger))
    return faults + ([] if good else [text[-1500:]]), unsure


def cut_list(lab, rng):
    """The audience in one to three lists of different people."""
    head, *rows = lab.list.read_text().splitlines()
    count = rng.randint(1, 3)
    parts = {}
    for i in range(count):
        path = parts[f"part{i + 1}"] = lab.folder / f"part{i + 1}.csv"
        path.write_text("\n".join([head, *rows[i::count]]) + "\n")
    return parts, [row.split(",")[0] for row in rows]


def play(folder, number, args):
    rng = random.Random(f"{args.seed}/{number}")
    shutil.rmtree(folder, ignore_errors=True)
    with laboratory.Lab(folder, SCENARIO, ROOT / "build/release", ["--seed", number]) as lab:
        lab.audience(args.recipients, "--seed", number)
        lab.template.write_text(laboratory.TEMPLATE)
        lab.configure(deliver__retry__first="300ms", deliver__retry__most="2s", limits__connections=10, tls__mode="off",
                      deliver__helo="mail.swallow.example", store__map_size="1g")
        parts, people = cut_list(lab, rng)
        this = Round(lab, rng, args.powercut, parts)
        this.people = people
        this.run()
        lab.stop_sim()
        faults, unsure = verdict(this)
    ratio = unsure / this.sessions if this.sessions else 0.0
    lines = [f"{'FAILED' if faults else 'ok'} round {number}: campaigns={len(parts)} kills={this.kills} "
             f"sessions={this.sessions} uncertain={unsure} uncertain_per_session={ratio:.2f} "
             f"backups={len(this.backups)} did={','.join(f'{k}:{n}' for k, n in sorted(this.did.items()))}"
             + (f" cuts={this.cuts}" if args.powercut else "")]
    lines += ["    " + fault.replace("\n", "\n    ") for fault in faults[:10]]
    if not faults and not args.keep:
        shutil.rmtree(folder)
    return not faults, "\n".join(lines)


def attempt(folder, number, args):
    try:
        good, text = play(folder, number, args)
    except (laboratory.LabError, subprocess.SubprocessError, OSError, KeyError) as e:
        good, text = False, f"FAILED round {number}: {type(e).__name__}: {str(e)[-3000:]}"
    print(text, flush=True)
    if good and args.state:
        with open(args.state, "a") as state:
            state.write(f"{number}\n")
    return good


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rounds", type=int, default=100)
    args.add_argument("--first", type=int, default=1, help="number of the first round: to play one again")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--powercut", action="store_true")
    args.add_argument("--recipients", type=int, default=1500)
    args.add_argument("--jobs", type=int, default=1, help="rounds at a time")
    args.add_argument("--state", type=Path, help="file of the rounds that were right already")
    args.add_argument("--keep", action="store_true")
    given = args.parse_args()
    name = f"{'power' if given.powercut else 'kill'}-{given.seed}-{os.getpid()}"
    before = set(given.state.read_text().split()) if given.state and given.state.exists() else set()
    numbers = [n for n in range(given.first, given.first + given.rounds) if str(n) not in before]
    with ThreadPoolExecutor(given.jobs) as pool:
        results = list(pool.map(lambda n: attempt(ROOT / f"build/crash/{name}/{n}", n, given), numbers))
    good = sum(results) + given.rounds - len(numbers)
    print(f"{good} of {given.rounds} rounds were right")
    return 0 if good == given.rounds else 1


if __name__ == "__main__":
    sys.exit(main())
