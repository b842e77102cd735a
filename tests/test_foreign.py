"""Mail to servers that this project did not write: with and without PIPELINING, CHUNKING, STARTTLS and SMTPUTF8, every mail
arrives once and byte for byte; refusals, restarts, the servers' own limits and certificates end as the ledger says.

Each server runs once for all of its configurations, each of them at an address and with a domain of its own. Every two
features are met in all four ways; TSUBAME_FOREIGN=all tries the full product.
"""
import contextlib
import itertools
import json
import os
import re
import smtplib
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import dkim
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import lab as laboratory  # noqa: E402
import peers  # noqa: E402
from mail_cases import CASES, EMOJI, LANGUAGES, NAMES, ODD_LINES, noise  # noqa: E402
from names import names  # noqa: E402

FAST = {"deliver__retry": {"first": "200ms", "most": "1s", "factor": 1.5}, "deliver__helo": "out.swallow.example", "log__level": "warn"}


# Which kinds get their mail from the build under test, with the sanitizers where TSUBAME_BUILD says so. These two have all that
# the others have, each feature and each limit, so every path of this program is taken here with one of them. The point of the
# others is how they read what comes over the wire, and that is the same from the release build, at a fifth of the processor time.
SANITIZED = {"postfix", "exim"}


def build_for(kind, build):
    return build if kind in SANITIZED or os.environ.get("TSUBAME_FOREIGN") == "all" else peers.ROOT / "build/release"


# --- Configurations

def combinations(features):
    """For each two of them all four ways: all, none, and each one alone."""
    if os.environ.get("TSUBAME_FOREIGN") == "all":
        return [set(itertools.compress(features, on)) for on in itertools.product((True, False), repeat=len(features))]
    return [set(chosen) for chosen in dict.fromkeys([tuple(features), (), *((f,) for f in features)])]


def name_of(chosen):
    return "+".join(f for f in peers.FEATURES if f in chosen) or "none"


def faces_of(kind):
    """Its configurations, by name, as faces at addresses of their own."""
    has = [f for f in peers.FEATURES if f not in peers.kind_of(kind).LACKS]
    net = 40 + peers.ALL_KINDS.index(kind)
    return {name_of(chosen): peers.Face(f"127.0.{net}.{n}", **{f: f in chosen for f in peers.FEATURES})
            for n, chosen in enumerate(combinations(has), 1)}


def domain_of(face):
    """All are of one length, so that mails to them are folded alike."""
    return "m%03d-%03d.example" % tuple(map(int, face.address.split(".")[2:]))


def table(faces):
    return {key: value for face in faces for key, value in {
        (domain_of(face), "MX"): [f"10 mx.{domain_of(face)}."], (f"mx.{domain_of(face)}", "A"): [face.address]}.items()}


KIND_AND_CONFIGURATION = [(kind, name) for kind in peers.ALL_KINDS for name in faces_of(kind)]
LACKING = [(kind, feature) for kind in peers.ALL_KINDS for feature in peers.kind_of(kind).LACKS]


# --- What is sent

def case(name):
    return next(c for c in CASES if c.name == name)


def texts():
    yield from (p["more"] for p in case("odd-lines").people)
    yield from (p["line"] for p in case("long-lines").people)
    yield from (of["text"] for of in LANGUAGES.values())
    yield from ("", "\n", ".", "..", ".\n.\n", "From here\n.From there\n", "x" * 998 + "\n." + "y" * 997, "tail \t\n \n")


def plain_people():
    """Texts with all that a line of SMTP can trip over, and headers that are folded and encoded."""
    subjects = itertools.cycle(v for p in case("header-values").people for v in [p["v"]] if v.strip())
    names_ = itertools.cycle(NAMES + EMOJI)
    people = [{"email": f"p{i:02}@", "name": next(names_), "subject": next(subjects), "text": text}
              for i, text in enumerate(texts())]
    people += [{"email": f"q{i:02}@", "name": "Q", "subject": "short", "text": f"mail {i}"} for i in range(16)]
    return people + [{"email": f"жук-{i}@", "name": "Жук", "subject": "адрес", "text": ODD_LINES} for i in range(4)] + [
        {"email": "日本@", "name": "", "subject": "short", "text": ""}]


