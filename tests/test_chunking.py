"""BDAT end to end: the fake internet offers CHUNKING, and does what it says, or does not."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from lab import Lab, account, read_tsv  # noqa: E402

FAULTS = ("drop", "reset", "stall", "half", "early", "garbage", "421", "oversized")


def provider(name, weight=1, chunking="true", **more):
    keys = "".join(f", {key}: {value}" for key, value in more.items())
    return (f"  - {{name: {name}, weight: {weight}, domains: [{name}.test], hosts: [mx.{name}.test], "
            f"extensions: {{chunking: {chunking}, pipelining: {'false' if name.endswith('-np') else 'true'}}}{keys}}}\n")


def tries(lab):
    """How often BDAT was said to a host that does not know it."""
    return sum(row["reply"].startswith("502") for row in read_tsv(lab.truth))


def scenario(folder, providers):
    path = folder / "chunking.yaml"
    path.write_text("seed: 11\ndefaults:\n  tls: {mode: offer}\nproviders:\n" + "".join(providers))
    return path


@pytest.fixture
def everybody(tmp_path, build):
    """Well, unknown users, content refused for now, broken BDAT, and each fault; with pipelining and without."""
    rows = []
    for end in ("", "-np"):
        rows += [provider("well" + end, 12), provider("broken" + end, 2, chunking="broken"),
                 provider("users" + end, 8, users="{unknown: 0.3}"), provider("moody" + end, 4, defer="{data: 0.05}"),
                 provider("late" + end, 4, users="{unknown: 0.3, unknown_at: data}")]
        rows += [provider(f"bdat-{fault}{end}", faults=f'[{{step: bdat, do: "{fault}", {"first: 2" if fault == "early" else "attempts: 1"}}}]') for fault in FAULTS
                 if (fault, end) != ("early", "")]  # among many that are under way nobody can tell
        rows += [provider(f"body-{fault}{end}", faults=f'[{{step: body, do: "{fault}", attempts: 1}}]')
                 for fault in ("drop", "early", "421")]
    with Lab(tmp_path, scenario(tmp_path, rows), build) as lab:
        lab.template.write_text('from: "Swallow <news@swallow.example>"\nsubject: "{{name}}"\ntext: |\n'
                                '  Dear {{name}},\n\n  {{company}} owes you {{amount}}.\n  .\n  ..two\n' + "  a line more\n" * 20)
        yield lab


def test_each_recipient_is_accounted_for(everybody):
    lab = everybody
    lab.audience(1200)
    lab.configure(deliver__retry__first="300ms", deliver__retry__most="1s", deliver__timeout_scale=0.005,
                  limits__connections=4)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "chunks", ok=(0, 1), timeout=240)
    lab.export("chunks")
    totals = lab.stop_sim()
    good, text = lab.check()
    assert good, text
    assert account(lab.list, lab.truth, lab.ledger) == []
    assert totals["accepted"] > 600


def test_a_host_that_does_not_know_bdat_gets_data(tmp_path, build):
    with Lab(tmp_path, scenario(tmp_path, [provider("broken", chunking="broken")]), build) as lab:
        lab.template.write_text('from: "a@swallow.example"\nsubject: x\ntext: "hello {{name}}"\n')
        lab.audience(60)
        lab.configure(limits__connections=2, deliver__workers=1, tls__mode="off")
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "x")
        lab.export("x")
        assert lab.stop_sim()["accepted"] == 60
        assert lab.check()[0]
        assert 1 <= tries(lab) <= 2  # two connections at a time


@pytest.mark.parametrize("how", ["global", "provider"])
def test_bdat_can_be_switched_off(tmp_path, build, how):
    with Lab(tmp_path, scenario(tmp_path, [provider("broken", chunking="broken")]), build) as lab:
        lab.template.write_text('from: "a@swallow.example"\nsubject: x\ntext: "hello {{name}}"\n')
        lab.audience(10)
        off = {"deliver__bdat": False} if how == "global" else {"providers": [{"name": "b", "mx": ".broken.test", "bdat": False}]}
        lab.configure(**off)
        lab.run("send", "--template", lab.template, "--to", lab.list)
        assert lab.stop_sim()["accepted"] == 10
        assert tries(lab) == 0
