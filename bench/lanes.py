"""The figures of lanes that learn: Tsubame, told of no limits, against the scenarios of hidden limits, side by side and in
real time. What is measured comes from the fake internet's own counters, a line a second.

    Case       a provider of a scenario: which of its limits binds, and what is to be found out
    Series     what the fake internet counted of a provider, second by second
    Figures    of a case: use, refusals, times
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("tools", "bench", "tests")]
import lab as laboratory  # noqa: E402
import longrun  # noqa: E402

LIMITS = laboratory.ROOT / "sim/scenarios/limits"
SECONDS = 900  # of each scenario
PEER_SECONDS = 360  # of each, where Postfix runs beside it: its queue is filled at the pace of the machine
CHANGE_S = 300  # where a limit moves, it does so then
SENDER = 'from: "Swallow <news@swallow.example>"\nsubject: "A word"\ntext: "Dear {{name}}, a word."\n'

# Refusals at which a connection was turned away; it carried nobody yet.
AT_CONNECT = {"limit.connections", "limit.connections_per_minute", "knocking", "maintenance"}
THROTTLES = {"limit.rate", "limit.daily", "limit.messages", "reputation.slow", "reputation.defer", "reputation.block"}


@dataclass(frozen=True)
class Case:
    """scenario: a file of sim/scenarios/limits. provider: of those in it. bound: the limit that binds in the end, as the
    fake internet calls it, and group: of those hosts. capacity: messages a second that can be taken then; without it the
    use of the limit itself is counted. a_second: what may be sent at most, for the length of the list.
    old, new: the limit before and after it moves. whys: what the lane may name as its cause. moves: more may be deferred."""
    scenario: str
    bound: str
    a_second: float
    whys: tuple
    provider: str = "hidden"
    group: str = ""
    capacity: float = 0
    old: float = 0
    new: float = 0
    moves: bool = False
    steady_from: float = 0.5
    counted: bool = True  # in the figures; else only shown
    like: str = ""  # a scenario whose connections are as quick: one that carries less counts for less
    note: str = ""

    @property
    def name(self):
        return self.scenario + ("" if self.provider in ("hidden", "postfix5") else f" ({self.provider})") \
            + (f" {self.group}" if self.group else "")

    @property
    def up(self):
        return self.new > self.old


CONNECTIONS, RATE, SPAN, NEW, QUOTA = "connections", "rate", "per-connection", "new-connections", "quota"
CASES = (
    Case("connections", "connections", 90, (CONNECTIONS,)),
    Case("connections-without-words", "connections", 60, (CONNECTIONS, SPAN)),
    Case("one-connection", "connections", 12, (CONNECTIONS, SPAN)),
    Case("rate", "rate", 25, (RATE,)),
    Case("rate-at-dot", "rate", 25, (RATE,)),
    Case("rate-fast", "rate", 120, (RATE,)),
    Case("rate-slow", "rate", 4, (RATE,)),
    Case("rate-by-the-minute", "rate", 25, (RATE,)),
    Case("messages-in-connection", "messages", 100, (SPAN, CONNECTIONS)),
    Case("connections-a-minute", "connections_per_minute", 40, (NEW, SPAN), capacity=25),
    Case("daily-quota", "daily", 15, (QUOTA, RATE), steady_from=0),
    Case("halves", "rate", 45, (RATE,), old=40, new=20, moves=True),
    Case("doubles", "rate", 45, (RATE,), old=20, new=40, moves=True, steady_from=0.75),
    Case("slow-halves", "rate", 6, (RATE,), old=4, new=2, moves=True, steady_from=0.6),
    Case("slow-doubles", "rate", 6, (RATE,), old=2, new=4, moves=True, steady_from=0.8),
    Case("connections-halve", "connections", 110, (CONNECTIONS,), old=10, new=5, moves=True),
    Case("connections-double", "connections", 110, (CONNECTIONS, SPAN), old=5, new=10, moves=True, steady_from=0.75),
    Case("reputation", "rate", 60, (RATE,), "good", moves=True),
    Case("reputation", "rate", 60, (RATE, "refused", "pause"), "poor", capacity=2, moves=True, counted=False,
         note="slowed to 2 a second for its unknown users"),
    Case("reputation", "rate", 60, (RATE, "refused", "pause"), "bad", moves=True, counted=False,
         note="blocked for ten minutes, again and again"),
    Case("greylisting", "rate", 25, (RATE,), "triplet"),
    Case("greylisting", "rate", 25, (RATE,), "client"),
    Case("greylisting", "rate", 25, (RATE,), "domain"),
    Case("server-groups", "connections", 100, (CONNECTIONS, RATE), "groups", "a", like="connections"),
    Case("server-groups", "rate", 100, (CONNECTIONS, RATE), "groups", "b"),
    Case("server-groups", "connections", 100, (CONNECTIONS,), "hosts", like="connections"),
    Case("random-4xx-1", "connections", 110, (CONNECTIONS,)),
    Case("random-4xx-5", "connections", 110, (CONNECTIONS,)),
    Case("random-4xx-and-rate", "rate", 25, (RATE,)),
    Case("outage", "rate", 25, (RATE,), "refuses", steady_from=0.6),
    Case("outage", "rate", 25, (RATE,), "says", steady_from=0.6),
    Case("outage", "rate", 25, (RATE,), "silent", steady_from=0.6),
    Case("outage", "rate", 25, (RATE,), "half", steady_from=0.6),
    Case("postfix5", "connections", 8, (CONNECTIONS,), "postfix5"),
    Case("together", "rate", 20, (RATE,)),
    Case("together-without-words", "rate", 25, (RATE,)),
    Case("knocking", "connections", 50, (CONNECTIONS,)),
    Case("session-recipients", "connections", 25, (CONNECTIONS, SPAN)),
)
PEERS = ("connections", "rate", "rate-fast", "messages-in-connection", "halves", "random-4xx-5", "postfix5", "together")


@dataclass
class Figures:
    name: str
    use: float = 0          # of the limit that binds, in steady state
    mean: float = 0         # connections, then
    carried: float = 0      # messages a second in each of them
    taken: int = 0          # messages
    deferred: float = 0     # of those answered, turned back by a limit; whole run
    attempts: int = 0       # to connect
    turned: float = 0       # of these, refused
    first_s: float = None   # until 80 % of the limit was used for the first time
    moved_s: float = None   # until within 10 % of the limit that moved
    moved_n: int = None     # messages meanwhile
    named: float = None     # share of the looks at which the lane named a right cause
    said: dict = field(default_factory=dict)  # what it named, how often
    sentence: str = ""
    ran_dry: bool = False


# --- What the fake internet counted

class Series:
    def __init__(self, lines, case):
        self.lines = [line for line in lines if line["provider"] == case.provider and line.get("group", "") == case.group
                      and line["kind"] == "interval"]
        self.case = case
        first = next((line["sim_s"] for line in self.lines if line["connections"]["attempts"]), None)
        self.begin = first

    def between(self, start, end):
        return [line for line in self.lines if start < line["sim_s"] <= end]

    def of_limit(self, lines):
        """passed and permitted of the limit that binds."""
        pairs = [line["limits"].get(self.case.bound) for line in lines]
        return sum(p["passed"] for p in pairs if p), sum(p["permitted"] for p in pairs if p)

    def use(self, lines):
        passed, permitted = self.of_limit(lines)
        if self.case.bound == "daily":  # which is permitted once a day
            passed = sum(line["messages"] for line in lines)
        if self.case.bound == "messages":  # only of connections that have ended
            return passed / permitted if permitted else 0
        if self.case.capacity:
            seconds = sum(line["seconds"] for line in lines)
            return sum(line["messages"] for line in lines) / (seconds * self.case.capacity) if seconds else 0
        return passed / permitted if permitted else 0


def throttled(line):
    return sum(n for cause, n in line["causes"].items() if cause in THROTTLES)


def answered(line):
    """Recipients that were accepted or put off, for whatever reason."""
    return line["messages"] + sum(n for cause, n in line["causes"].items() if cause not in AT_CONNECT)


def level(case, lines):
    """What is compared with the limit that moves: messages a second or open connections, over these seconds."""
    seconds = sum(line["seconds"] for line in lines) or 1
    if case.bound == "connections":
        return sum(line["connections"]["mean"] * line["seconds"] for line in lines) / seconds
    return sum(line["messages"] + (0 if case.up else throttled(line)) for line in lines) / seconds


def moved(series, case, at):
    """Seconds after the change until the ten seconds that follow are within 10 % of the new limit, and messages until then."""
    after = [line for line in series.lines if line["sim_s"] - line["seconds"] >= at - 0.5]
    for i in range(len(after) - 9):
        now = level(case, after[i:i + 10])
        if now >= 0.9 * case.new if case.up else now <= 1.1 * case.new + 0.1:
            return (max(0, after[i]["sim_s"] - after[i]["seconds"] - at),
                    sum(line["messages"] + throttled(line) for line in after[:i]))
    return None, None


def first(series, case):
    """Seconds from the first connection on until 80 % of the limit is used, over five seconds."""
    after = [line for line in series.lines if series.begin is not None and line["sim_s"] >= series.begin]
    for i in range(len(after) - 4):
        if series.use(after[i:i + 5]) >= 0.8:
            return max(0, after[i]["sim_s"] - after[i]["seconds"] - series.begin)
    return None


def figures(case, lines, seconds, change_at):
    series = Series(lines, case)
    out = Figures(case.name)
    if not series.lines:
        return out
    end = min(seconds, max(line["sim_s"] for line in lines))
    steady = series.between(end * case.steady_from, end)
    whole = series.between(0, end)
    # Seconds in which nothing happened have no line: they are not used, either.
    covered = sum(x["seconds"] for x in steady) / (end * (1 - case.steady_from) or 1)
    out.use = series.use(steady) * min(1, covered)
    out.mean = sum(x["connections"]["mean"] * x["seconds"] for x in steady) / (sum(x["seconds"] for x in steady) or 1)
    connected = sum(x["connections"]["mean"] * x["seconds"] for x in steady)
    out.carried = sum(x["messages"] for x in steady) / connected if connected else 0
    out.taken = sum(x["messages"] for x in whole)
    out.deferred = sum(map(throttled, whole)) / (sum(map(answered, whole)) or 1)
    out.attempts = sum(x["connections"]["attempts"] for x in whole)
    out.turned = sum(x["connections"]["refused"] for x in whole) / (out.attempts or 1)
    if case.bound != "daily":
        out.first_s = first(series, case)
    if case.new:
        out.moved_s, out.moved_n = moved(series, case, change_at)
    return out


# --- Running them

def scaled(scenario, share, folder):
    """The scenario with its changes at other times, for a bench that is only tried out."""
    if share == 1:
        return LIMITS / f"{scenario}.yaml"

    def soon(text):
        unit = {"s": 1, "m": 60, "h": 3600}
        seconds = float(text[:-1]) * unit[text[-1]] if str(text)[-1] in unit else float(text)
        return round(seconds * share, 3)
    made = yaml.safe_load((LIMITS / f"{scenario}.yaml").read_text())
    for provider in made["providers"]:
        for change in [*provider.get("changes", ()), *provider.get("maintenance", ())]:
            for key in ("at", "for"):
                if key in change:
                    change[key] = soon(change[key])
    path = folder / f"{scenario}.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


class Run:
    """One scenario: a fake internet and a Tsubame of its own."""

    def __init__(self, bench, scenario, cases, seconds, folder):
        self.scenario, self.cases, self.seconds = scenario, cases, seconds
        self.folder = folder / scenario
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.share = seconds / SECONDS
        path = scaled(scenario, self.share, self.folder)
        self.stats = self.folder / "stats.jsonl"
        self.lab = laboratory.Lab(self.folder / "lab", path, bench.build,
                                  ("--stats", self.stats, "--stats-every", "1", "--accepted-only"))
        self.lab.template.write_text(SENDER)
        self.server, self.seen = None, []
        providers = yaml.safe_load(path.read_text())["providers"]
        self.count = int(len(providers) * max(case.a_second for case in cases) * seconds) + 500
        self.lab.audience(self.count)

    def start(self):
        self.lab.start_sim()
        self.began = time.monotonic()
        self.lab.configure(tls__mode="off", deliver__workers=1, deliver__helo="mail.swallow.example", log__level="info")
        self.server = longrun.serving(self.lab)
        self.lab.run("send", "--template", self.lab.template, "--to", self.lab.list, "--name", "bulk", "--detach")

    def look(self):
        """What the lanes say of themselves."""
        try:
            self.seen.append((time.monotonic() - self.began, longrun.ask(self.lab).get("lanes", [])))
        except (OSError, ValueError):
            pass

    def end(self):
        self.lab.stop_sim()
        for child in self.lab.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        self.lab.children.clear()

    def lanes_of(self, case):
        """The looks at a case's lanes in steady state. A lane is called as its first exchanger, which lies in the provider's
        domain."""
        return [lane for at, lanes in self.seen if at >= self.seconds * max(case.steady_from, 0.5)
                for lane in lanes if lane["provider"].endswith(f".{case.provider}.test")]

    def result(self):
        lines = [json.loads(line) for line in self.stats.read_text().splitlines()]
        for case in self.cases:
            out = figures(case, lines, self.seconds, CHANGE_S * self.share)
            looks = [lane for lane in self.lanes_of(case) if "bound_by" in lane]
            if looks:
                for lane in looks:
                    out.said[lane["bound_by"]] = out.said.get(lane["bound_by"], 0) + 1
                out.named = sum(lane["bound_by"] in case.whys for lane in looks) / len(looks)
                out.sentence = looks[-1].get("why", "")
            last = looks[-1:]
            out.ran_dry = case.bound != "daily" and bool(last) and last[0]["waiting"] == 0
            yield case, out


def run_all(bench, cases, seconds, runner=Run):
    """(case, figures) of all cases, each scenario in a process of its own beside the others. bench: `build` and `folder`."""
    by_scenario = {}
    for case in cases:
        by_scenario.setdefault(case.scenario, []).append(case)
    folder = bench.folder / "lanes"
    folder.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda item: runner(bench, *item, seconds, folder), by_scenario.items()))
        try:
            list(pool.map(runner.start, runs))
            while any(time.monotonic() - run.began < seconds for run in runs):
                time.sleep(5)
                for run in runs:
                    run.look()
        finally:
            list(pool.map(runner.end, runs))
    results = [pair for run in runs for pair in run.result()]
    for case, f in results:
        other = next((g for c, g in results if c.scenario == case.like), None)
        if other and other.carried > 0:
            f.use *= min(1, f.carried / other.carried)
    return results


# --- Telling them

def percent(share):
    return f"{100 * share:.2f} %"


def row(case, f):
    moved_text = "" if not case.new else "never" if f.moved_s is None else f"{f.moved_s:.0f} s, {f.moved_n} messages"
    first_text = "" if f.first_s is None else f"{f.first_s:.0f} s"
    named = "" if f.named is None else f"{100 * f.named:.0f} %"
    return (f"| {f.name} | {f.use:.3f} | {f.mean:.2f} | {f.carried:.1f} | {f.taken} | {percent(f.deferred)} | {percent(f.turned)} of {f.attempts} "
            f"| {first_text} | {moved_text} | {named} |{' ran dry' if f.ran_dry else ''}")


HEAD = ("| scenario | use | connections | each | taken | deferred | turned away | first 80 % | moved | named |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")


def worst(values, most=True):
    """Of those that must all be there: one that never came is the worst."""
    values = list(values)
    if not values:
        return None
    if None in values:
        return float("inf") if most else 0.0
    return max(values) if most else min(values)


def summary(results):
    """The figures by their ids."""
    counted = [(case, f) for case, f in results if case.counted]
    fast = [(c, f) for c, f in counted if c.new and max(c.old, c.new) >= 5 and (c.bound == "connections" or c.new >= 20)]
    slow = [(c, f) for c, f in counted if c.new and (c, f) not in fast]
    five = next((f for c, f in counted if c.scenario == "postfix5"), None)
    out = {
        "lane_use": worst((f.use for _, f in counted), False),
        "lane_deferred": worst(f.deferred for c, f in counted if not c.moves),
        "lane_deferred_moved": worst(f.deferred for c, f in counted if c.moves),
        "lane_down": worst(f.moved_s for c, f in fast if not c.up),
        "lane_up": worst(f.moved_s for c, f in fast if c.up),
        "lane_down_messages": worst(f.moved_n for c, f in slow if not c.up),
        "lane_up_messages": worst(f.moved_n for c, f in slow if c.up),
        "lane_first": worst(f.first_s for c, f in counted if c.bound != "daily"),
        "lane_named": worst((f.named for c, f in counted if f.named is not None), False),
    }
    if five:
        out |= {"lane_postfix5": five.mean / 5, "lane_postfix5_deferred": 100 * five.deferred,
                "lane_postfix5_turned": 100 * five.turned}
    for name in ("lane_use", "lane_deferred", "lane_deferred_moved", "lane_named"):
        if out[name] is not None:
            out[name] *= 100
    return {name: value for name, value in out.items() if value is not None}


def tell(results, path):
    text = HEAD + "\n" + "\n".join(row(case, f) for case, f in results) + "\n"
    path.with_suffix(".md").write_text(text)
    path.write_text(json.dumps([asdict(f) for _, f in results], indent=1) + "\n")
    return text


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # through all that ends what was started
    args = argparse.ArgumentParser(description="Runs scenarios and shows the table; tools/bench makes figures of it.")
    args.add_argument("scenarios", nargs="*", help="of sim/scenarios/limits; all without any")
    args.add_argument("--seconds", type=float, default=SECONDS)
    args.add_argument("--postfix", action="store_true", help="Debian's Postfix instead of Tsubame")
    given = args.parse_args()
    cases = [case for case in CASES if not given.scenarios or case.scenario in given.scenarios]
    bench = argparse.Namespace(build=laboratory.ROOT / os.environ.get("TSUBAME_BUILD", "build/release"), folder=laboratory.ROOT / "build/bench")
    runner = Run
    if given.postfix:
        import lanes_postfix
        if lanes_postfix.missing():
            sys.exit(lanes_postfix.missing())
        runner = lanes_postfix.PostfixRun
    results = run_all(bench, cases, given.seconds, runner)
    print(tell(results, bench.folder / "lanes-some.json"))
    for name, value in summary(results).items():
        print(f"{name:24s} {value:.3f}")


if __name__ == "__main__":
    main()