PLAIN = {"from": "Swallow News <news@swallow.example>", "to_name": "{{{name}}}", "subject": "{{{subject}}}", "text": "{{{text}}}",
         "headers": {"X-Value": "{{{subject}}}"}}
FILES = {"big.bin": noise(1 << 20, 11), "text.txt": ODD_LINES.encode() * 40, "dots.txt": b"\r\n.\r\n.." * 300, "empty.bin": b""}
WHOLE = {**PLAIN, "html": "<p>{{text}}</p>" + "<p>日本語 {{name}}</p>" * 20, "attachments": [{"personal": "{{file}}", "name": "{{file}}"}]}
WHOLE_PEOPLE = [{"email": f"w{i:02}@", "name": "Whole", "subject": f"file {i}", "text": ODD_LINES, "file": file}
                for i, file in enumerate(["big.bin", *itertools.islice(itertools.cycle(list(FILES)[1:]), 8)])]
JOBS = {"plain": (PLAIN, plain_people()), "whole": (WHOLE, WHOLE_PEOPLE)}


def is_utf8(address):
    return not address.isascii()


def write_list(path, people, domains):
    with open(path, "w") as out:
        for person in people:
            for domain in domains:
                out.write(json.dumps({**person, "email": person["email"] + domain}) + "\n")


class Desk:
    """The program with a list and templates in a folder; what it sends and what it says about it."""

    def __init__(self, folder, build, port, dns):
        self.lab = laboratory.Lab(folder, "sim/scenarios/demo.yaml", build)
        self.lab.smtp_port, self.lab.dns = port, dns
        self.folder = self.lab.folder
        for name, data in FILES.items():
            (self.folder / name).write_bytes(data)
        self.key, (name, value) = self.lab.dkim_key("s1")
        self.records = {name: value}

    def configure(self, **more):
        self.lab.configure(**{**FAST, "dkim": [self.key], "attachments__folder": str(self.folder), **more})

    def write(self, name, template, people, domains):
        (self.folder / f"{name}.yaml").write_text(yaml.dump(template, allow_unicode=False, width=10**6, default_style='"'))
        write_list(self.folder / f"{name}.jsonl", people, domains)

    def arguments(self, name):
        return ["--template", self.folder / f"{name}.yaml", "--to", self.folder / f"{name}.jsonl", "--name", name]

    def send(self, name, **more):
        self.lab.run("send", *self.arguments(name), **{"timeout": 240, "ok": (0, 1), **more})
        return self.ledger(name)

    def ledger(self, name):
        """Its word on each recipient, by address."""
        lines = self.lab.run("report", name, "--recipients", "--json-lines").stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        assert len({row["address"] for row in rows}) == len(rows)
        self.lab.run("report", name, "--verify")
        return {row["address"]: row for row in rows}

    def rendered(self, name, number):
        done = self.lab.run("render", "--template", self.folder / f"{name}.yaml", "--to", self.folder / f"{name}.jsonl",
                            "--row", number, "--json")
        return json.loads(done.stdout)["mail"].encode()


# --- What is compared

FIELD = re.compile(rb"([!-9;-~]+):[^\n]*\n(?:[ \t][^\n]*\n)*")


def fields_of(head):
    return [(m[1].lower().decode(), m[0]) for m in FIELD.finditer(head)]


def received(server, raw):
    """A mail as it was on the wire: without what the server put above it, and with the line ends of the wire."""
    if not server.CRLF:
        assert b"\r" not in raw
        raw = raw.replace(b"\n", b"\r\n")
    for name, field in fields_of(raw.partition(b"\r\n\r\n")[0] + b"\r\n"):
        if name not in server.ADDS:
            break
        raw = raw[len(field):]
    return raw


