"""The command line from end to end, against the fake internet: what it does, prints, refuses, and leaves behind."""
import csv
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from common import ROOT, equation_holds, laboratory, rows_of, serve, stop, wait_for
from common import FAST  # noqa: F401
from peers import free_port

@pytest.fixture
def open_folder():
    """One that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


# --- sending without a server

def test_a_campaign_from_list_to_report(lab):
    lab.audience(300)
    text = lab.list.read_text()
    second = text.splitlines()[1]
    lab.list.write_text(text + second.upper().replace("EMAIL", "email") + "\n"  # the same address in capitals
                        + "not-an-address,x,x,x,1\n" + "two@@big.test,x,x,x,1\n" + "a@big.test,too few\n")
    rejects = lab.folder / "rejects.csv"
    done = lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "spring", "--rejects", rejects)
    assert "Campaign 1 (spring) is done: 303 planned" in done.stdout
    assert "304 rows, 1 duplicates, 3 rejected" in done.stderr and str(rejects) in done.stderr
    bad = list(csv.DictReader(open(rejects, encoding="utf-8-sig")))
    assert [row["line"] for row in bad] == ["303", "304", "305"] and all(row["reason"] for row in bad)
    report = lab.json("report", "spring")
    assert equation_holds(report) and report["pending"] == 0 and report["planned"] == 303
    assert report["rejected"] == 3 and report["duplicates"] == 1 and report["state"] == "done"
    assert {p["provider"] for p in report["providers"]} == {"mx.big.test", "mx.hard.test"}
    assert any(r["state"] == "failed" and r["code"] == 550 and r["example"] for r in report["reasons"])
    listed = rows_of(lab.run("report", "1", "--recipients").stdout)
    assert len(listed) == 300 and len({row["address"].lower() for row in listed}) == 300
    assert sum(row["state"] == "delivered" for row in listed) == report["delivered"]
    assert sum(row["state"] == "failed" for row in listed) == report["failed"] - 3
    lines = [json.loads(line) for line in lab.run("report", "1", "--recipients", "--json-lines").stdout.splitlines()]
    assert [(o["address"], o["state"], o["message_id"]) for o in lines] == \
        [(r["address"], r["state"], r["message_id"]) for r in listed]
    lab.run("report", "1", "--verify")
    lab.export(1)
    lab.stop_sim()
    good, text = lab.check()
    assert good, text
    check_messages(lab, listed)


def check_messages(lab, listed):
    failed = next(row for row in listed if row["state"] == "failed")
    [found] = lab.json("message", "--to", failed["address"].upper())
    assert found["state"] == "failed" and found["message_id"] == failed["message_id"]
    assert found["events"][-1]["text"] == failed["text"] and found["events"][-1]["code"] == 550
    text = lab.run("message", "--to", failed["address"]).stdout
    assert "not delivered" in text and failed["text"] in text and failed["host"] in text
    assert lab.run("message", "--to", "nobody@big.test", ok=(4,)).stderr.strip() == \
        "tsubame: nobody@big.test was in no campaign"
    # a second campaign to the same people is another thing
    lab.list.write_text(f"email,name,city,company,amount\n{failed['address']},A,B,C,1\n")
    lab.start_sim()
    lab.configure(**FAST)
    lab.run("send", "--template", lab.template, "--to", lab.list)
    assert [m["campaign"] for m in lab.json("message", "--to", failed["address"])] == [2, 1]
    assert [m["name"] for m in lab.json("message", "--to", failed["address"], "--campaign", "template")] == ["template"]


def test_dry_run_sends_nothing(lab):
    lab.audience(50)
    done = lab.run("send", "--template", lab.template, "--to", lab.list, "--dry-run")
    assert done.stdout.startswith("50 would get a mail, 0 rows are duplicates, 0 are rejected. Nothing was sent.")
    assert "\r\nSubject: " in done.stdout.replace("\n", "\r\n") and not lab.store.exists()
    told = lab.json("send", "--template", lab.template, "--to", lab.list, "--dry-run")
    assert told["recipients"] == 50 and told["first_to"] in told["first_mail"]
    assert lab.stop_sim().get("accepted", 0) == 0


def test_list_from_standard_input(lab):
    lab.audience(5)
    with open(lab.list) as stdin:
        done = subprocess.run(lab.command("send", "--template", lab.template, "--to", "-", "--json"), stdin=stdin,
                              capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["planned"] == 5


def test_interrupt_and_resume(lab):
    lab.audience(300)
    lab.configure(**FAST, limits__messages_per_second=40)
    child = lab.start("send", "--template", lab.template, "--to", lab.list, "--name", "slow")
    wait_for(lambda: lab.truth.exists() and lab.truth.read_text().count("\taccepted\t") > 5)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    log = (lab.folder / "send.log").read_text()
    assert "nothing is lost" in log and "tsubame send --resume 1" in log
    status = lab.json("status")
    assert status["running"] is False and 0 < status["campaigns"][0]["pending"] < 300
    lab.run("report", "slow", "--verify")
    lab.configure(**FAST)
    done = lab.run("send", "--resume", "slow")
    assert "Campaign 1 (slow) is done: 300 planned" in done.stdout
    lab.export("slow")
    lab.stop_sim()
    good, text = lab.check()
    assert good, text


def test_interrupt_while_loading_leaves_nothing(lab):
    lab.audience(200000)
    child = lab.start("send", "--template", lab.template, "--to", lab.list)
    wait_for(lambda: (lab.store / "ledger.mdb").exists())
    child.send_signal(signal.SIGTERM)
    if child.wait(60) == 130 and "stopped while loading" in (lab.folder / "send.log").read_text():
        assert lab.json("status")["campaigns"] == []


def test_unfinished_campaigns_go_on_too(lab):
    lab.audience(20)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "first", "--hold")
    lab.run("resume", "first")
    done = lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "second")
    assert "campaign 1 (first) was left unfinished and goes on too" in done.stderr


def test_hold_resume_cancel_without_server(lab):
    lab.audience(30)
    assert "is held" in lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "a", "--hold").stdout
    assert "name" in lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "a", "--hold",
                             ok=(1,)).stderr
    assert lab.json("resume", "a")["state"] == "ready"
    assert lab.json("hold", "a")["state"] == "held"
    refused = lab.run("cancel", "a", ok=(2,))
    assert "30 recipients would be cancelled for good: give --yes" in refused.stderr
    told = lab.json("cancel", "a", "--yes")
    assert told["cancelled"] == 30 and told["pending"] == 0 and told["state"] == "cancelled"
    assert "at its end" in lab.run("resume", "a", ok=(1,)).stderr
    lab.run("report", "a", "--verify")
    assert {row["state"] for row in rows_of(lab.run("report", "a", "--recipients").stdout)} == {"cancelled"}
    assert lab.stop_sim().get("accepted", 0) == 0


def terminal_output(command, seconds=60, columns=0):
    """What a command writes to a terminal as its standard error."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
                             env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    text, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        if not select.select([master], [], [], 0.2)[0]:
            if child.poll() is not None:
                break
            continue
        try:
            text += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    assert child.wait(30) == 0
    return text.decode()


