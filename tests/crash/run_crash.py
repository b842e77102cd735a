#!/usr/bin/python3
"""Rounds of kill -9 at random moments under load, with --powercut followed by the loss of all that was not synced.

    tests/crash/run_crash.py [--rounds 100] [--seed 1] [--powercut] [--recipients 3000] [--keep]

A round loads a campaign and sends it; one to three times the program is killed at a random moment and started again;
at the end it runs until nothing is pending. Then every recipient is accounted for against the receivers' own log: a
second copy only for one that the ledger called uncertain. Each round is a line `ok ...` or `FAILED ...`; the last line
counts them. The folder of a failed round stays under build/crash/.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import lab as laboratory  # noqa: E402

ROOT = laboratory.ROOT
KIT = ROOT / "build/release/tests"
SCENARIO = "tests/crash/crash.yaml"
DRAIN_S = 120


class Round:
    def __init__(self, lab, rng, powercut):
        self.lab, self.rng, self.powercut = lab, rng, powercut
        self.journal = lab.folder / "journal"
        self.kills, self.sessions, self.cuts = 0, 0, []

    def environment(self):
        if not self.powercut:
            return {}
        self.lab.store.mkdir(exist_ok=True)
        self.journal.mkdir(exist_ok=True)
        return {"LD_PRELOAD": str(KIT / "libpowercut.so"), "POWERCUT_DIR": str(self.lab.store),
                "POWERCUT_JOURNAL": str(self.journal)}

    def start_send(self):
        return self.lab.start("send", "--template", self.lab.template, "--to", self.lab.list, env=self.environment())

    def start_serve(self):
        return self.lab.start("serve", env=self.environment())

    def kill(self, child):
        """Stops it first, so that the sessions counted are those open when it dies."""
        child.send_signal(signal.SIGSTOP)
        self.sessions += open_sessions(self.lab.smtp_port)
        child.kill()
        child.wait()
        self.kills += 1
        if self.powercut:
            self.cut()

    def cut(self):
        seed = None if self.rng.random() < 0.5 else self.rng.randrange(1 << 32)
        self.cuts.append(seed)
        command = [KIT / "powercut-undo", self.lab.store, self.journal]
        subprocess.run(command if seed is None else [*command, "--seed", str(seed)], check=True,
                       stdout=subprocess.DEVNULL)

    def campaigns(self):
        """Those that became ready, by number."""
        return {row["id"]: row for row in self.lab.json("status")["campaigns"] if row["state"] != "loading"}

    def wait_for_server(self, child):
        until = time.monotonic() + 30
        while True:
            if child.poll() is not None:
                raise laboratory.LabError(f"serve ended with {child.returncode}: " + tail(self.lab.folder / "serve.log"))
            try:
                return self.campaigns()
            except laboratory.LabError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def drain(self, child):
        until = time.monotonic() + DRAIN_S
        while True:
            rows = self.wait_for_server(child)
            if rows and all(row["pending"] == 0 for row in rows.values()):
                return list(rows)
            if time.monotonic() > until:
                raise laboratory.LabError(f"still pending after {DRAIN_S} s: {rows}")
            time.sleep(0.1)

    def run(self):
        child = self.start_send()
        for _ in range(self.rng.randint(1, 3)):
            self.wait_a_moment(child)
            if child.poll() is None:
                self.kill(child)
            child = self.again()
        ids = self.drain(child)
        child.send_signal(signal.SIGTERM)
        if child.wait(60):
            raise laboratory.LabError(f"serve ended with {child.returncode}: " + tail(self.lab.folder / "serve.log"))
        return ids

    def wait_a_moment(self, child):
        """A random time: of each four one from the start, when loading or recovering, three from the first session."""
        if self.rng.random() > 0.25:
            until = time.monotonic() + 20
            while child.poll() is None and time.monotonic() < until and not open_sessions(self.lab.smtp_port):
                time.sleep(0.005)
        time.sleep(self.rng.choice([0.02, 0.3, 1.5]) * self.rng.random())

    def again(self):
        """Starts once more: the server for a campaign that is ready, else `send` from the beginning."""
        child = self.start_serve()
        if self.wait_for_server(child):
            return child
        child.send_signal(signal.SIGTERM)
        child.wait(60)
        sender = self.start_send()
        self.wait_a_moment(sender)
        if sender.poll() is None:
            self.kill(sender)
        return self.again()


def open_sessions(port):
    """Connections to the receivers' port that are established."""
    wanted = f":{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[2].endswith(wanted) and row[3] == "01" for row in rows)


def tail(path, size=1500):
    return path.read_text(errors="replace")[-size:] if path.exists() else ""


def verdict(lab, ids):
    if len(ids) != 1:
        return [f"{len(ids)} campaigns became ready: {ids}"], 0
    lab.export(str(ids[0]))
    good, text = lab.check()
    faults = laboratory.account(lab.list, lab.truth, lab.ledger)
    unsure = sum(int(row["uncertain"]) for row in laboratory.read_tsv(lab.ledger))
    return faults + ([] if good else [text[-1500:]]), unsure


def play(folder, number, args):
    rng = random.Random(f"{args.seed}/{number}")
    shutil.rmtree(folder, ignore_errors=True)
    with laboratory.Lab(folder, SCENARIO, ROOT / "build/release", ["--seed", number]) as lab:
        lab.audience(args.recipients, "--seed", number)
        lab.template.write_text(laboratory.TEMPLATE)
        lab.configure(deliver__retry__first="300ms", deliver__retry__most="2s", limits__connections=10, tls__mode="off",
                      deliver__helo="mail.swallow.example", store__map_size="1g")
        this = Round(lab, rng, args.powercut)
        ids = this.run()
        lab.stop_sim()
        faults, unsure = verdict(lab, ids)
    ratio = unsure / this.sessions if this.sessions else 0.0
    print(f"{'FAILED' if faults else 'ok'} round {number}: kills={this.kills} sessions={this.sessions} uncertain={unsure} "
          f"uncertain_per_session={ratio:.2f}" + (f" cuts={this.cuts}" if args.powercut else ""))
    for fault in faults[:10]:
        print("    " + fault.replace("\n", "\n    "))
    if not faults and not args.keep:
        shutil.rmtree(folder)
    return not faults


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rounds", type=int, default=100)
    args.add_argument("--first", type=int, default=1, help="number of the first round: to play one again")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--powercut", action="store_true")
    args.add_argument("--recipients", type=int, default=3000)
    args.add_argument("--keep", action="store_true")
    given = args.parse_args()
    name = f"{'power' if given.powercut else 'kill'}-{given.seed}-{os.getpid()}"
    good = 0
    for number in range(given.first, given.first + given.rounds):
        try:
            good += play(ROOT / f"build/crash/{name}/{number}", number, given)
        except (laboratory.LabError, subprocess.SubprocessError, OSError, KeyError) as e:
            print(f"FAILED round {number}: {type(e).__name__}: {str(e)[-3000:]}")
        sys.stdout.flush()
    print(f"{good} of {given.rounds} rounds were right")
    return 0 if good == given.rounds else 1


if __name__ == "__main__":
    sys.exit(main())