def value_of(wire, name):
    return next((field.partition(b":")[2].strip() for known, field in fields_of(wire.partition(b"\r\n\r\n")[0] + b"\r\n")
                 if known == name), None)


def lasting(wire):
    """Its bytes, without what is another one's in each mail: signature, Date, Message-ID, boundaries."""
    head, gap, body = wire.partition(b"\r\n\r\n")
    fields = [(name, field) for name, field in fields_of(head + b"\r\n") if name != "dkim-signature"]
    assert len(b"".join(f for _, f in fields_of(head + b"\r\n"))) == len(head) + 2, "a line of the header is no field"
    same = b"".join(name.encode() + b": -\r\n" if name in ("date", "message-id") else field for name, field in fields) + gap[2:] + body
    for n, boundary in enumerate(dict.fromkeys(re.findall(rb'boundary="([^"]+)"', same))):
        same = same.replace(boundary, b"boundary-%d" % n)
    return same


def address_of(wire):
    to = value_of(wire, "to").decode()
    return re.search(r"([^\s<>]+@[^\s<>]+)>?$", to)[1]


def differs(meant, got):
    if meant == got:
        return None
    at = next((i for i, (a, b) in enumerate(zip(meant, got)) if a != b), min(len(meant), len(got)))
    return f"at byte {at}: meant {meant[max(0, at - 30):at + 50]!r}, got {got[max(0, at - 30):at + 50]!r}"


def skip_where_missing(kind):
    if peers.missing(kind):
        pytest.skip(f"{kind}: {peers.missing(kind)}")


# --- Every mail once, byte for byte

class Arrived:
    """What one server got of all jobs in all its configurations."""

    def __init__(self, kind, folder, build):
        self.faces = faces_of(kind)
        certificate = (folder / "cert.pem", folder / "key.pem")
        peers.make_certificate(*certificate, [f"mx.{domain_of(face)}" for face in self.faces.values()])
        domains = [domain_of(face) for face in self.faces.values()]
        with peers.server(kind, faces=list(self.faces.values()), certificate=certificate) as server, \
                names(table(self.faces.values())) as dns:
            self.server, self.desk = server, Desk(folder / "desk", build, server.port, dns)
            self.desk.configure(tls__ca_file=str(certificate[0]), limits__connections=3, providers=[
                {"name": domain_of(face), "mx": [f"mx.{domain_of(face)}"], "tls": "required" if face.tls else "opportunistic"}
                for face in self.faces.values()])
            self.ledger = {}
            for name, (template, people) in JOBS.items():
                self.desk.write(name, template, people, domains)
                self.ledger[name] = self.desk.send(name)
            expected = sum(row["state"] == "delivered" for rows in self.ledger.values() for row in rows.values())
            with contextlib.suppress(AssertionError):  # what is missing, the tests say
                server.wait_for_mails(expected)
            time.sleep(0.3)  # for a copy too many
            self.mails = [received(server, raw) for raw in server.mails()]
            self.used = {name: server.used(face) for name, face in self.faces.items()}
        self.meant = {name: [self.desk.rendered(name, 1 + i * len(domains)) for i in range(len(people))]
                      for name, (_, people) in JOBS.items()}


@pytest.fixture(scope="module")
def arrivals(build, tmp_path_factory):
    made = {}

    def get(kind):
        skip_where_missing(kind)
        if kind not in made:
            try:
                made[kind] = Arrived(kind, tmp_path_factory.mktemp(kind), build_for(kind, build))
            except Exception as e:  # once, not again for each configuration
                made[kind] = e
        if isinstance(made[kind], Exception):
            raise AssertionError(str(made[kind])) from made[kind]
        return made[kind]
    return get