def test_progress_line_on_a_terminal_only(lab):
    lab.audience(300)
    lab.configure(**FAST, limits__messages_per_second=100)
    shown = terminal_output(lab.command("send", "--template", lab.template, "--to", lab.list))
    assert shown.count("\r\x1b[K") > 3
    assert re.search(r"[\d,]+ of 300 delivered \(\d+%\).*\d+/s, \d+ providers? busy, [\d,]+ pending.* left", shown)
    narrow = terminal_output(lab.command("send", "--template", lab.template, "--to", lab.list), columns=40)
    lines = [line.split("\r\n")[0] for line in narrow.split("\r\x1b[K")[1:]]
    assert len(lines) > 3 and max(map(len, lines[:-1])) == 39, "a line that wraps cannot be written over"
    done = lab.run("send", "--template", lab.template, "--to", lab.list)
    assert "\r" not in done.stderr and "\x1b" not in done.stderr + done.stdout
    assert " of 300 delivered" in done.stderr


# --- with a server

def test_a_server_takes_campaigns(lab):
    lab.audience(200)
    with open(lab.list, "a") as more:
        more.write("bad,x,x,x,1\n")
    server = serve(lab)
    rejects = lab.folder / "rejects.csv"
    done = lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "one", "--rejects", rejects)
    assert "Campaign 1 (one) is done: 201 planned" in done.stdout and "1 rejected" in done.stderr
    assert [row["line"] for row in csv.DictReader(open(rejects, encoding="utf-8-sig"))] == ["202"]
    status = lab.json("status")
    assert status["running"] and status["pid"] == server.pid and status["campaigns"][0]["state"] == "done"
    assert sum(lane["delivered"] for lane in status["lanes"]) == status["campaigns"][0]["delivered"]
    lab.run("report", "one", "--verify")
    assert "already" in lab.run("serve", ok=(5,)).stderr
    assert str(server.pid) in lab.run("send", "--no-server", "--template", lab.template, "--to", lab.list,
                                      ok=(5,)).stderr
    told = lab.json("send", "--template", lab.template, "--to", lab.list, "--name", "two", "--hold", "--detach")
    assert told["state"] == "held"
    assert lab.json("resume", "two")["state"] == "ready"
    wait_for(lambda: lab.json("status")["campaigns"][0]["state"] == "done")
    lab.run("backup", lab.folder / "copy")
    copied = lab.json("status", "--set", f"store.path={lab.folder / 'copy'}")
    assert copied["running"] is False and len(copied["campaigns"]) == 2
    stop(server)
    assert not (lab.store / "control.sock").exists()
    assert lab.json("status")["running"] is False


