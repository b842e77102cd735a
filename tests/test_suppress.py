"""The suppression list from end to end: what receivers put on it, who is not sent to, carried over as CSV, and what a
kill leaves of it."""
import csv
import json
import random
import signal
import time
import urllib.request


from common import FAST, equation_holds, laboratory, rows_of, serve, stop, wait_for
from peers import free_port

SCENARIO = """\
seed: 5
defaults: {latency: {connect: 1, command: 0, data: 0}}
providers:
  - {name: big, weight: 3, domains: [big.test], hosts: [mx.big.test], users: {unknown: 0.02}}
  - {name: hard, weight: 1, domains: [hard.test], hosts: [mx.hard.test], users: {unknown: 0.3}}
"""


def suppress(lab, *args, **more):
    return lab.run("suppress", *args, **more)


def listed(lab, *args):
    return json.loads(suppress(lab, "list", "--json", *args).stdout)


def send(lab, name, *args):
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", name, *args)
    return lab.json("report", name, "--verify")


def recipients(lab, name):
    return {row["address"].lower(): row for row in rows_of(lab.run("report", name, "--recipients").stdout)}


def addresses(lab):
    with open(lab.list, newline="") as lines:
        return [row["email"] for row in csv.DictReader(lines)]


def is_unknown(row):
    return row["state"] == "failed" and row["reason"] == "invalid-recipient"


def truth(lab):
    lab.stop_sim()
    return list(laboratory.read_tsv(lab.truth))


def test_the_second_campaign_leaves_unknown_users_alone(lab):
    lab.audience(400)
    first = send(lab, "first")
    unknown = {address for address, row in recipients(lab, "first").items() if is_unknown(row)}
    assert equation_holds(first) and len(unknown) > 20 and first["suppressed"] == 0
    entries = listed(lab)
    assert {e["address"] for e in entries} == unknown
    for e in entries:
        assert e["reason"] == "bounce" and e["source"] == "reply" and e["campaign"] == 1
        assert e["code"] == 550 and e["text"] and e["host"].startswith("mx.") and e["class"] == "invalid-recipient"
    second = send(lab, "second")
    assert equation_holds(second) and second["suppressed"] == len(unknown) and second["failed"] == first["failed"] - len(unknown)
    rows = recipients(lab, "second")
    assert {a for a, row in rows.items() if row["state"] == "suppressed"} == unknown
    why = [r for r in second["reasons"] if r["state"] == "suppressed"]
    assert sum(r["recipients"] for r in why) == len(unknown)
    assert all("on the suppression list since" in r["example"] and "campaign 1" in r["example"] for r in why)
    someone = sorted(unknown)[0]
    text = lab.run("message", "--to", someone.upper()).stdout
    assert "is on the suppression list: bounce" in text and "not sent: the address is suppressed" in text
    assert "550" in suppress(lab, "show", someone).stdout
    # Ledger and receivers agree, and nobody on the list was asked for twice.
    both = lab.run("report", "1", "--recipients").stdout
    both += lab.run("report", "2", "--recipients").stdout.split("\n", 1)[1]
    lab.ledger.write_text(both)
    seen = [row["rcpt"].lower() for row in truth(lab) if row["event"] == "unknown"]
    good, said = lab.check()
    assert good, said
    assert sorted(seen) == sorted(unknown)


def test_a_list_is_carried_over(lab):
    lab.audience(300)
    send(lab, "first")
    suppress(lab, "add", "+plus@x.test", "=cmd@x.test", "'quote@x.test", "'@x.test", "--reason", "unsubscribe", "--note",
             '=HYPERLINK("http://x.test","a, b")')
    suppress(lab, "add", "日本@x.test", "bad @x.test", ok=(2,))  # all or nothing
    suppress(lab, "add", "日本@x.test")
    suppress(lab, "add", "note@x.test", "--note", "電話で依頼 'x'")
    out = lab.folder / "list.csv"
    suppress(lab, "export", out)
    rows = list(csv.DictReader(open(out, newline="")))
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert len(rows) == len(listed(lab))
    other = ("--set", f"store.path={lab.folder / 'other'}")
    told = json.loads(suppress(lab, "import", out, "--json", *other).stdout)
    assert told == {"rows": len(rows), "added": len(rows), "changed": 0, "unchanged": 0, "rejected": 0}
    assert suppress(lab, "export", *other).stdout == suppress(lab, "export").stdout
    assert json.loads(suppress(lab, "list", "--json", *other).stdout) == listed(lab)
    again = json.loads(suppress(lab, "import", out, "--json", *other).stdout)
    assert again["unchanged"] == len(rows) and again["added"] == again["changed"] == 0
    # A backup has it too.
    copy = lab.folder / "copy"
    lab.run("backup", copy)
    assert suppress(lab, "export", "--set", f"store.path={copy}").stdout == suppress(lab, "export").stdout