@pytest.mark.parametrize("kind, configuration", KIND_AND_CONFIGURATION, ids=lambda part: part)
def test_every_mail_arrives_once_and_byte_for_byte(arrivals, kind, configuration):
    at = arrivals(kind)
    face = at.faces[configuration]
    domain, first = domain_of(face), domain_of(next(iter(at.faces.values())))
    mails = {}
    for wire in at.mails:
        if address_of(wire).endswith("@" + domain):
            mails.setdefault(address_of(wire), []).append(wire)
    faults, can_have = [], set()
    for name, (_, people) in JOBS.items():
        for person, meant in zip(people, at.meant[name]):
            address = person["email"] + domain
            row, copies = at.ledger[name][address], mails.pop(address, [])
            if is_utf8(address) and not face.smtputf8:
                if row["state"] != "failed" or row["code"] != 553 or "SMTPUTF8" not in row["text"] or copies:
                    faults.append(f"{address}: {row}, {len(copies)} copies")
                continue
            can_have.add(address)
            if row["state"] != "delivered" or row["uncertain"] or not re.search(at.server.SAYS, row["text"]):
                faults.append(f"{address}: {row}")
            if len(copies) != 1:
                faults.append(f"{address}: {len(copies)} copies")
                continue
            if fault := differs(lasting(meant.replace(first.encode(), domain.encode())), lasting(copies[0])):
                faults.append(f"{address}: {fault}")
            if row["message_id"] not in value_of(copies[0], "message-id").decode():
                faults.append(f"{address}: {row['message_id']} came as {value_of(copies[0], 'message-id')}")
            if person["email"][:3] in ("p00", "p07", "w00", "w01", "жук") and not dkim.DKIM(copies[0]).verify(
                    dnsfunc=lambda name, timeout=5: at.desk.records[name.decode().rstrip(".")].encode()):
                faults.append(f"{address}: the signature is bad")
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:12])
    assert not mails and len(can_have) >= 50
    uses_what_is_offered(kind, face, at.used[configuration])


# What the servers' logs tell. Postfix and Exim refuse whoever writes ahead unasked, so what arrived there without
# PIPELINING was sent without it.
TOLD = {"postfix": {"tls", "chunking", "TLSv1.3"}, "exim": {"tls", "chunking", "pipelining", "smtputf8", "TLSv1.3"},
        "opensmtpd": set(), "haraka": {"tls", "pipelining", "smtputf8", "TLSv1.3"},
        "smtp_server": {"tls", "smtputf8", "TLSv1.3"}, "aiosmtpd": {"tls", "smtputf8", "TLSv1.3"}}


def uses_what_is_offered(kind, face, used):
    offered = {name for name in peers.FEATURES if getattr(face, name)} | ({"TLSv1.3"} if face.tls else set())
    assert used & TOLD[kind] == offered & TOLD[kind], used


def offer(server):
    """The keywords of its EHLO."""
    with smtplib.SMTP(server.address, server.port, "client.example", timeout=20) as client:
        client.ehlo()
        return {word.upper() for word in client.esmtp_features}


@pytest.mark.parametrize("kind, feature", LACKING, ids=lambda part: part)
def test_what_a_server_does_not_have(kind, feature):
    """Listed with the reason; it fails when the server has come to have it."""
    skip_where_missing(kind)
    with peers.server(kind, faces=[peers.Face()]) as server:
        if feature == "tls":
            pytest.skip(f"{peers.kind_of(kind).LACKS[feature]}: openssl s_client says {starttls_by_openssl(server)!r}")
        assert feature.upper() not in offer(server)
    pytest.skip(peers.kind_of(kind).LACKS[feature])


def starttls_by_openssl(server):
    """The fault of a server whose STARTTLS can't be used, in the words of a client that is not ours."""
    done = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"{server.address}:{server.port}"], input="QUIT\n",
                          capture_output=True, text=True, timeout=30)
    faults = re.findall(r"(?:tlsv|sslv)\S* alert [a-z ]+", done.stderr)
    assert faults, done.stdout + done.stderr
    return faults[0]


# --- What goes wrong on purpose

@pytest.fixture(params=peers.ALL_KINDS)
def kind(request):
    skip_where_missing(request.param)
    return request.param


