"""Metrics: documented and there, in both directions; the dashboard and the alerts ask for what there is."""
import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import lab as laboratory  # noqa: E402

DASHBOARD = ROOT / "packaging/grafana/tsubame.json"
RULES = ROOT / "packaging/prometheus/tsubame.rules.yaml"
SCENARIO = """\
seed: 5
defaults: {latency: {connect: 1, command: 0, data: 0}}
providers:
  - {name: big, weight: 3, domains: [big.test], hosts: [mx.big.test]}
  - {name: small, weight: 1, domains: [small.test, other.test], hosts: [mx.small.test]}
"""
# Of Prometheus itself, or of every exporter.
FOREIGN = {"up"}


@pytest.fixture(scope="module")
def page(tmp_path_factory, build):
    """What a server shows that has sent a campaign."""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "scenario.yaml").write_text(SCENARIO)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with laboratory.Lab(folder / "lab", folder / "scenario.yaml", build) as lab:
        lab.template.write_text(laboratory.TEMPLATE)
        lab.configure(metrics__listen=f"127.0.0.1:{port}", providers=[{"name": "big", "mx": [".big.test"]}])
        lab.audience(200)
        server = lab.start("serve")
        for _ in range(300):
            if lab.run("status", ok=(0, 1, 4, 5)).stdout.startswith("A server"):
                break
        lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "one")
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        server.terminate()
        server.wait(30)
    return text


@pytest.fixture(scope="module")
def promtool():
    found = shutil.which("promtool")
    if found:
        return found
    made = subprocess.run([ROOT / "tools/private-root", "prometheus", "prometheus"], capture_output=True, text=True)
    tool = Path(made.stdout.strip() or "/none") / "usr/bin/promtool"
    if made.returncode or not tool.exists():
        pytest.skip(f"no promtool: {made.stderr.strip()[-200:] or 'it is not in the package'}")
    return str(tool)


def exported(page):
    return {line.split()[2]: line.split()[3] for line in page.splitlines() if line.startswith("# TYPE")}


def samples(page):
    return {key: float(value) for key, value in
            (line.rsplit(" ", 1) for line in page.splitlines() if line and not line.startswith("#"))}


def documented():
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \|", (ROOT / "docs/metrics.md").read_text(), re.M)
    assert len(rows) == len(dict(rows)), "a metric is documented twice"
    return dict(rows)


def test_what_is_shown_is_documented_and_the_other_way_round(page):
    assert exported(page) == documented()
    helped = {line.split()[2] for line in page.splitlines() if line.startswith("# HELP")}
    assert helped == set(exported(page))


def test_what_is_shown_is_true_and_its_labels_are_few(page):
    got = samples(page)
    assert got['tsubame_attempts_total{outcome="delivered"}'] == 200
    by = {key: value for key, value in got.items() if key.startswith("tsubame_lane_delivered_total")}
    assert set(by) == {'tsubame_lane_delivered_total{provider="big"}', 'tsubame_lane_delivered_total{provider="tail"}'}
    assert sum(by.values()) == 200 and min(by.values()) > 0
    assert got["tsubame_sessions_let_in_total"] >= 2 and got["tsubame_sessions_tls_total"] <= got["tsubame_sessions_let_in_total"]
    assert got["tsubame_backlog_recipients"] == got["tsubame_backlog_oldest_seconds"] == got["tsubame_campaigns_under_way"] == 0
    assert got["tsubame_store_free_bytes"] > 1e6 and got["tsubame_store_reserve_bytes"] == 4 << 20
    assert got['tsubame_store_disk_bytes{part="reserve"}'] >= 4 << 20 and got['tsubame_store_disk_bytes{part="segments"}'] > 0
    assert 1.7e9 < got["process_start_time_seconds"] < 4e9 and 0 <= got["tsubame_owner_lag_seconds"] < 60
    assert got["process_open_fds"] > 5 and got["tsubame_stalled"] == 0


def test_promtool_takes_the_page(page, promtool):
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


def expressions():
    board = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for note in board["annotations"]["list"]:
        if "expr" in note:
            yield note["name"], note["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])[1]


def rules():
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


def names_in(expr):
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)|on \([^)]*\)", " ", expr)
    return set(re.findall(r"\b(?:tsubame|process)_\w+|\bup\b", bare))


def test_dashboard_and_alerts_ask_for_what_there_is():
    known = set(documented()) | FOREIGN
    for title, expr in [*expressions(), *((r["alert"], r["expr"]) for r in rules())]:
        assert names_in(expr) and names_in(expr) <= known, (title, names_in(expr) - known)