def test_files_of_all_kinds(lab):
    file, rejects = lab.folder / "in.csv", lab.folder / "rejects.csv"

    def take(text, *args):
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        suppress(lab, "remove", *[e["address"] for e in listed(lab)], ok=(0, 2)) if lab.store.exists() else None
        done = json.loads(suppress(lab, "import", file, "--json", "--rejects", rejects, *args).stdout)
        return done, {e["address"]: e for e in listed(lab)}

    done, got = take("a@x.test\nB@X.TEST\n\nbad\na@x.test\n")
    assert done == {"rows": 4, "added": 2, "changed": 0, "unchanged": 1, "rejected": 1}
    assert set(got) == {"a@x.test", "b@x.test"} and got["a@x.test"]["reason"] == "manual"
    assert [r["line"] for r in csv.DictReader(open(rejects, encoding="utf-8-sig"))] == ["4"]
    done, got = take(b"\xef\xbb\xbfEmailAddress,Reason,LastUpdateTime\r\nc@x.test,BOUNCE,2024-02-29T12:00:00+09:00\r\n"
                     b"d@x.test,COMPLAINT,1700000000\r\ne@x.test,what,\r\nf@x.test,,2023-02-29\r\n",
                     "--address-column", "EmailAddress")
    assert done["added"] == 2 and done["rejected"] == 2
    assert (got["c@x.test"]["reason"], got["c@x.test"]["since"]) == ("bounce", "2024-02-29T03:00:00.000Z")
    assert (got["d@x.test"]["reason"], got["d@x.test"]["since"]) == ("complaint", "2023-11-14T22:13:20.000Z")
    bad = list(csv.DictReader(open(rejects, encoding="utf-8-sig")))
    assert [r["line"] for r in bad] == ["4", "5"] and "what" in bad[0]["reason"] and "since" in bad[1]["reason"]
    done, got = take("email,reason\ng@x.test,550 5.1.1 gone\n", "--reason", "bounce")
    assert got["g@x.test"]["reason"] == "bounce" and got["g@x.test"]["note"] == "550 5.1.1 gone"
    done, got = take("email,reason\nh@x.test,bounce\nh@x.test,complaint\n")  # the last word counts
    assert done["added"] == done["changed"] == 1 and got["h@x.test"]["reason"] == "complaint"
    done, _ = take("email\n" + "bad row\n" * 5000 + "".join(f"u{i}@x.test\n" for i in random.Random(1).sample(range(3000), 3000)))
    assert done["rejected"] == 5000 and done["added"] == 3000
    assert [e["address"] for e in listed(lab)] == sorted(f"u{i}@x.test" for i in range(3000))
    page = listed(lab, "--after", "u1@x.test", "--limit", "2")
    assert [e["address"] for e in page] == ["u2000@x.test", "u2001@x.test"]  # "0" comes before "@"
    assert listed(lab, "--reason", "bounce") == [] and len(listed(lab, "--since", "1h")) == 3000
    assert listed(lab, "--since", "2999-01-01") == []


def test_what_is_refused(lab):
    assert suppress(lab, "list", ok=(4,)).stderr
    for args, words in [(["add"], "expects an address"), (["add", "not-one"], "not-one"), (["frob"], "frob"),
                        (["add", "a@x.test", "--reason", "dislike"], "dislike"), (["list", "--note", "x"], "--note"),
                        (["list", "--since", "soon"], "--since"), (["show", "a@x.test", "b@x.test"], "b@x.test"),
                        (["add", "a@x.test", "--note", "two\nlines"], "--note")]:
        assert words in suppress(lab, *args, ok=(2,)).stderr
    assert "nothere" in suppress(lab, "import", "nothere.csv", ok=(1,)).stderr
    empty = lab.folder / "empty.csv"
    empty.write_text("")
    assert str(empty) in suppress(lab, "import", empty, ok=(1,)).stderr
    assert "give another" in suppress(lab, "import", lab.template, "--rejects", lab.template, ok=(2,)).stderr
    suppress(lab, "add", "a@x.test")
    assert "was not on" in suppress(lab, "remove", "b@x.test", ok=(4,)).stdout
    assert "is not on" in suppress(lab, "show", "b@x.test", ok=(4,)).stdout


