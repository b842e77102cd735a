"""Mail servers that mean harm, or are mad: one campaign to all of them at once goes on, and says what became of each."""
import csv
import json
import socketserver
import subprocess
import threading
import time

import peers
from names import names

CHUNKING = b"250-mx\r\n250-PIPELINING\r\n%s250 CHUNKING\r\n"
PEOPLE = 6


class Host:
    """A server that is well-behaved but for what a mode changes; a body counts when it was read whole and taken."""

    def __init__(self, ehlo=CHUNKING % b"", rcpt=b"250 ok\r\n", bdat=None, all_else=None):
        self.ehlo, self.rcpt, self.bdat, self.all_else, self.taken = ehlo, rcpt, bdat, all_else, 0

    def body(self, conn, size, nth):
        conn.rfile.read(size)
        self.taken += 1
        return b"250 kept\r\n"

    def talk(self, conn):
        if self.all_else:
            self.all_else(conn)
            return
        conn.wfile.write(b"220 mx\r\n")
        nth = 0
        while line := conn.rfile.readline():
            verb, answer = line[:4].upper(), b"250 ok\r\n"
            if verb == b"EHLO":
                answer = self.ehlo
            elif verb == b"RCPT":
                answer = self.rcpt
            elif verb == b"BDAT":
                answer = (self.bdat or Host.body)(self, conn, int(line.split()[1]), nth)
                nth += 1
            elif verb == b"DATA":
                conn.wfile.write(b"354 go on\r\n")
                while conn.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.taken += 1
            if answer is None:
                return
            conn.wfile.write(answer)
            if verb == b"QUIT":
                return


def read_and_say(answer, times=1):
    def bdat(host, conn, size, nth):
        conn.rfile.read(size)
        for _ in range(times - 1):
            conn.wfile.write(answer)
        return answer
    return bdat


def say(*texts):
    def all_else(conn):
        conn.wfile.write(texts[0])
        for text in texts[1:]:
            conn.rfile.readline()
            conn.wfile.write(text)
        conn.rfile.read(1)
    return all_else


def flood(conn):
    for _ in range(20000):
        conn.wfile.write(b"220-" + b"x" * 400 + b"\r\n")


GREETING, STARTTLS = b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n"
# And whether its people get their mail in the end.
HOSTS = {
    "well": (Host(), True),
    "unknown": (Host(bdat=read_and_say(b"502 5.5.1 what\r\n")), True),
    "answers-first": (Host(all_else=say(GREETING, CHUNKING % b"" + b"250 ok\r\n" * 30)), False),
    "flood": (Host(all_else=flood), False),
    "no-lines": (Host(all_else=say(b"2" * 100000)), False),
    "ehlo-10000": (Host(ehlo=b"250-mx\r\n" + b"250-X\r\n" * 10000 + b"250 ok\r\n"), False),
    "limits-zero": (Host(ehlo=CHUNKING % b"250-LIMITS MAILMAX=0 RCPTMAX=0 RCPTDOMAINMAX=0\r\n"), True),
    "limits-mad": (Host(ehlo=CHUNKING % b"250-LIMITS MAILMAX=99999999999999999999 RCPTMAX= =5 RCPTDOMAINMAX=-1\r\n"), True),
    "limits-one": (Host(ehlo=CHUNKING % b"250-LIMITS MAILMAX=1 RCPTMAX=1 RCPTDOMAINMAX=1\r\n"), True),
    "closes": (Host(bdat=lambda *_: None), True),
    "many-answers": (Host(bdat=read_and_say(b"250 kept\r\n", 8)), True),
    "many-lines": (Host(bdat=read_and_say(b"250-kept\r\n", 2000)), True),
    "1xx": (Host(bdat=read_and_say(b"150 wait\r\n", 50)), True),
    "354": (Host(bdat=read_and_say(b"354 go on\r\n")), True),
    "injection": (Host(all_else=say(GREETING, STARTTLS, b"220 go\r\n250-mx\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n")), False),
    "mixed-codes": (Host(rcpt=b"250-a\r\n550 b\r\n"), False),
    "000": (Host(rcpt=b"000 x\r\n"), False),
    "nul": (Host(rcpt=b"550 \x1b[2J\x00\xff no\r\n"), False),
}


def rows_of(build, more):
    report = subprocess.run([build / "program/tsubame", "report", "x", "--recipients", "--tsv", *more],
                            capture_output=True, text=True).stdout
    return list(csv.DictReader(report.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def people_of(rows, name):
    return [row for row in rows if row["address"].endswith(f"@{name}.example")]


def settled(rows, name):
    """All have their mail; or, where nobody can, somebody was tried, and nobody is called delivered."""
    own = people_of(rows, name)
    delivered = sum(row["state"] == "delivered" for row in own)
    if HOSTS[name][1]:
        return delivered == PEOPLE
    return delivered == 0 and len(own) == PEOPLE and any(int(row["attempts"]) for row in own)


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.server.host.talk(self)
        except OSError:
            pass


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    block_on_close = False
    request_queue_size = 50


def test_mad_hosts(build, tmp_path):
    port, listeners, table = peers.free_port(), [], {}
    for i, (name, (host, _)) in enumerate(HOSTS.items(), 1):
        listener = Listener((f"127.9.0.{i}", port), Connection)
        listener.host = host
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        listeners.append(listener)
        table[(f"{name}.example", "MX")] = [f"10 mx.{name}.example."]
        table[(f"mx.{name}.example", "A")] = [f"127.9.0.{i}"]
    (tmp_path / "list.csv").write_text("email\n" + "".join(f"p{k}@{name}.example\n" for name in HOSTS for k in range(PEOPLE)))
    (tmp_path / "t.yaml").write_text("from: a@b.example\nsubject: s\ntext: |\n" + "  a line of some length\n" * 50)
    more = ["--config", tmp_path / "tsubame.yaml"]
    try:
        with names(table) as dns:
            (tmp_path / "tsubame.yaml").write_text(json.dumps({
                "store": {"path": "data"}, "dns": {"servers": [dns]}, "metrics": {"listen": "off"},
                "limits": {"connections": 2},
                "deliver": {"port": port, "private_hosts": True, "timeout_scale": 0.02, "retry": {"first": "1s", "most": "2s"}}}))
            sending = subprocess.Popen([build / "program/tsubame", "send", "--template", tmp_path / "t.yaml", "--to",
                                        tmp_path / "list.csv", "--name", "x", *more], stderr=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL)
            until = time.monotonic() + 90
            while time.monotonic() < until and not all(settled(rows_of(build, more), name) for name in HOSTS):
                time.sleep(1)
            sending.terminate()
            assert sending.wait(30) == 130  # in good order, with work left
    finally:
        for listener in listeners:
            listener.shutdown()
            listener.server_close()
    rows = rows_of(build, more)
    for name, (host, good) in HOSTS.items():
        own = people_of(rows, name)
        assert settled(rows, name), (name, own)
        assert not [row for row in own if row["state"] == "failed"], (name, own)
        if name != "many-answers":  # whose answers are believed once
            assert host.taken >= sum(row["state"] == "delivered" for row in own), name
