#!/usr/bin/python3
"""DKIM as dkimpy sees it; see readers.py."""
import json
import re
import sys
from base64 import b64decode

import dkim

given = json.load(sys.stdin)


def record(name, timeout=5):
    value = given["records"].get(name.decode().rstrip("."))
    return value and value.encode()


def result(mail, index):
    try:
        return "pass" if mail.verify(index, dnsfunc=record) else "fail"
    except dkim.DKIMException as e:
        return str(e)


def verify(raw):
    mail = dkim.DKIM(raw)
    fields = [value.decode() for name, value in mail.headers if name.lower() == b"dkim-signature"]
    return [[re.search(r"\bs=([^;\s]+)", f)[1], re.search(r"\ba=([^;\s]+)", f)[1], result(mail, i)] for i, f in enumerate(fields)]


print(json.dumps([verify(b64decode(mail)) for mail in given["mails"]]))