@contextlib.contextmanager
def at_desk(kind, folder, build, settings=None, tls=False, **more):
    """A server with one face, and a desk that sends to it."""
    lacks = peers.kind_of(kind).LACKS
    face = peers.Face(f"127.0.{50 + peers.ALL_KINDS.index(kind)}.1", **{
        f: f not in lacks and (tls or f != "tls") for f in peers.FEATURES})
    certificate = (folder / "cert.pem", folder / "key.pem")
    peers.make_certificate(*certificate, [f"mx.{domain_of(face)}"])
    with peers.server(kind, settings, faces=[face], certificate=certificate, **more) as server, names(table([face])) as dns:
        desk = Desk(folder / "desk", build, server.port, dns)
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: [child.kill() for child in desk.lab.children if child.poll() is None])
            yield server, face, desk


def people_of(**counts):
    return [{"email": f"{name}{i:03}@", "name": name, "subject": name, "text": f"{name} {i}\n.\nend"}
            for name, count in counts.items() for i in range(count)]


def adds_up(server, ledger):
    """Mailbox and ledger agree: one copy where delivered, more only where it was uncertain, none elsewhere."""
    server.wait_for_mails(sum(row["state"] == "delivered" for row in ledger.values()))
    time.sleep(0.3)
    # A killed server may put one mail twice into the mailbox: then its own lines, with its queue's number, are the same too.
    # A file that it had only begun to write is none of its mails.
    mails = [mail for mail in (server.mails() if server.CRLF else set(server.mails())) if mail]
    copies = Counter(address_of(received(server, raw)) for raw in mails)
    for address, row in ledger.items():
        least = 1 if row["state"] == "delivered" else 0
        assert least <= copies.pop(address, 0) <= least + row["uncertain"], (row, server.log()[-3000:])
    assert not copies
    return Counter(row["state"] for row in ledger.values())


def wait_until(what, seconds=60):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.02)


def test_refusals_and_a_restart(kind, build, tmp_path):
    """Unknown users fail at once with the server's words. The server is killed while mails flow, stays away for a second, and comes
    back with another opinion of those that were to come later. (With the sanitizers whatever the kind, which makes the flow last.)"""
    refuse = {"unknown": "550 5.1.1 never heard of", "later": "451 4.7.1 come back later"}
    with at_desk(kind, tmp_path, build, refuse=refuse) as (server, face, desk):
        desk.configure(limits__connections=3)
        desk.write("refused", PLAIN, people_of(later=8, good=150, unknown=12), [domain_of(face)])
        sending = desk.lab.start("send", *desk.arguments("refused"))
        wait_until(lambda: len(server.mails()) >= 15 or sending.poll() is not None)
        assert sending.poll() is None, (tmp_path / "desk/send.log").read_text()
        server.stop(keep=True)
        time.sleep(1)
        server.configure(refuse={"unknown": refuse["unknown"]})
        server.start()
        assert sending.wait(120) in (0, 1)
        ledger = desk.ledger("refused")
        assert adds_up(server, ledger) == {"delivered": 158, "failed": 12}
        for address, row in ledger.items():
            if address.startswith("unknown"):
                assert row["code"] == 550 and "never heard of" in row["text"] and row["reason"] == "invalid-recipient", row
            if address.startswith("later"):
                assert row["attempts"] >= 2, row


# What each can be told to limit, by its own options; all else it has no option for.
LIMITS = {
    ("postfix", "connections"): {"smtpd_client_connection_count_limit": "2", "smtpd_client_event_limit_exceptions": ""},
    ("postfix", "messages"): "Postfix has no option for the number of mails in a connection",
    ("exim", "connections"): {"smtp_accept_max_per_host": "2"},
    ("exim", "messages"): {"smtp_accept_max_per_connection": "7"},
    ("opensmtpd", "connections"): "OpenSMTPD has no option for the number of connections",
    ("opensmtpd", "messages"): {"smtp limit max-mails": "7"},
    ("haraka", "connections"): "Haraka limits only with a plugin of its own package, which wants a Redis",
    ("haraka", "messages"): "Haraka has no option for the number of mails in a connection",
    ("smtp_server", "connections"): {"maxClients": 2},
    ("smtp_server", "messages"): "smtp-server has no option for the number of mails in a connection",
    ("aiosmtpd", "connections"): "aiosmtpd has no option for the number of connections",
    ("aiosmtpd", "messages"): {"command_call_limit": {"MAIL": 7, "*": 1000}},
}


