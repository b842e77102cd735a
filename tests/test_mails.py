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
from mail_cases import CASES  # noqa: E402
from names import names  # noqa: E402
from receiver import receiver  # noqa: E402

TABLE = {("rcpt.example", "MX"): ["10 mx.rcpt.example."], ("mx.rcpt.example", "A"): ["127.0.0.1"]}


class Post:
    """What came of sending all cases to one server."""

    def __init__(self):
        self.skipped, self.failed, self.mails, self.records = {}, {}, {}, {}

    def arrived(self):
        """(case, what is meant, the mail) of all that came."""
        return [(case, case.meant(person), self.mails[person["email"]]) for case in CASES for person in case.people
                if person["email"] in self.mails]


def keys(lab):
    """Both kinds of keys where the program takes a list, else the one of RSA; (configuration, DNS records)."""
    try:
        made = [lab.dkim_key("e1", "ed25519"), lab.dkim_key("s1")]
        return {"dkim": [key for key, _ in made]}, dict(record for _, record in made)
    except TypeError:
        path = lab.dkim_key()
        pem = subprocess.run(["openssl", "pkey", "-in", path, "-pubout"], capture_output=True, text=True, check=True).stdout
        return ({"dkim__domain": "swallow.example", "dkim__selector": "s1", "dkim__key_file": path},
                {"s1._domainkey.swallow.example": "v=DKIM1; k=rsa; p=" + "".join(pem.splitlines()[1:-1])})


def send(lab, post, case):
    folder = lab.folder / case.name
    folder.mkdir()
    for name, data in case.files.items():
        (folder / name).write_bytes(data)
    (folder / "list.csv").write_bytes(case.list().encode())
    (folder / "template.yaml").write_text(yaml.safe_dump(case.template, default_style='"', allow_unicode=False, width=10**6))
    done = subprocess.run(lab.command("send", "--template", folder / "template.yaml", "--to", folder / "list.csv"),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    unknown = re.search(r": (\w+): unknown key", done.stderr)
    if unknown:
        post.skipped[case.name] = f"the program does not know the key '{unknown[1]}' yet"
    elif done.returncode:
        post.failed[case.name] = f"exit code {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-3000:]}"


@pytest.fixture(scope="module", params=["receiver", *peers.KINDS])
def post(request, build, tmp_path_factory):
    kind = request.param
    if kind != "receiver" and peers.missing(kind):
        pytest.skip(f"{kind}: {peers.missing(kind)}")
    lab = laboratory.Lab(tmp_path_factory.mktemp(kind), "sim/scenarios/demo.yaml", build)
    post = Post()
    config, post.records = keys(lab)
    with (receiver() if kind == "receiver" else peers.server(kind)) as server, names(TABLE) as dns:
        lab.dns, lab.smtp_port = dns, server.port
        lab.configure(deliver__helo="out.swallow.example", tls__mode="off", log__level="warn", **config)
        for case in CASES:
            send(lab, post, case)
        sent = [case for case in CASES if case.name not in post.skipped and case.name not in post.failed]
        with contextlib.suppress(AssertionError):  # what is missing, test_arrives says
            server.wait_for_mails(sum(len(case.people) for case in sent))
        for raw in server.mails():
            wire = re.sub(rb"\r?\n", b"\r\n", raw)
            post.mails[message_from_bytes(wire, policy=modern)["To"].addresses[0].addr_spec] = wire
    return post


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_arrives(post, case):
    if case.name in post.skipped:
        pytest.skip(post.skipped[case.name])
    assert case.name not in post.failed, post.failed[case.name]
    assert not [p["email"] for p in case.people if p["email"] not in post.mails]


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


def faults(meant, got, tells_empty):
    found = []
    for name in ("subject", "from", "to", "reply_to"):
        if meant[name] is not None:
            found += differs(name, meant[name], got[name])
    for name, value in meant["headers"].items():
        found += differs(name, value, got["headers"].get(name))
    for name in ("text", "html"):
        one, other = meant[name], got[name] and got[name].replace("\r\n", "\n")
        if not tells_empty and not (one or "").strip("\n") and not (other or "").strip("\n"):
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
    return found + file_faults(meant["files"], got["files"]) + [f"defect: {d}" for d in got["defects"]]


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
        subject = re.search(rb"^Subject: (.*(?:\r\n[ \t].*)*)", head, re.M)[1]
        assert nkf(subject).replace("\r\n", "") == meant["subject"]
        for part in mail.walk():
            if part.get_content_maintype() == "text" and not part.get_filename():
                assert part.get_content_charset() == "iso-2022-jp"
                text = nkf(part.get_payload(decode=True), "-J", "-m0").replace("\r\n", "\n")
                assert text == meant["html" if part.get_content_subtype() == "html" else "text"]
