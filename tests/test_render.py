"""tsubame render from end to end."""
import json
import os
import subprocess

import pytest

TEMPLATE = """\
from: "Swallow News <news@example.com>"
to_name: "{{name}}"
subject: "{{name}}, hello"
text: "Dear {{name}}{{#if city}} in {{city}}{{/if}}."
html: "<p>{{name}}</p>"
"""
LIST = "email,name,city\nanna@example.com,Anna & Co,Kyoto\nbert@example.com,Bert,\n"


@pytest.fixture
def render(tmp_path, build):
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    (tmp_path / "l.csv").write_text(LIST)

    def run(*args, stdin=None):
        return subprocess.run([build / "program/tsubame", "render", *args], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                              input=stdin, env={**os.environ, "TSUBAME_CONFIG": ""})
    run.folder = tmp_path
    return run


def test_a_row(render):
    done = render("-t", "t.yaml", "--to", "l.csv")
    assert done.returncode == 0 and "To: Anna & Co <anna@example.com>" in done.stdout and "Dear Anna & Co in Kyoto" in done.stdout
    assert render("-t", "t.yaml", "--to", "l.csv", "--row", "2", "--part", "text").stdout == "Dear Bert.\n"
    assert render("-t", "t.yaml", "--to", "-", "--part", "html", stdin=LIST).stdout == "<p>Anna &amp; Co</p>\n"
    assert render("-t", "t.yaml", "--to", "l.csv", "--address", "BERT@EXAMPLE.COM", "--part", "subject").stdout == "Bert, hello\n"


def test_json_lines(render):
    (render.folder / "l.jsonl").write_text('{"email": "a@example.com", "name": "A", "city": null}\n'
                                           '{"email": "b@example.com", "name": "B", "city": "Kobe"}\n')
    assert render("-t", "t.yaml", "--to", "l.jsonl", "--part", "text").stdout == "Dear A.\n"
    assert render("-t", "t.yaml", "--to", "l.jsonl", "--address", "b@example.com", "--part", "text").stdout == "Dear B in Kobe.\n"


def test_data(render):
    done = render("-t", "t.yaml", "--data", '{"name": "Zoë", "city": null}', "--part", "text", "--json")
    assert json.loads(done.stdout) == {"to": "somebody@example.invalid", "text": "Dear Zoë."}
    (render.folder / "d.json").write_text('{"name": "D", "city": "", "email": "d@example.com"}')
    assert json.loads(render("-t", "t.yaml", "--data", "@d.json", "--json").stdout)["to"] == "d@example.com"


def test_what_is_wrong(render):
    def says(code, text, *args):
        done = render(*args)
        assert done.returncode == code and text in done.stderr and not done.stdout, (done.returncode, done.stderr, done.stdout)

    says(1, "somebody@example.invalid: to_name, line 1, column 1: {{name}}: this recipient has no value", "-t", "t.yaml", "--data", "{}")
    says(1, "an object is expected", "-t", "t.yaml", "--data", "[1]")
    says(1, "JSON, line 1", "-t", "t.yaml", "--data", "{")
    says(4, "there is no row 3: the list has 2", "-t", "t.yaml", "--to", "l.csv", "--row", "3")
    says(4, "x@example.com is not in this list", "-t", "t.yaml", "--to", "l.csv", "--address", "x@example.com")
    says(1, "'0' is not a number", "-t", "t.yaml", "--to", "l.csv", "--row", "0")
    says(2, "either --to LIST or --data", "-t", "t.yaml")
    says(2, "is not subject, text or html", "-t", "t.yaml", "--to", "l.csv", "--part", "body")
    (render.folder / "t.yaml").write_text(TEMPLATE.replace("{{city}}", "{{cty}}"))
    says(1, "text, line 1, column 30: no column is called 'cty' (there are: email, name, city)", "-t", "t.yaml", "--to", "l.csv")
    (render.folder / "t.yaml").write_text(TEMPLATE.replace("html:", "#"))
    says(4, "there is no html in this template", "-t", "t.yaml", "--to", "l.csv", "--part", "html")


def test_dry_run_of_a_large_mail(render, build):
    (render.folder / "a.bin").write_bytes(bytes(21 << 20))
    (render.folder / "t.yaml").write_text(TEMPLATE + "attachments: [a.bin]\n")
    done = subprocess.run([build / "program/tsubame", "send", "-t", "t.yaml", "--to", "l.csv", "--dry-run"], cwd=render.folder,
                          capture_output=True, text=True, timeout=60, env={**os.environ, "TSUBAME_CONFIG": ""})
    assert done.returncode == 0 and "warning: this mail has 28 MB" in done.stderr, done.stderr
    assert len(done.stdout) < 5000 and "filename=a.bin" in done.stdout and "more lines, cut short here]" in done.stdout
