"""A laboratory for Tsubame: the fake internet, a configuration and an audience in one folder.

Used by tools/demo, tools/bench, the crash rounds and the end-to-end tests. What it starts it ends, by process.

    with Lab(folder, "sim/scenarios/demo.yaml") as lab:
        lab.audience(1000)
        lab.run("send", "--template", lab.template, "--to", lab.list)
"""
import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What a recipient's state in the ledger says about copies at the receiver.
FINAL = {"delivered", "failed", "suppressed", "cancelled", "expired"}
TEMPLATE = """\
from: "Swallow <news@swallow.example>"
to_name: "{{name}}"
subject: "{{name}}, a word from {{city}}"
text: |
  Dear {{name}},

  {{company}} owes you {{amount}}.
"""


class LabError(Exception):
    """Something did not do what it must; the text says what."""


class Lab:
    def __init__(self, folder, scenario, build=None, sim_args=(), prefix=()):
        self.folder, self.scenario = Path(folder).resolve(), ROOT / scenario
        self.build = Path(build or ROOT / os.environ.get("TSUBAME_BUILD", "build/release")).resolve()
        self.program, self.sim_program = self.build / "program/tsubame", self.build / "sim/tsubame-sim"
        self.sim_args, self.prefix = list(map(str, sim_args)), list(map(str, prefix))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.list, self.template = self.folder / "list.csv", self.folder / "template.yaml"
        self.truth, self.store = self.folder / "truth.tsv", self.folder / "data"
        self.config, self.ledger = self.folder / "tsubame.yaml", self.folder / "ledger.tsv"
        self.sim = None
        self.children = []

    def __enter__(self):
        self.start_sim()
        return self

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        self.stop_sim()

    # --- The fake internet

    def start_sim(self):
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        log = open(self.folder / "sim.log", "w")
        self.sim = subprocess.Popen([self.sim_program, "run", self.scenario, "--truth", self.truth, "--smtp-port", "0",
                                     "--dns-port", "0", "--tls-dir", self.folder / "tls", "--ready-file", ready,
                                     "--json", *self.sim_args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=log, text=True)
        until = time.monotonic() + 60
        while not ready.exists():
            if self.sim.poll() is not None or time.monotonic() > until:
                raise LabError("tsubame-sim did not start: " + (self.folder / "sim.log").read_text())
            time.sleep(0.02)
        values = dict(line.split("=", 1) for line in ready.read_text().split())
        self.dns, self.smtp_port = values["dns"], int(values["smtp"])

    def stop_sim(self):
        """Ends it; its totals."""
        if not self.sim:
            return {}
        sim, self.sim = self.sim, None
        if sim.poll() is None:
            sim.send_signal(signal.SIGTERM)
        try:
            text, _ = sim.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            sim.kill()
            raise LabError("tsubame-sim did not end") from None
        return json.loads(text) if text.strip() else {}

    # --- What Tsubame is given

    def audience(self, count, *more):
        with open(self.list, "wb") as out:
            subprocess.run([self.sim_program, "audience", self.scenario, "--count", str(count), *map(str, more)],
                           stdout=out, check=True)

    def configure(self, base=None, **values):
        """Writes the configuration: a file to begin with, then keys with `__` for their dots."""
        have = {"store__path": str(self.store), "store__reserve": "4m", "dns__servers": [self.dns],
                "deliver__port": self.smtp_port, "deliver__private_hosts": True,
                "metrics__listen": "off", **({"run__user": "root"} if os.geteuid() == 0 else {}), **values}
        lines = [f"{key.replace('__', '.')}: {json.dumps(value)}" for key, value in have.items()]
        text = Path(base).read_text() if base else ""
        self.config.write_text(text + "\n".join(lines) + "\n")

    def dkim_key(self, selector, algorithm="rsa", domain="swallow.example"):
        """Makes a key (kept): an item for the configuration's list, and its DNS record as (name, value)."""
        path = self.folder / f"{selector}.pem"
        how = ["--show", path] if path.exists() else ["--algorithm", algorithm, "--out", path]
        done = subprocess.run([self.program, "dkim-key", "--domain", domain, "--selector", selector, "--json", *how],
                              check=True, capture_output=True, text=True)
        record = json.loads(done.stdout)
        return {"domain": domain, "selector": selector, "key_file": str(path)}, (record["name"], record["value"])

    # --- Tsubame

    def command(self, name, *args):
        return [*self.prefix, str(self.program), name, "--config", str(self.config), *map(str, args)]

    def start(self, name, *args, env=None, **more):
        """Starts a command; its output goes to NAME.log and NAME.out in the folder."""
        more.setdefault("stdout", open(self.folder / f"{name}.out", "a"))
        more.setdefault("stderr", open(self.folder / f"{name}.log", "a"))
        child = subprocess.Popen(self.command(name, *args), stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
                                 **more)
        self.children.append(child)
        return child

    def run(self, name, *args, ok=(0,), timeout=600, env=None):
        done = subprocess.run(self.command(name, *args), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, env={**os.environ, **(env or {})})
        if done.returncode not in ok:
            raise LabError(f"tsubame {name} {' '.join(map(str, args))}: exit code {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done

    def json(self, name, *args, **more):
        return json.loads(self.run(name, "--json", *args, **more).stdout)

    # --- Accounting

    def export(self, campaign):
        """The ledger's word on every recipient, to ledger.tsv."""
        self.ledger.write_text(self.run("report", campaign, "--recipients", "--tsv").stdout)

    def check(self):
        """tsubame-sim compares truth and ledger; its verdict as (good, text)."""
        done = subprocess.run([self.sim_program, "check", "--truth", self.truth, "--ledger", self.ledger],
                              capture_output=True, text=True)
        return done.returncode == 0, (done.stdout + done.stderr).strip()


def read_tsv(path):
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as lines:
        yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def account(list_path, truth_path, ledger_path):
    """A second opinion beside `tsubame-sim check`: faults as lines, for the recipients of a CSV list.

    Every address of the list is in the ledger once, in a final state; who was delivered got one mail, more only when
    the ledger called them uncertain; who failed got none.
    """
    faults = []
    with open(list_path, newline="", encoding="utf-8") as lines:
        planned = {row["email"].lower() for row in csv.DictReader(lines)}
    copies = Counter(row["rcpt"].lower() for row in read_tsv(truth_path) if row["event"] in ("accepted", "accepted-unanswered"))
    seen = Counter()
    for row in read_tsv(ledger_path):
        address, state = row["address"].lower(), row["state"]
        unsure = int(row["uncertain"])
        got = copies[address]
        seen[address] += 1
        if state not in FINAL and state != "uncertain":
            faults.append(f"{address} is {state}: not final")
        elif state == "delivered" and got < 1:
            faults.append(f"{address} is delivered, but nothing was accepted")
        elif state in FINAL - {"delivered"} and got > unsure:
            faults.append(f"{address} is {state}, but {got} were accepted")
        elif got > 1 + unsure:
            faults.append(f"{address} got {got} mails, called uncertain {unsure} times")
    faults += [f"{a} is in the ledger {n} times" for a, n in seen.items() if n > 1]
    faults += [f"{a} is planned, but not in the ledger" for a in planned - seen.keys()]
    faults += [f"{a} is in the ledger, but not planned" for a in seen.keys() - planned]
    faults += [f"{a} got a mail, but is not planned" for a in copies.keys() - planned]
    return faults
