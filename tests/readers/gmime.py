#!/usr/bin/python3
"""Mails as GMime reads them; see readers.py."""
import hashlib
import json
import re
import sys
from base64 import b64decode

import gi

gi.require_version("GMime", "3.0")
from gi.repository import GMime  # noqa: E402


PADDED = re.compile(rb"=\?([\w-]+)\?B\?([A-Za-z0-9+/]+=+)\?=(?=\s+=\?)")


def without_issue_133(raw):
    """GMime 3.2.13 stops at the padding of a base64 word that another one follows (its issue 133, mended since): such
    words get the other encoding of RFC 2047."""
    head, end, body = raw.partition(b"\r\n\r\n")
    return PADDED.sub(lambda m: b"=?%s?Q?%s?=" % (m[1], b"".join(b"=%02X" % c for c in b64decode(m[2]))), head) + end + body


def addresses(found):
    return [[a.get_name() or "", a.get_addr()] for a in (found.get_address(i) for i in range(found.length()))] if found else []


def tree(part):
    kind = part.get_content_type().get_mime_type()
    if isinstance(part, GMime.Multipart):
        return f"{kind}({','.join(tree(part.get_part(i)) for i in range(part.get_count()))})"
    return kind


def leaves(part):
    if not isinstance(part, GMime.Multipart):
        return [part]
    return [leaf for i in range(part.get_count()) for leaf in leaves(part.get_part(i))]


def data(part):
    out = GMime.StreamMem.new()
    part.get_content().write_to_stream(out)
    return bytes(out.get_byte_array())


def content(part):
    return data(part).decode(part.get_content_type_parameter("charset") or "us-ascii")


def read(raw):
    mail = GMime.Parser.new_with_stream(GMime.StreamMem.new_with_buffer(without_issue_133(raw))).construct_message(None)
    parts = leaves(mail.get_mime_part())
    bodies = [p for p in parts if not p.get_filename() and not p.get_content_id()]
    by_type = {p.get_content_type().get_mime_type(): p for p in bodies}
    headers = mail.get_header_list()
    return {
        "subject": mail.get_subject(), "from": addresses(mail.get_from()), "to": addresses(mail.get_to()),
        "reply_to": addresses(mail.get_reply_to()),
        "headers": {h.get_name().lower(): h.get_value() for h in map(headers.get_header_at, range(headers.get_count()))},
        "text": content(by_type["text/plain"]) if "text/plain" in by_type else None,
        "html": content(by_type["text/html"]) if "text/html" in by_type else None,
        "files": [{"name": p.get_filename(), "type": p.get_content_type().get_mime_type(), "cid": p.get_content_id(),
                   "disposition": p.get_disposition(), "sha256": hashlib.sha256(data(p)).hexdigest()}
                  for p in parts if p not in bodies],
        "tree": tree(mail.get_mime_part()),
        "charsets": [(p.get_content_type_parameter("charset") or "").lower() for p in bodies], "defects": [],
    }


GMime.init()
print(json.dumps([read(b64decode(mail)) for mail in json.load(sys.stdin)["mails"]]))
