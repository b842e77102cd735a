"""The scenarios that come with the fake internet: each can be read, and that of the faults has them all."""
import subprocess
from collections import defaultdict

import pytest
import yaml

from common import ROOT

SCENARIOS = ROOT / "sim/scenarios"
FAULTS = SCENARIOS / "faults.yaml"
ANSWERED = {"drop", "reset", "stall", "half", "half-stall", "early", "garbage", "421", "oversized", "flood"}
# What can go wrong where; no answer precedes the greeting, none is of words before it or in TLS's handshake.
MATRIX = {"connect": {"drop", "reset", "stall"}, "greeting": ANSWERED - {"early"},
          "tls": {"drop", "reset", "stall", "early", "garbage"},
          **{step: ANSWERED for step in ("ehlo", "starttls", "mail", "rcpt", "data", "body", "dot", "bdat", "rset", "quit")}}


@pytest.mark.parametrize("path", sorted(SCENARIOS.rglob("*.yaml")), ids=lambda p: str(p.relative_to(SCENARIOS)))
def test_each_is_read(build, path):
    shown = subprocess.run([build / "sim/tsubame-sim", "scenario", path], capture_output=True, text=True)
    assert shown.returncode == 0 and not shown.stderr, shown.stderr
    for provider in yaml.safe_load(path.read_text())["providers"]:
        assert provider["name"] in shown.stdout


def test_every_fault_is_there_at_every_step():
    """With pipelining and without, and midway in the content by DATA and by BDAT."""
    found = defaultdict(set)
    for provider in yaml.safe_load(FAULTS.read_text())["providers"]:
        offered = provider.get("extensions", {})
        for fault in provider.get("faults", ()):
            found[fault["step"], offered.get("pipelining", True), bool(offered.get("chunking"))].add(fault["do"])
    for pipelining in (True, False):
        for step, what in MATRIX.items():
            expected = what - ({"early"} if step == "bdat" and pipelining else set())
            assert found.pop((step, pipelining, step == "bdat")) == expected, (step, pipelining)
        assert found.pop(("body", pipelining, True)) == ANSWERED
    assert not found