def test_the_server_is_all_that_is_needed(lab):
    lab.audience(60)
    lab.configure(**FAST, limits__messages_per_second=10)
    server = serve(lab)
    socket_alone = ("--set", "store.path=/nowhere/at/all", "--set", f"control.socket={lab.store / 'control.sock'}")
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "one", "--hold", "--detach")
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "two", "--hold", "--detach")
    resumed = lab.run("send", "--resume", "one", *socket_alone)  # as it does without a server
    assert "Campaign 1 (one) is done: 60 planned" in resumed.stdout
    for command, state in (("resume two", "ready"), ("hold 2", "held"), ("cancel two --yes", "cancelled")):
        assert lab.json(*command.split(), *socket_alone)["state"] == state
    for command in ("resume", "hold", "cancel"):
        assert "there is no campaign 'three'" in lab.run(command, "three", *socket_alone, ok=(4,)).stderr
    assert "there is no campaign 'three'" in lab.run("send", "--resume", "three", *socket_alone, ok=(4,)).stderr
    stop(server)


def test_cancel_in_a_server(lab):
    lab.audience(500)
    lab.configure(**FAST, limits__messages_per_second=20)
    server = serve(lab)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", "big", "--detach")
    wait_for(lambda: lab.json("status")["campaigns"][0]["delivered"] > 5)
    assert lab.json("hold", "big")["state"] == "held"
    lab.json("cancel", "big", "--yes")
    campaign = wait_for(lambda: next((c for c in lab.json("status")["campaigns"] if c["pending"] == 0), None))
    assert campaign["state"] == "cancelled" and campaign["cancelled"] > 100 and equation_holds(campaign)
    stop(server)
    lab.export("big")
    lab.stop_sim()
    good, text = lab.check()
    assert good, text


