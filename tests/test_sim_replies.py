"""What the simulator's providers say is read as what they mean: every text of every manner through the classifier. A row that
fails shows a mistake on one side or the other."""
import json
import subprocess

import pytest

SOFT = {"hardness": ("soft", "none"), "permanent": (False,)}
RATE = {**SOFT, "class": ("rate-limited", "reputation-block"), "hint": ("slower", "pause")}
DENIED = {"hardness": ("soft", "none"), "class": ("policy-block", "reputation-block", "auth-failure", "sender-rejected")}
MEANS = {
    "unknown": {"class": ("invalid-recipient",), "hardness": ("hard",)},
    "full": {"class": ("mailbox-full",), "hardness": ("soft",)},
    "greylisted": {**SOFT, "class": ("greylisted",)},
    "greylisted_for": {**SOFT, "class": ("greylisted",), "wait_s": (300,)},
    "defer_rcpt": {**SOFT, "class": ("remote-failure", "network-failure", "undetermined")},
    "defer_data": {**SOFT, "class": ("remote-failure", "network-failure", "undetermined")},
    "connections": {**SOFT, "class": ("rate-limited",), "hint": ("fewer-connections",)},
    "connection_rate": {**SOFT, "hint": ("fewer-new-connections",)},
    "knocking": {**SOFT, "hint": ("fewer-new-connections",)},
    "messages": {**SOFT, "class": ("rate-limited",), "hint": ("fewer-per-connection",)},
    "rate": RATE,
    "daily": RATE,
    "mailbox": {**SOFT, "hint": ("one-mailbox",)},
    "recipients": {**SOFT, "hint": ("fewer-recipients",)},
    "session_recipients": {**SOFT, "hint": ("fewer-recipients", "fewer-per-connection")},
    "size": {"class": ("message-too-large",)},
    "reputation": {**SOFT, "class": ("reputation-block", "rate-limited", "content-rejected"), "hint": ("slower", "pause")},
    "blocked": {"class": ("reputation-block",), "hint": ("stop-source",)},
    "content": {"class": ("content-rejected",), "permanent": (True,)},
    "refuse_connect": DENIED,
    "refuse_rcpt": {**DENIED, "class": (*DENIED["class"], "recipient-refused")},
    "refuse_data": {**DENIED, "class": (*DENIED["class"], "content-rejected")},
    "tls_required": {"hardness": ("soft", "none")},
    "shutdown": {**SOFT, "class": ("remote-failure", "network-failure", "undetermined")},
    "relay": {"class": ("relay-denied",), "hardness": ("soft", "none")},
}
# Where a provider's own words mean something else than the kind's.
ALSO = {
    ("yahoo", "unknown"): {"class": ("inactive-mailbox",), "hardness": ("soft",)},  # "This mailbox is disabled"
    ("outlook", "connection_rate"): {"hint": ("fewer-connections",)},  # says "number of connections"
    ("office365", "connection_rate"): {"hint": ("fewer-connections",)},
    ("postfix", "connection_rate"): {"hint": ("fewer-connections",)},  # says the same of both
    ("yahoo", "defer_data"): {"class": ("rate-limited",)},  # "temporarily deferred"
}


@pytest.fixture(scope="module")
def verdicts(build):
    done = subprocess.run([build / "sim/tsubame-sim", "replies"], capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    asked = [row for row in rows if row[3][0] in "45"]
    lines = "".join(f"{stage}\t{text}\t{manner.replace('plain', '-')}\n" for manner, _, stage, text in asked)
    said = subprocess.run([build / "program/tsubame", "classify-reply", "--json"], input=lines, capture_output=True,
                          text=True, check=True).stdout.splitlines()
    assert len(said) == len(asked)
    return [(row, json.loads(line)) for row, line in zip(asked, said)]


def test_every_manner_has_every_refusal(verdicts):
    manners = {row[0] for row, _ in verdicts}
    assert len(manners) >= 19
    for manner in manners:
        assert {row[1] for row, _ in verdicts if row[0] == manner} == set(MEANS)


def test_replies_are_read_as_what_they_mean(verdicts):
    wrong = []
    for (manner, kind, stage, text), said in verdicts:
        want = {**MEANS[kind], **ALSO.get((manner, kind), {})}
        off = {key: said.get(key) for key, allowed in want.items() if said.get(key) not in allowed}
        if off:
            wrong.append(f"{manner} {kind} at {stage}: {off}, rule {said.get('rule')}: {text}")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)
