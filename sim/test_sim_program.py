"""tsubame-sim as a program: the name server, hosts with and without TLS, the truth log, audience and check."""
import csv
import io
import json
import os
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

import dns.message
import dns.query

SIM = sys.argv[1]
SCENARIO = """
seed: 5
providers:
  - {name: clear, weight: 3, domains: [clear.test], hosts: [mx.clear.test], users: {unknown: 0.2}}
  - {name: sealed, weight: 1, domains: {pattern: "d{}.sealed.test", count: 20}, tls: {mode: require}}
"""
done = 0


def check(what, ok):
    global done
    done += 1
    print(f"{'ok' if ok else 'not ok'} {done} - {what}", flush=True)


def lookup(port, name, kind, ask=dns.query.udp):
    answer = ask(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=5).answer
    return answer[0][0]


def send(address, smtp_port, dns_port, number, trust):
    host = lookup(dns_port, address.split("@")[1], "MX").exchange.to_text().rstrip(".")
    at = lookup(dns_port, host, "A", dns.query.tcp).address
    client = smtplib.SMTP(timeout=10)
    client.connect(at, smtp_port)
    client._host = host
    client.ehlo("here.test")
    if client.has_extn("starttls"):
        client.starttls(context=trust)
    text = f"Message-ID: <{number}@here.test>\r\nSubject: x\r\n\r\n.a dot\r\n"
    try:
        client.sendmail("me@here.test", [address], text)
        return "delivered"
    except smtplib.SMTPRecipientsRefused:
        return "failed"
    finally:
        client.close()


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    return what()


def start(folder, scenario, *more):
    """The simulator of a scenario: its process and its two ports."""
    path = lambda name: os.path.join(folder, name)  # noqa: E731
    with open(path("s.yaml"), "w") as file:
        file.write(scenario)
    sim = subprocess.Popen([SIM, "run", path("s.yaml"), "--smtp-port", "0", "--dns-port", "0", "--ready-file", path("ready"),
                            "--truth", path("truth.tsv"), "--tls-dir", path("tls"), *more], stdout=subprocess.PIPE,
                           stderr=open(path("err"), "w"), text=True)
    until(lambda: os.path.exists(path("ready")))
    ready = dict(line.strip().split("=") for line in open(path("ready")))
    return sim, int(ready["dns"].split(":")[1]), int(ready["smtp"])


FAST = """
seed: 5
time: {speed: 600, start: "11:10"}
providers:
  - name: old
    domains: [old.test]
    hosts: [mx.old.test]
    tls: {mode: require, version: "1.2"}
    limits: {daily: 3, daily_resets: "12:00", connections: 5}
    latency: {data: 60000}
"""


def run_fast(folder):
    """Ten minutes in each second: a quota's new day comes, a minute of latency takes a tenth of a second."""
    path = lambda name: os.path.join(folder, name)  # noqa: E731
    begun = time.monotonic()
    sim, dns_port, smtp_port = start(folder, FAST, "--json", "--stats", path("stats"), "--stats-every", "60", "--keep-mail",
                                     path("mail"))
    try:
        trust = ssl.create_default_context(cafile=path("tls/ca.pem"))
        trust.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            send("u@old.test", smtp_port, dns_port, 0, trust)
            check("TLS 1.2 only means so", False)
        except ssl.SSLError:
            check("TLS 1.2 only means so", True)
        trust.minimum_version = ssl.TLSVersion.TLSv1_2
        people = [f"u{n}@old.test" for n in range(4)]
        with open(path("list.csv"), "w") as file:
            file.write("name,email\n" + "".join(f'"Mr, X",{p}\n' for p in people))
        for number, address in enumerate(people):
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    if send(address, smtp_port, dns_port, number, trust) == "delivered":
                        break
                except smtplib.SMTPSenderRefused:
                    time.sleep(0.02)
        check("a minute of latency takes a tenth of a second", 0.4 < time.monotonic() - begun < 20)
        until(lambda: os.path.exists(path("stats")) and os.path.getsize(path("stats")))
        sim.send_signal(signal.SIGUSR1)
        check("SIGUSR1 shows the counts", until(lambda: "why refused" in open(path("err")).read()))
    finally:
        sim.send_signal(signal.SIGTERM)
        sim.communicate(timeout=20)
    rows = [line.rstrip("\n").split("\t") for line in open(path("truth.tsv"))]
    head, rows = rows[0], [dict(zip(rows[0], row)) for row in rows[1:]]
    check("the log's columns", head[-2:] == ["cause", "sim_us"])
    first, last = rows[0], rows[-1]
    speed = (int(last["sim_us"]) - int(first["sim_us"])) / max(1, int(last["time_us"]) - int(first["time_us"]))
    check("simulated time runs as told", 500 < speed < 700)
    check("causes are named", all((row["cause"] == "-") == (row["event"] == "accepted") for row in rows))
    of_day = int(first["sim_us"]) // 1000000 % 86400
    check("it begins when told", 11 * 3600 + 10 * 60 <= of_day < 24 * 3600)
    lines = [json.loads(line) for line in open(path("stats"))]
    whole = [line for line in lines if line["kind"] == "run"][-1]
    check("statistics of the run", whole["recipients"]["accepted"] == 4 and whole["connections"]["peak"] == 1)
    check("statistics of intervals", sum(line["messages"] for line in lines if line["kind"] == "interval") == 4)
    check("the quota's use", whole["limits"]["daily"]["passed"] == 4 and whole["limits"]["daily"]["permitted"] >= 3)
    kept = [open(os.path.join(path("mail/new"), name), newline="").read() for name in os.listdir(path("mail/new"))]
    check("accepted mail is kept", len(kept) == 4 and all("\r\n\r\n.a dot\r\n" in mail for mail in kept)
          and sorted(mail.split("\r\n")[1] for mail in kept) == [f"Delivered-To: {p}" for p in people])
    compare = [SIM, "check", "--truth", path("truth.tsv"), "--sent", path("list.csv"), "--json"]
    found = subprocess.run(compare, capture_output=True, text=True)
    check("what was sent is what was listed", found.returncode == 0 and json.loads(found.stdout)["arrived"] == 4)
    with open(path("list.csv"), "a") as file:
        file.write("X,missing@old.test\n")
    found = subprocess.run(compare[:-1], capture_output=True, text=True)
    check("what is missing is named", found.returncode == 1 and "\n  missing@old.test\n" in found.stdout)