def test_client_that_leaves_does_not_take_its_campaign_along(lab):
    lab.audience(300)
    lab.configure(**FAST, limits__messages_per_second=50)
    server = serve(lab)
    child = lab.start("send", "--template", lab.template, "--to", lab.list)
    wait_for(lambda: lab.json("status")["campaigns"] and lab.json("status")["campaigns"][0]["delivered"] > 3)
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 130
    assert "goes on in the server" in (lab.folder / "send.log").read_text()
    wait_for(lambda: lab.json("status")["campaigns"][0]["state"] == "done")
    stop(server)


def test_metrics(lab):
    port = free_port()
    lab.audience(100)
    lab.configure(**{**FAST, "metrics__listen": f"127.0.0.1:{port}"})
    server = serve(lab)
    lab.run("send", "--template", lab.template, "--to", lab.list, "--name", 'odd "name"')
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    samples = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    delivered = lab.json("report", "1")["delivered"]
    assert float(samples['tsubame_attempts_total{outcome="delivered"}']) == delivered
    assert float(samples['tsubame_campaign_recipients{campaign="1",name="odd \\"name\\"",state="delivered"}']) == delivered
    assert float(samples['tsubame_store_state{state="fine"}']) == 1
    documented = (ROOT / "docs/metrics.md").read_text()
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    assert not [name for name in names if f"`{name}`" not in documented]
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/other", timeout=10)
    stop(server)