def test_in_a_server(lab):
    port = free_port()
    lab.audience(300)
    lab.configure(**FAST, limits__messages_per_second=60, metrics__listen=f"127.0.0.1:{port}")
    server = serve(lab)
    people = addresses(lab)
    assert suppress(lab, "add", *people[:60], "--reason", "unsubscribe").stdout.count("added") == 60
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "one", "--detach")
    wait_for(lambda: lab.json("status")["campaigns"][0]["delivered"] > 20)
    late = lab.folder / "late.csv"
    late.write_text("email\n" + "".join(a + "\n" for a in people[60:]) + "bad\n")
    rejects = lab.folder / "rejects.csv"
    told = json.loads(suppress(lab, "import", late, "--reason", "complaint", "--rejects", rejects, "--json").stdout)
    assert told["rejected"] == 1 and told["added"] + told["changed"] == len(people) - 60
    assert [r["line"] for r in csv.DictReader(open(rejects, encoding="utf-8-sig"))] == [str(len(people) - 60 + 2)]
    before = lab.json("status")["campaigns"][0]
    end = wait_for(lambda: next((c for c in lab.json("status")["campaigns"] if c["state"] == "done"), None))
    assert equation_holds(end) and end["suppressed"] >= 60 + 50
    assert end["delivered"] - before["delivered"] <= 20 * 4  # what was on the wire
    rows = recipients(lab, "one")
    assert all(rows[a.lower()]["state"] == "suppressed" for a in people[:60])
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    assert f"tsubame_suppressed_total {end['suppressed']}\n" in text
    assert f"tsubame_suppression_entries {len(people)}\n" in text
    assert 'tsubame_suppression_added_total{reason="unsubscribe"} 60\n' in text
    assert "removed" in suppress(lab, "remove", people[0]).stdout
    assert f"tsubame_suppression_entries {len(people) - 1}\n" in urllib.request.urlopen(
        f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    stop(server)
    lab.export("one")
    lab.stop_sim()
    good, said = lab.check()
    assert good, said


def test_a_kill_leaves_outcome_and_entry_together(lab):
    lab.audience(1500)
    lab.configure(**FAST, limits__messages_per_second=0)
    draw = random.Random(7)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "one", "--hold")
    lab.run("resume", "one")
    for turn in range(6):
        server = lab.start("serve")
        time.sleep(draw.uniform(0.2, 0.9))
        if turn % 2 and (lab.store / "control.sock").exists():
            suppress(lab, "add", f"by-hand-{turn}@x.test", ok=(0, 1, 5))
            wanted = json.loads(suppress(lab, "show", f"by-hand-{turn}@x.test", "--json", ok=(0, 4)).stdout)
        server.send_signal(signal.SIGKILL)
        server.wait(10)
        rows = recipients(lab, "one")
        unknown = {a for a, row in rows.items() if is_unknown(row)}
        entries = {e["address"]: e for e in listed(lab)}
        assert {a for a, e in entries.items() if e["source"] == "reply"} == unknown
        if turn % 2 and (lab.store / "control.sock").exists():
            assert wanted["listed"] == (f"by-hand-{turn}@x.test" in entries)
    lab.run("send", "--resume", "one")
    report = lab.json("report", "one", "--verify")
    assert equation_holds(report) and report["pending"] == 0
    unknown = {a for a, row in recipients(lab, "one").items() if is_unknown(row)}
    assert {e["address"] for e in listed(lab) if e["source"] == "reply"} == unknown and len(unknown) > 100
    lab.export("one")
    lab.stop_sim()
    good, said = lab.check()
    assert good, said


def test_off(lab):
    lab.audience(150)
    lab.configure(**FAST, suppress__auto=False)
    first = send(lab, "first")
    assert first["failed"] > 5 and listed(lab) == []
    assert send(lab, "second")["failed"] == first["failed"]