BODIES_AHEAD = 8  # most contents unanswered


@pytest.mark.parametrize("limit", ["connections", "messages"])
def test_limits_of_the_server(kind, limit, build, tmp_path):
    """Who is turned away comes again: all arrive in the end, none twice, and none has failed."""
    settings = LIMITS[kind, limit]
    if isinstance(settings, str):
        pytest.skip(settings)
    with at_desk(kind, tmp_path, build_for(kind, build), settings) as (server, face, desk):
        # Where contents are sent ahead of the answers, the end of a connection may swallow answers: in the first one, which shows
        # the limit; it is remembered, and the others end by themselves before.
        swallows = face.chunking and limit == "messages"
        desk.configure(limits__connections=1 if swallows else 5, deliver__workers=1 if swallows else 0)
        desk.write("limited", PLAIN, people_of(good=40), [domain_of(face)])
        ledger = desk.send("limited")
        assert adds_up(server, ledger) == {"delivered": 40}, ledger
        in_doubt = sum(row["uncertain"] for row in ledger.values())
        assert in_doubt <= (BODIES_AHEAD if swallows else 0), in_doubt


TLS12 = {"postfix": {"smtpd_tls_protocols": "TLSv1.2"}, "exim": {"tls_require_ciphers": "NORMAL:-VERS-ALL:+VERS-TLS1.2"},
         "haraka": {"tls.ini": "secureProtocol=TLSv1_2_method\n"}, "smtp_server": {"maxVersion": "TLSv1.2"}, "aiosmtpd": {"tls_max": "1.2"}}


def test_tls_policies(kind, build, tmp_path):
    """With TLS 1.2 alone. Required: only to a good certificate, else the mail waits and nothing is said of it to the server;
    wished for: whatever the certificate. Sessions are taken up again."""
    if "tls" in peers.kind_of(kind).LACKS:
        pytest.skip(peers.kind_of(kind).LACKS["tls"])
    strange = tmp_path / "strange.pem"
    peers.make_certificate(strange, tmp_path / "strange-key.pem", ["mx.strange.example"])
    with at_desk(kind, tmp_path, build_for(kind, build), TLS12[kind], tls=True) as (server, face, desk):
        def send(name, count, **more):
            desk.configure(limits__messages_per_connection=5, limits__connections=2, **more)
            desk.write(name, PLAIN, people_of(**{name: count}), [domain_of(face)])
            return desk.send(name)
        refused = send("strange", 3, tls__mode="required", tls__ca_file=str(strange), deliver__expire="2s")
        assert {row["state"] for row in refused.values()} == {"expired"} and not server.mails()
        assert all("certificate" in row["text"] for row in refused.values()), refused
        taken = send("wished", 20, tls__mode="opportunistic", tls__ca_file=str(strange))
        taken |= send("required", 20, tls__mode="required", tls__ca_file=str(tmp_path / "cert.pem"))
        assert adds_up(server, taken) == {"delivered": 40}
        used = server.used(face)
        assert {"TLSv1.2"} == {name for name in used if name.startswith("TLSv")}
        if kind in TELLS_RESUMED:
            assert "resumed" in used


TELLS_RESUMED = {"exim", "aiosmtpd"}


def test_required_tls_that_is_not_offered(kind, build, tmp_path):
    with at_desk(kind, tmp_path, build) as (server, face, desk):
        desk.configure(tls__mode="required", deliver__expire="1s")
        desk.write("clear", PLAIN, people_of(good=2), [domain_of(face)])
        ledger = desk.send("clear")
        assert adds_up(server, ledger) == {"expired": 2}
        assert all("STARTTLS" in row["text"] for row in ledger.values()), ledger