def test_systemd_and_reload(lab):
    path = str(lab.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        server = serve(lab, env={"NOTIFY_SOCKET": path})
        said = ""
        while "READY=1" not in said:
            said = notify.recv(4096).decode()
        lab.configure(**{**FAST, "log__level": "debug", "deliver__idle": "9s",
                         "providers": [{"name": "big", "mx": [".big.test"]}]})
        server.send_signal(signal.SIGHUP)
        while "RELOADING=1" not in said:
            said = notify.recv(4096).decode()
        while "READY=1" not in said:
            said = notify.recv(4096).decode()
        log = lab.folder / "serve.log"
        wait_for(lambda: "event=needs-restart key=deliver.idle" in log.read_text())
        wait_for(lambda: "event=needs-restart key=providers" in log.read_text())
        assert "event=needs-restart key=log.level" not in log.read_text()
        lab.config.write_text("nonsense: 1\n")
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: "event=reload-failed" in log.read_text())
        server.terminate()
        while "STOPPING=1" not in said:
            said = notify.recv(4096).decode()
        assert server.wait(30) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_privileges(lab, open_folder):
    lab.configure(**{**FAST, "run__user": ""})
    refused = lab.run("serve", ok=(1,))
    assert "will not run as root: set run.user" in refused.stderr
    lab.configure(**{**FAST, "run__user": "nobody-of-that-name"})
    assert "run.user: there is no user" in lab.run("serve", ok=(1,)).stderr
    lab.store = open_folder / "data"
    lab.configure(**{**FAST, "run__user": "nobody"})
    server = serve(lab)
    status = Path(f"/proc/{server.pid}/status").read_text()
    uid = __import__("pwd").getpwnam("nobody").pw_uid
    assert re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}\s", status, re.M)
    lab.audience(20)
    lab.list.chmod(0o600)  # the server gets a descriptor, it needs no rights
    assert "20 planned" in lab.run("send", "--template", lab.template, "--to", lab.list).stdout
    own = shutil.copy(lab.command("status")[0], open_folder / "tsubame")  # the build may lie where only root reads
    stranger = subprocess.run([own, *lab.command("status")[1:]], capture_output=True, text=True, user=12345,
                              group=12345, extra_groups=[])
    assert stranger.returncode != 0
    stop(server)
    lab.configure(**{**FAST, "run__group": "daemon"})  # a group alone may be given up too
    server = serve(lab)
    gid = __import__("grp").getgrnam("daemon").gr_gid
    assert re.search(rf"^Gid:\s+{gid}\s+{gid}\s+{gid}\s", Path(f"/proc/{server.pid}/status").read_text(), re.M)
    stop(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_whoever_only_asks_needs_no_key(lab, open_folder):
    key = open_folder / "dkim.pem"
    shutil.copy(lab.dkim_key("s")[0]["key_file"], key)
    key.chmod(0o600)
    own = shutil.copy(lab.command("status")[0], open_folder / "tsubame")
    config = open_folder / "tsubame.yaml"
    config.write_text(f"store: {{path: {open_folder / 'data'}}}\ndkim: {{domain: a.test, selector: s, key_file: {key}}}\n")

    def as_stranger(*args):
        return subprocess.run([own, *args, "--config", config], capture_output=True, text=True, user=12345,
                              group=12345, extra_groups=[], cwd=open_folder)

    assert as_stranger("status").returncode == 4  # there is no store; that the key is not for them is no fault
    open_folder.chmod(0o777)
    (open_folder / "t.yaml").write_text(laboratory.TEMPLATE)
    (open_folder / "list.csv").write_text("email,name,city,company,amount\na@big.test,a,b,c,1\n")
    refused = as_stranger("send", "--template", "t.yaml", "--to", "list.csv")
    assert refused.returncode == 1 and "dkim.pem" in refused.stderr and "Permission denied" in refused.stderr


# --- what is refused

def test_bad_lists(bare):
    cases = {
        "empty.csv": ("", "empty"),
        "columns.csv": ("name,city\nA,B\n", "column"),
        "none.csv": ("email,name\nbad,A\nalso bad,B\n", ""),
        "head.csv": ("email,name\n", ""),
    }
    for name, (text, word) in cases.items():
        bare.write(name, text)
        done = bare.run("send", "--template", "t.yaml", "--to", name)
        assert done.returncode == 1, (name, done)
        assert word in done.stderr and "tsubame: " in done.stderr
        assert json.loads(bare.run("status", "--json").stdout)["campaigns"] == [], name
    done = bare.run("send", "--template", "t.yaml", "--to", "nowhere.csv")
    assert done.returncode == 1 and "nowhere.csv: No such file or directory" in done.stderr


def test_bad_templates(bare):
    bare.write("l.csv", "email,name\na@big.test,A\n")
    for name, text, words in [("a.yaml", "from: x\n", "a.yaml:"), ("b.yaml", "subjct: x\n", "b.yaml:1:"),
                              ("c.yaml", "from: a@b.example\nsubject: '{{nme}}'\ntext: x\n", "nme")]:
        bare.write(name, text)
        done = bare.run("send", "--template", name, "--to", "l.csv")
        assert done.returncode == 1 and words in done.stderr, done
    done = bare.run("send", "--template", "none.yaml", "--to", "l.csv")
    assert done.returncode == 1 and "none.yaml" in done.stderr


def test_bad_configuration(bare):
    bare.write("bad.yaml", "dns:\n  severs: 127.0.0.1\ndeliver:\n  idle: x\n")
    for command in (["status"], ["send"], ["report", "1"], ["serve"], ["config", "show"], ["config", "check"]):
        done = bare.run(*command, "--config", "bad.yaml")
        assert done.returncode == 3
        assert done.stderr == ("tsubame: bad.yaml:2:11: dns.severs: unknown key (did you mean dns.servers?)\n"
                               "tsubame: bad.yaml:4:9: deliver.idle: expected a duration such as 30s, 5m or 2h, got 'x'\n")
    assert bare.run("status", "--config", "absent.yaml").returncode == 3
    assert bare.run("status", "--set", "deliver.prt=1").stderr == \
        "tsubame: --set: deliver.prt: unknown key (did you mean deliver.port?)\n"


def test_where_the_configuration_comes_from(bare):
    bare.write("tsubame.yaml", "deliver.port: 1111\n")
    bare.write("other.yaml", "deliver.port: 2222\n")

    def port(*args, env=None):
        return json.loads(bare.run("config", "show", "--json", *args, env=env).stdout)["deliver.port"]

    assert port() == {"value": 1111, "origin": "tsubame.yaml:1"}
    assert port(env={"TSUBAME_CONFIG": "other.yaml"}) == {"value": 2222, "origin": "other.yaml:1"}
    assert port("--config", "other.yaml") == {"value": 2222, "origin": "other.yaml:1"}
    assert port("--config", "other.yaml", "--set", "deliver.port=3") == {"value": 3, "origin": "--set"}
    defaults = bare.run("config", "defaults").stdout
    bare.write("defaults.yaml", defaults)
    assert bare.run("config", "check", "defaults.yaml").stdout == "defaults.yaml: good\n"
    manual = bare.run("config", "manual").stdout
    assert manual == (ROOT / "docs/configuration.md").read_text(), "make it anew: tsubame config manual"


def test_usage_and_absence(bare):
    for args, code, words in [
        ([], 2, ""), (["frobnicate"], 2, "no command 'frobnicate'"), (["help", "frobnicate"], 2, "no command 'frobnicate'"),
        (["status", "--frob"], 2, "does not know '--frob'"),
        (["report"], 2, "expects 'CAMPAIGN'"), (["report", "a", "b"], 2, "does not expect 'b'"),
        (["send"], 2, "--template"), (["send", "--template"], 2, "lacks its value"),
        (["send", "--template", "t.yaml"], 2, "--to"), (["send", "--hold=1"], 2, "takes no value"),
        (["send", "--template", "t.yaml", "--to", "x", "--name", "12"], 2, "not a number"),
        (["message"], 2, "--to"), (["message", "--to", "nonsense"], 2, "not an address"),
        (["config", "nonsense"], 2, "expected show, check, defaults or manual"),
        (["status"], 4, "there is no store"), (["report", "1"], 4, "there is no store"),
        (["message", "--to", "a@big.test"], 4, "there is no store"), (["cancel", "1"], 4, "there is no store"),
        (["backup", "x"], 4, ""),
    ]:
        done = bare.run(*args)
        assert done.returncode == code or (args[:1] == ["backup"] and done.returncode), (args, done)
        assert words in done.stderr, (args, done)
    assert not (bare.folder / "tsubame-data").exists(), "asking must not make a store"


def test_every_help_has_examples(bare):
    overview = bare.run("--help").stdout
    commands = re.findall(r"^  ([\w-]+) +\S", overview.split("explains each")[0], re.M)
    assert {"serve", "send", "status", "report", "message", "config", "hold", "resume", "cancel", "backup"} <= set(commands)
    for command in commands:
        done = bare.run(command, "--help")
        assert done.returncode == 0 and "Examples:" in done.stdout and "Exit status:" in done.stdout
        assert f"tsubame {command}" in done.stdout.split("Examples:")[1]
        text = re.sub(r"Examples:\n(  .*\n)*", "", done.stdout)  # these are to be copied whole
        assert [line for line in text.splitlines() if len(line) > 80] == [], command
    assert [line for line in overview.splitlines() if len(line) > 80] == []


def test_an_installed_configuration_is_found(bare):
    """What `meson install` puts below the prefix of this build, /usr/local, is read without being named."""
    path = "/usr/local/etc/tsubame"
    script = f"mkdir -p /usr/local/etc && mount -t tmpfs none /usr/local/etc && mkdir {path} && " \
             f"echo 'no.such: key' >{path}/tsubame.yaml && exec \"$@\""
    if os.geteuid() or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("needs root and a mount namespace")
    done = subprocess.run(["unshare", "--mount", "sh", "-ec", script, "sh", bare.program, "status"], cwd=bare.folder,
                          env={**os.environ, "TSUBAME_CONFIG": ""}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and f"{path}/tsubame.yaml" in done.stderr, done
