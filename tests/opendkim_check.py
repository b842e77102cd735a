"""Asks opendkim-testmsg about mails, and about each with a letter of its body changed.

    opendkim_check.py RECORDS.json MAIL...

To be run in network and mount namespaces of its own: opendkim asks the name server of /etc/resolv.conf at port 53,
and that is this program, on a loopback device where nobody else is.
"""
import fcntl
import json
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from names import names

SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def quoted(value):
    return " ".join(f'"{value[i:i + 255]}"' for i in range(0, len(value), 255))


def good(mail, folder):
    done = subprocess.run(["/usr/sbin/opendkim-testmsg", "-C", "-t", folder], input=mail, capture_output=True, timeout=60)
    return done.returncode == 0 and not done.stderr, done


def main(records, *mails):
    loopback_up()
    table = {(name, "TXT"): [quoted(value)] for name, value in json.loads(Path(records).read_text()).items()}
    with tempfile.TemporaryDirectory() as folder, names(table, 53):
        resolv = Path(folder) / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\n")
        subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
        for path in mails:
            mail = Path(path).read_bytes().replace(b"\n", b"\r\n")
            head, end, body = mail.partition(b"\r\n\r\n")
            answer, done = good(mail, folder)
            if not answer:
                return f"{path}: opendkim says {done.returncode} {done.stdout!r} {done.stderr!r}"
            if good(head + end + body.replace(b"e", b"i", 1), folder)[0]:
                return f"{path}: opendkim takes a changed body"
    return 0


sys.exit(main(*sys.argv[1:]))
