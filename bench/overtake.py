"""How long a transactional mail takes that comes behind a million bulk mails of its provider: from the start of `tsubame send` that
hands it over until the provider's 250, as its own log has it."""
import shutil
import subprocess
import threading
import time

import lab as laboratory
import lanes
import longrun

SCENARIO = """\
seed: 4
defaults:
  latency: {connect: 20, command: 5, data: 20}
providers:
  - {name: few, manner: google, domains: [few.test], hosts: [mx1.few.test, mx2.few.test], limits: {connections: 8}}
  - {name: slow, manner: postfix, domains: [slow.test], hosts: [mx1.slow.test, mx2.slow.test], limits: {rate: 20}}
"""
ROUND_TRIPS_S = 0.020 + 3 * 0.005 + 0.020  # greeting, EHLO, the envelope, the content: where a connection has to be made
LEARN_S = 90  # the lanes may find their limits first
EVERY_S = 1.5


class Overtake(threading.Thread):
    """Runs beside the scenarios, for so many seconds; then `delays` are seconds by address."""

    def __init__(self, bench, seconds):
        super().__init__(daemon=True)
        self.bench, self.seconds, self.delays, self.sent, self.error = bench, seconds, {}, {}, None
        self.stopped = threading.Event()
        self.folder = bench.folder / "lanes/overtake"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "scenario.yaml").write_text(SCENARIO)
        self.lab = laboratory.Lab(self.folder / "lab", self.folder / "scenario.yaml", bench.build, ("--accepted-only",))
        self.lab.template.write_text(lanes.SENDER)
        self.lab.audience(bench.count(1000000))

    def run(self):
        try:
            self.measure()
        except (laboratory.LabError, OSError, subprocess.SubprocessError) as e:
            self.error = e
        finally:
            self.lab.__exit__()

    def stop(self):
        self.stopped.set()
        self.join()

    def measure(self):
        lab, begin = self.lab, time.monotonic()
        lab.start_sim()
        lab.configure(tls__mode="off", deliver__workers=1, deliver__helo="mail.swallow.example", log__level="warn")
        longrun.serving(lab)
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "bulk", "--detach")
        self.stopped.wait(min(LEARN_S, self.seconds / 3))
        number = 0
        while time.monotonic() - begin < self.seconds - 10 and not self.stopped.is_set():
            for provider in ("few", "slow"):
                self.hand_over(f"order{number}@{provider}.test", f"order-{provider}-{number}")
            number += 1
            self.stopped.wait(EVERY_S)
        self.stopped.wait(10)
        lab.stop_sim()
        taken = {row["rcpt"]: int(row["time_us"]) / 1e6 for row in laboratory.read_tsv(lab.truth) if row["rcpt"] in self.sent}
        # Who has not come by now counts as long as was waited.
        self.delays = {to: taken.get(to, time.time()) - at for to, at in self.sent.items()}

    def hand_over(self, address, name):
        one = self.folder / "one.csv"
        one.write_text(f"email,name\n{address},Ann\n")
        self.sent[address] = time.time()
        self.lab.run("send", "--template", self.lab.template, "--to", one, "--name", name, "--priority", "transactional",
                     "--detach", timeout=60)

    def p99(self):
        if self.error or not self.delays:
            raise laboratory.LabError(f"overtake: {self.error or 'nothing was sent'}")
        ordered = sorted(self.delays.values())
        at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.9, 0.99)]
        self.bench.notes.append("overtake: {} mails; half within {:.3f} s, 90 % {:.3f} s, 99 % {:.3f} s".format(len(ordered), *at))
        return at[2]
