"""Independent readers and verifiers of mail, each a program under tests/readers.

All get JSON at their input, {"mails": [base64, ...], "records": {DNS name: TXT value}}, and write a JSON list with an
item for each mail. A reader's: subject, from, to, reply_to (lists of [name, address]), headers (decoded, by lower-case name),
text, html (None: there is none, or an empty one with a reader not in TELLS_EMPTY), files (name, type, cid, disposition, sha256 of the bytes), defects, and where the reader
shows it: tree (of content types), charsets. A verifier's: a list of [selector, algorithm, result] for each signature.
"""
import functools
import json
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import peers

ROOT = Path(__file__).resolve().parents[1]
READERS = {"python": "python_email.py", "gmime": "gmime.py", "mailparser": "mailparser.js"}
# mailparser shows an empty part and none alike.
TELLS_EMPTY = {"python", "gmime"}
VERIFIERS = {"dkimpy": "dkimpy.py", "mailauth": "mailauth.js"}


@functools.cache
def node():
    """How to run Node with what tools/npm installed, as (command, where the project is for it, None) or (.., .., why not).
    That of Debian 12 it is, from the system or a private root; only where neither can be had another one."""
    installed = subprocess.run([ROOT / "tools/npm"], capture_output=True, text=True, timeout=300)
    if installed.returncode:
        return None, None, installed.stderr.strip()
    here = shutil.which("node", path="/usr/bin") or shutil.which("node")
    version = here and subprocess.run([here, "--version"], capture_output=True, text=True).stdout
    if not (version or "").startswith("v18.") and not peers.missing_root("node", "nodejs", "openssl"):
        return [*peers.as_root(), peers.TOOL, "--run", "node", "/usr/bin/env", "NODE_PATH=/project/build/npm/node_modules",
                "/usr/bin/node"], Path("/project"), None
    return ["env", f"NODE_PATH={ROOT}/build/npm/node_modules", here], ROOT, None if here else "there is no Node"


def program(name):
    if name.endswith(".py"):
        return ["/usr/bin/python3", ROOT / "tests/readers" / name]
    command, project, _ = node()
    return [*command, project / "tests/readers" / name]


@functools.cache
def missing(tool):
    """Why this reader or verifier can't be had, or None."""
    name = {**READERS, **VERIFIERS}[tool]
    if name.endswith(".js") and node()[2]:
        return node()[2]
    done = subprocess.run(program(name), input='{"mails": [], "records": {}}', capture_output=True, text=True, timeout=120)
    return None if done.stdout.strip() == "[]" else f"{tool}: {(done.stderr.strip() or 'silent').splitlines()[-1]}"


def ask(tool, mails, records=None):
    """mails as bytes with CRLF; the program's list."""
    given = json.dumps({"mails": [b64encode(mail).decode() for mail in mails], "records": records or {}})
    done = subprocess.run(program({**READERS, **VERIFIERS}[tool]), input=given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