def test_the_dashboard_is_whole():
    board = json.loads(DASHBOARD.read_text())
    assert board["schemaVersion"] >= 36 and board["uid"] == "tsubame" and "id" not in board
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        refs = [target["refId"] for target in panel["targets"]]
        assert refs and len(refs) == len(set(refs))
        assert all(t["datasource"]["uid"] == "${datasource}" for t in panel["targets"])
    assert {v["name"] for v in board["templating"]["list"]} == {"datasource", "instance", "provider"}


def test_promtool_takes_every_expression(tmp_path, promtool):
    filled = [expr.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$provider", ".*")
              for _, expr in expressions()]
    assert not [expr for expr in filled if "$" in expr]
    file = tmp_path / "expressions.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [
        {"record": f"test:expression:{i}", "expr": expr} for i, expr in enumerate(filled)]}]}))
    for path in (file, RULES):
        done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_must(tmp_path, promtool):
    """Series made by hand: what is good is silent, each fault is told."""
    good = {'up{job="tsubame",instance="a"}': "1x120", 'tsubame_stalled{job="tsubame",instance="a"}': "0x120",
            'tsubame_store_free_bytes{job="tsubame",instance="a"}': "1e9x120",
            'tsubame_store_reserve_bytes{job="tsubame",instance="a"}': "6e7x120",
            'tsubame_backlog_recipients{job="tsubame",instance="a"}': "50x120",
            'tsubame_backlog_deferred{job="tsubame",instance="a"}': "0x120",
            'tsubame_attempts_total{job="tsubame",instance="a",outcome="delivered"}': "0+60x120",
            'tsubame_lane_deferred_total{job="tsubame",instance="a",provider="p"}': "0+10x120",
            'tsubame_lane_delivered_total{job="tsubame",instance="a",provider="p"}': "0+60x120",
            'tsubame_lane_failed_total{job="tsubame",instance="a",provider="p"}': "0+1x120",
            'tsubame_history_behind_blocks{job="tsubame",instance="a"}': "20x120",
            'tsubame_history_failures_total{job="tsubame",instance="a"}': "0x120",
            'tsubame_dns_failures_total{job="tsubame",instance="a"}': "0+1x120",
            'tsubame_dns_queries_total{job="tsubame",instance="a"}': "0+60x120",
            'tsubame_uncertain_recipients{job="tsubame",instance="a"}': "0x120",
            'tsubame_owner_lag_seconds{job="tsubame",instance="a"}': "0.01x120",
            'process_start_time_seconds{job="tsubame",instance="a"}': "1000x120",
            'process_open_fds{job="tsubame",instance="a"}': "100x120",
            'process_max_fds{job="tsubame",instance="a"}': "2000x120"}
    bad = {"TsubameDown": {"up": "0x120"}, "TsubameRestarts": {"process_start_time_seconds": "0+60x120"},
           "TsubameStalled": {"tsubame_stalled": "1x120"}, "TsubameDiskNearReserve": {"tsubame_store_free_bytes": "1e8x120"},
           "TsubameNoDeliveries": {"tsubame_attempts_total": "7x120"},
           "TsubameDeferralShareHigh": {"tsubame_lane_deferred_total": "0+600x120"},
           "TsubameHistoryBehind": {"tsubame_history_behind_blocks": "9000x120"},
           "TsubameDnsFailing": {"tsubame_dns_failures_total": "0+30x120"},
           "TsubameUncertainHeld": {"tsubame_uncertain_recipients": "3x120"},
           "TsubameDescriptorsShort": {"process_open_fds": "1950x120"},
           "TsubameOwnerLate": {"tsubame_owner_lag_seconds": "3x120"}}
    assert set(bad) == {rule["alert"] for rule in rules()}

    def plain(series):
        return [{"series": key, "values": value if value[0] == "0" and "+" in value else value.replace("x", "+0x", 1)}
                for key, value in series.items()]

    tests = []
    for fires, spoiled in [(None, {}), *bad.items()]:
        series = {key: spoiled.get(key.split("{")[0], value) for key, value in good.items()}
        asked = [f'count(ALERTS{{alertstate="firing", alertname="{name}"}}) or vector(0)' for name in bad]
        tests.append({"interval": "1m", "input_series": plain(series), "promql_expr_test": [
            {"expr": expr, "eval_time": "110m", "exp_samples": [{"labels": "{}", "value": 1 if name == fires else 0}]}
            for name, expr in zip(bad, asked)]})
    file = tmp_path / "alerts.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