def run(folder):
    path = lambda name: os.path.join(folder, name)  # noqa: E731
    with open(path("s.yaml"), "w") as file:
        file.write(SCENARIO)
    sim = subprocess.Popen(
        [SIM, "run", path("s.yaml"), "--smtp-port", "0", "--dns-port", "0", "--ready-file", path("ready"),
         "--truth", path("truth.tsv"), "--tls-dir", path("tls"), "--json"], stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(200):
            if os.path.exists(path("ready")):
                break
            time.sleep(0.05)
        ready = dict(line.strip().split("=") for line in open(path("ready")))
        dns_port, smtp_port = int(ready["dns"].split(":")[1]), int(ready["smtp"])
        audience = [SIM, "audience", path("s.yaml"), "--count", "60"]
        text = subprocess.run(audience, capture_output=True, check=True).stdout
        again = subprocess.run(audience, capture_output=True, check=True).stdout
        check("the same seed gives the same list", text == again)
        check("another seed another", text != subprocess.run(audience + ["--seed", "6"], capture_output=True).stdout)
        bad = subprocess.run(audience + ["--bad", "7", "--duplicates", "3"], capture_output=True).stdout
        check("bad and repeated rows come on top", bad.count(b"\r\n") == 1 + 60 + 7 + 3)
        people = list(csv.DictReader(io.StringIO(text.decode())))
        check("no address is there twice", len({p["email"] for p in people}) == 60)
        trust = ssl.create_default_context(cafile=path("tls/ca.pem"))
        with open(path("ledger.tsv"), "w") as ledger:
            ledger.write("address\tstate\tmessage_id\tcode\tflags\n")
            for number, person in enumerate(people):
                state = send(person["email"], smtp_port, dns_port, number, trust)
                ledger.write(f"{person['email']}\t{state}\t{number}@here.test\t\t\n")
    finally:
        sim.send_signal(signal.SIGTERM)
        out = sim.communicate(timeout=20)[0]
    totals = json.loads(out)
    rows = [line.rstrip("\n").split("\t") for line in open(path("truth.tsv"))]
    check("it ends with 0 on SIGTERM", sim.returncode == 0)
    check("totals and truth agree", totals["accepted"] == sum(r[1] == "accepted" for r in rows))
    check("some users are unknown", 0 < totals["unknown"] < 30 and totals["accepted"] + totals["unknown"] == 60)
    check("TLS is used where it is required", all((r[10] == "yes") == (r[2] == "sealed") for r in rows[1:]))
    compare = [SIM, "check", "--truth", path("truth.tsv"), "--ledger", path("ledger.tsv"), "--json"]
    found = subprocess.run(compare, capture_output=True, text=True)
    check("the ledger agrees", found.returncode == 0 and json.loads(found.stdout)["ok"])
    broken = open(path("ledger.tsv")).read().replace("\tdelivered\t", "\tfailed\t", 1)
    open(path("ledger.tsv"), "w").write(broken)
    found = subprocess.run(compare, capture_output=True, text=True)
    check("a broken ledger does not", found.returncode == 1 and json.loads(found.stdout)["violations"]["lost"] == 1)
    os.unlink(path("ledger.tsv"))
    check("a missing one is another error", subprocess.run(compare, capture_output=True).returncode == 2)


for command in ("run", "audience", "check", "scenario", "replies"):
    shown = subprocess.run([SIM, command, "--help"], capture_output=True, text=True)
    check(f"{command} has help and an example", shown.returncode == 0 and "example" in shown.stdout)
wrong = subprocess.run([SIM, "run", "/nonexistent.yaml"], capture_output=True, text=True)
check("a missing scenario is an error", wrong.returncode == 1 and "/nonexistent.yaml" in wrong.stderr)
for options in (["run"], ["run", "x", "--smtp-port", "70000"], ["audience", "x"], ["bogus"], ["check"]):
    check(f"{' '.join(options)} is refused", subprocess.run([SIM] + options, capture_output=True).returncode == 2)
for what in (run, run_fast):
    with tempfile.TemporaryDirectory() as name:
        what(name)
print(f"1..{done}")
