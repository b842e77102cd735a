"""The mails of mail_cases.py, sent through a plain receiver and the foreign servers to a mailbox: each is there, independent
readers find in it exactly what was meant, and independent verifiers find its signatures good."""
import contextlib
import re
import subprocess
import sys
from email import message_from_bytes
from email.policy import compat32
from email.policy import default as modern
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import lab as laboratory  # noqa: E402
import peers  # noqa: E402
import readers  # noqa: E402
from mail_cases import CASES, as_csv  # noqa: E402
from names import names  # noqa: E402
from receiver import receiver  # noqa: E402

# All listen on one port, for the program knows only one: each at an address of its own.
ADDRESSES = {kind: f"127.0.0.{n}" for n, kind in enumerate(["receiver", *peers.KINDS], 2)}
TABLE = {key: value for kind, address in ADDRESSES.items() for key, value in {
    (f"{kind}.example", "MX"): [f"10 mx.{kind}.example."], (f"mx.{kind}.example", "A"): [address]}.items()}


class Quoted(yaml.SafeDumper):
    """Every text in double quotes, with numbers for what is not ASCII: so a template holds any character."""


Quoted.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


class Posted:
    """What came of sending all cases to all servers. missing: why a server was not there; skipped and failed: why a case was
    not sent; mails: by address."""

    def __init__(self):
        self.missing, self.skipped, self.failed, self.mails, self.records = {}, {}, {}, {}, {}


class Post:
    """That, as seen by one server."""

    def __init__(self, posted, kind):
        self.domain = f"{kind}.example"
        self.skipped, self.failed, self.mails, self.records = posted.skipped, posted.failed, posted.mails, posted.records

    def arrived(self):
        """(case, what is meant, the mail) of all that came."""
        return [(case, case.meant(person), self.mails[person["email"]]) for case in CASES
                for person in case.people_at(self.domain) if person["email"] in self.mails]


