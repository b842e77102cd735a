"""Recipients for whom there is no mail: what send, report and message say of them."""
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from lab import Lab  # noqa: E402

TEMPLATE = """\
from: "A <a@swallow.example>"
subject: "{{name}}"
text: "in {{city}}"
attachments:
  - {personal: "{{file}}", name: i.txt}
"""
# Each with a value for what is asked for, but for one.
PEOPLE = [{"city": "Kyoto", "file": "a.txt"}, {"file": "a.txt"}, {"city": "Kobe", "file": "no.txt"},
          {"city": "Kobe", "file": "neither.txt"}]


@pytest.fixture
def lab(tmp_path, build):
    with Lab(tmp_path, "sim/scenarios/bench.yaml", build=build) as lab:
        lab.configure(base=ROOT / "demo/tsubame.yaml", attachments__folder=str(tmp_path))
        (tmp_path / "a.txt").write_text("own")
        lab.template.write_text(TEMPLATE)
        yield lab


def fill(lab, people):
    rows = [{"email": f"p{i}@big1.test", "name": f"N{i}", **person} for i, person in enumerate(people)]
    lab.list.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_some(lab):
    fill(lab, PEOPLE)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "some")
    report = lab.run("report", "some").stdout
    assert "4 planned = 1 delivered + 3 failed" in report
    lines = [line.split(maxsplit=3) for line in report.splitlines() if "not-made" in line]
    assert [(n, reason) for n, _, reason, _ in lines] == [("2", "not-made"), ("1", "not-made")]
    assert "there is no such file" in lines[0][3] and "{{city}}: this recipient has no value" in lines[1][3]
    assert "127." not in report, "no receiver has said that"
    said = lab.run("message", "--to", "p1@big1.test").stdout
    assert "failed: this mail could not be made: text, line 1, column 4: {{city}}" in said and "said by" not in said
    assert lab.json("message", "--to", "p1@big1.test")[0]["events"][-1]["reason"] == "not-made"


def test_all(lab):
    fill(lab, PEOPLE[1:])
    done = lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "all", ok=(1,))
    assert "nobody got this mail, 3 failed: `tsubame report 1` says why" in done.stderr
