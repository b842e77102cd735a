"""What the end-to-end tests have in common: a small internet, a Tsubame that is quick to try again, a server's start and
end, and waiting for what comes when it comes. The fixtures for these are in conftest.py."""
import csv
import io
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import lab as laboratory  # noqa: E402, F401

SCENARIO = """\
seed: 5
defaults: {latency: {connect: 1, command: 0, data: 0}}
providers:
  - {name: big, weight: 3, domains: [big.test], hosts: [mx.big.test]}
  - {name: hard, weight: 1, domains: [hard.test], hosts: [mx.hard.test], users: {unknown: 0.2}}
"""
FAST = {"deliver__retry": {"first": "200ms", "most": "1s"}, "deliver__grace": "3s", "log__level": "warn"}


def rows_of(text):
    """What --tsv prints, as rows."""
    return list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


def wait_for(what, seconds=60):
    """Asks until the answer is one; it is returned."""
    until = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.05)


def equation_holds(c):
    return c["planned"] == sum(c[k] for k in ("delivered", "failed", "suppressed", "cancelled", "expired", "pending",
                                              "uncertain"))


def serve(lab, **more):
    """A server that answers."""
    child = lab.start("serve", **more)
    wait_for(lambda: child.poll() is not None or lab.run("status", ok=(0, 1, 4, 5)).stdout.startswith("A server"))
    assert child.poll() is None, (lab.folder / "serve.log").read_text()
    return child


def stop(server):
    """Ends it in good order."""
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0