def send(lab, posted, case, people):
    folder = lab.folder / case.name
    folder.mkdir()
    for name, data in case.files.items():
        (folder / name).write_bytes(data)
    (folder / "list.csv").write_bytes(as_csv(people).encode())
    (folder / "template.yaml").write_text(yaml.dump(case.template, Dumper=Quoted, allow_unicode=False, width=10**6))
    personal = ["--set", f"attachments.folder={folder}"] if "personal" in str(case.template.get("attachments")) else []
    done = subprocess.run(lab.command("send", "--template", folder / "template.yaml", "--to", folder / "list.csv", *personal),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    unknown = re.search(r"template\.yaml:\d+:\d+: (\w+): unknown key|(attachments\.folder): unknown key", done.stderr)
    if unknown:
        posted.skipped[case.name] = f"the program does not know the key '{unknown[1] or unknown[2]}' yet"
    elif done.returncode:
        posted.failed[case.name] = f"exit code {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def posted(build, tmp_path_factory):
    lab = laboratory.Lab(tmp_path_factory.mktemp("mails"), "sim/scenarios/demo.yaml", build)
    posted, servers, port = Posted(), {}, peers.free_port()
    posted.missing = {kind: f"{kind}: {peers.missing(kind)}" for kind in peers.KINDS if peers.missing(kind)}
    keys = [lab.dkim_key("e1", "ed25519"), lab.dkim_key("s1")]
    posted.records = dict(record for _, record in keys)
    with contextlib.ExitStack() as stack:
        for kind, address in ADDRESSES.items():
            if kind not in posted.missing:
                servers[kind] = stack.enter_context(receiver(address, port) if kind == "receiver" else
                                                    peers.server(kind, address=address, port=port))
        lab.dns, lab.smtp_port = stack.enter_context(names(TABLE)), port
        lab.configure(deliver__helo="out.swallow.example", tls__mode="off", log__level="warn", dkim=[key for key, _ in keys])
        for case in CASES:
            send(lab, posted, case, [person for kind in servers for person in case.people_at(f"{kind}.example")])
        sent = [case for case in CASES if case.name not in posted.skipped and case.name not in posted.failed]
        for server in servers.values():
            with contextlib.suppress(AssertionError):  # what is missing, test_arrives says
                server.wait_for_mails(sum(len(case.people) for case in sent))
            for raw in server.mails():
                wire = re.sub(rb"\r?\n", b"\r\n", raw)
                posted.mails[message_from_bytes(wire, policy=modern)["To"].addresses[0].addr_spec] = wire
    return posted


@pytest.fixture(scope="module", params=ADDRESSES)
def post(request, posted):
    if request.param in posted.missing:
        pytest.skip(posted.missing[request.param])
    return Post(posted, request.param)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_arrives(post, case):
    if case.name in post.skipped:
        pytest.skip(post.skipped[case.name])
    assert case.name not in post.failed, post.failed[case.name]
    assert not [p["email"] for p in case.people_at(post.domain) if p["email"] not in post.mails]


def has(tool):
    if readers.missing(tool):
        pytest.skip(readers.missing(tool))


def differs(what, meant, got):
    if meant == got:
        return []
    at = next((i for i, (a, b) in enumerate(zip(meant, got)) if a != b), -1) if isinstance(got, (str, list)) and meant else -1
    cut = slice(max(0, at - 20), at + 60) if isinstance(got, str) and isinstance(meant, str) else slice(None)
    return [f"{what}: meant {meant[cut]!r}, got {got[cut]!r} (at {at})" if got is not None and meant is not None
            else f"{what}: meant {meant!r:.80}, got {got!r:.80}"]


# What turns the direction of writing is taken out of display names, where it could pass for an address.
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# A plain name stands beside the one of RFC 2231, for readers that don't know that.
KNOWN_DEFECTS = {"duplicate parameter name; duplicate ignored"}


def faults(meant, got, tells_empty):
    found = []
    found += differs("subject", meant["subject"], got["subject"])
    for name in ("from", "to", "reply_to"):
        found += differs(name, *([[BIDI.sub("", shown), address] for shown, address in side[name]] for side in (meant, got)))
    for name, value in meant["headers"].items():
        found += differs(name, value, got["headers"].get(name))
    for name in ("text", "html"):
        one, other = meant[name], got[name] and got[name].replace("\r\n", "\n")
        if not tells_empty and not (one or "").strip("\n") and not (other or "").strip("\n"):
            continue
        if meant["alone"] and one is not None and one + "\n" == other:  # a text that is the whole mail may end its line
            continue
        if one is not None or not meant.get("text_has"):
            found += differs(name, one, other)
    for piece in meant.get("text_has", []):
        found += [] if piece in got["text"] else [f"text lacks {piece!r}: {got['text']!r:.200}"]
    if "unsubscribe" in meant:
        found += differs("list-unsubscribe", meant["unsubscribe"], re.findall("<([^>]*)>", got["headers"].get("list-unsubscribe", "")))
    if "charset" in meant and "charsets" in got:
        found += differs("charset", {meant["charset"]}, set(got["charsets"]))
    if "tree" in got and got["tree"] not in trees(got["text"] is not None, got["html"] is not None, got["files"]):
        found.append(f"tree: {got['tree']}")
    return found + file_faults(meant["files"], got["files"]) + [
        f"defect: {d}" for d in got["defects"] if d not in KNOWN_DEFECTS]


def file_faults(meant, got):
    found = differs("files", [f["name"] for f in meant], [f["name"] for f in got])
    for one, other in zip(meant, got):
        found += differs(f"file {one['name']}: bytes", sha256(one["bytes"]).hexdigest(), other["sha256"])
        for key in ("type", "cid", "disposition"):
            if one[key] is not None or key == "cid":
                found += differs(f"file {one['name']}: {key}", one[key], other[key])
    return found


def trees(text, html, files):
    """The shapes that a mail of such parts may have. Pictures belong to the HTML, or to both texts."""
    pictures = ",".join(f["type"] for f in files if f["cid"])
    others = ",".join(f["type"] for f in files if not f["cid"])

    def related(inside):
        return f"multipart/related({inside},{pictures})" if pictures else inside
    bodies = ["text/plain" if text else related("text/html")] if not (text and html) else [
        f"multipart/alternative(text/plain,{related('text/html')})", related("multipart/alternative(text/plain,text/html)")]
    return [f"multipart/mixed({body},{others})" if others else body for body in bodies]


@pytest.mark.parametrize("reader", readers.READERS)
def test_readers_find_what_was_meant(post, reader):
    has(reader)
    arrived = post.arrived()
    assert arrived
    found = readers.ask(reader, [mail for _, _, mail in arrived])
    told = [f"{case.name} to {meant['to'][0][1]}: {fault}" for (case, meant, _), got in zip(arrived, found)
            for fault in faults(meant, got, reader in readers.TELLS_EMPTY)]
    assert not told, f"{len(told)} faults:\n" + "\n".join(told)


@pytest.mark.parametrize("verifier", readers.VERIFIERS)
def test_signatures_are_good(post, verifier):
    has(verifier)
    arrived = post.arrived()
    assert arrived
    mails = [mail for _, _, mail in arrived]
    selectors = sorted(name.split(".")[0] for name in post.records)
    told = []
    for (case, meant, _), results in zip(arrived, readers.ask(verifier, mails, post.records)):
        if sorted(r[0] for r in results) != selectors or {r[2] for r in results} != {"pass"}:
            told.append(f"{case.name} to {meant['to'][0][1]}: {results}")
    assert not told, "\n".join(told)
    # The verifier can say no.
    spoilt = [mail.replace(b"\r\nSubject: ", b"\r\nSubject: x", 1) for mail in mails[:3]] + [mails[0] + b"x\r\n"]
    for results in readers.ask(verifier, spoilt, post.records):
        assert results and not {r[2] for r in results} & {"pass"}


def nkf(data, *how):
    return subprocess.run(["nkf", "-w", "-x", *how], input=data, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize("name", [c.name for c in CASES if c.template.get("charset") == "iso-2022-jp"])
def test_nkf_reads_iso_2022_jp(post, name):
    if name in post.skipped:
        pytest.skip(post.skipped[name])
    arrived = [(meant, mail) for case, meant, mail in post.arrived() if case.name == name]
    assert arrived
    for meant, wire in arrived:
        head, mail = wire.partition(b"\r\n\r\n")[0], message_from_bytes(wire, policy=compat32)
        subject = re.search(rb"^Subject: ([^\r]*(?:\r\n[ \t][^\r]*)*)", head, re.M)[1]
        assert nkf(subject).replace("\r\n", "") == meant["subject"]
        for part in mail.walk():
            if part.get_content_maintype() == "text" and not part.get_filename():
                assert part.get_content_charset() == "iso-2022-jp"
                text = nkf(part.get_payload(decode=True), "-J", "-m0").replace("\r\n", "\n")
                mine = meant["html" if part.get_content_subtype() == "html" else "text"]
                assert text == mine or meant["alone"] and text == mine + "\n"
