#!/usr/bin/python3
"""Mails as Python's email package reads them; see readers.py."""
import hashlib
import json
import sys
from base64 import b64decode
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32, default
from email.utils import getaddresses


def addresses(mail, name):
    """By the older parser: the modern one puts a space between the words of a folded display name."""
    values = mail.get_all(name, [])
    return [[str(make_header(decode_header(shown))), address] for shown, address in getaddresses(values)]


def tree(part):
    kind = part.get_content_type()
    return f"{kind}({','.join(tree(p) for p in part.iter_parts())})" if part.is_multipart() else kind


def content(part):
    return part.get_payload(decode=True).decode(part.get_content_charset("us-ascii"), "strict")


def read(raw):
    mail, older = message_from_bytes(raw, policy=default), message_from_bytes(raw, policy=compat32)
    leaves = [p for p in mail.walk() if not p.is_multipart()]
    bodies = [p for p in leaves if not p.get_filename() and not p["Content-ID"]]
    files = [p for p in leaves if p not in bodies]
    by_type = {p.get_content_type(): p for p in bodies}
    defects = [str(d) for p in mail.walk() for d in (*p.defects, *(d for h in p.values() for d in h.defects))]
    return {
        "subject": mail["Subject"], "from": addresses(older, "From"), "to": addresses(older, "To"),
        "reply_to": addresses(older, "Reply-To"), "headers": {name.lower(): str(value) for name, value in mail.items()},
        "text": content(by_type["text/plain"]) if "text/plain" in by_type else None,
        "html": content(by_type["text/html"]) if "text/html" in by_type else None,
        "files": [{"name": p.get_filename(), "type": p.get_content_type(), "cid": (p["Content-ID"] or "").strip("<>") or None,
                   "disposition": p.get_content_disposition(), "sha256": hashlib.sha256(p.get_payload(decode=True)).hexdigest()}
                  for p in files],
        "tree": tree(mail), "charsets": [p.get_content_charset() for p in bodies], "defects": defects,
    }


print(json.dumps([read(b64decode(mail)) for mail in json.load(sys.stdin)["mails"]]))
