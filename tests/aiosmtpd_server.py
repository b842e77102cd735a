"""aiosmtpd for the tests: listens at each address as its face says, refuses as told, and keeps every mail in a maildir.

    python3 aiosmtpd_server.py server.json

{"port": N, "host": NAME, "maildir": PATH, "faces": {ADDRESS: {"pipelining": bool, "smtputf8": bool, "tls": bool}}, "refuse":
{beginning of a local part: reply}, "cert": PATH, "key": PATH, "tls_max": "1.2" or null, "options": {more of SMTP's}}
"""
import asyncio
import json
import ssl
import sys
import uuid
from pathlib import Path

from aiosmtpd.smtp import SMTP

TOLD = json.loads(Path(sys.argv[1]).read_text())


class Keeper:
    def __init__(self, address, face):
        self.address, self.face = address, face

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        # It takes commands ahead of their time, but does not say so.
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self.face["pipelining"] else responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        for start, reply in TOLD["refuse"].items():
            if address.startswith(start):
                return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        name = str(uuid.uuid4())
        made = Path(TOLD["maildir"], "tmp", name)
        made.write_bytes(envelope.original_content)
        made.rename(Path(TOLD["maildir"], "new", name))
        tls = server.transport.get_extra_info("ssl_object")
        used = {"tls": tls, "smtputf8": envelope.smtp_utf8, tls and tls.version(): tls, "resumed": tls and tls.session_reused}
        print("used", json.dumps([self.address, [one for one in used if used[one]]]), flush=True)
        return f"250 2.0.0 kept as {name}"


def tls():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(TOLD["cert"], TOLD["key"])
    if TOLD["tls_max"]:
        made.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2}[TOLD["tls_max"]]
    return made


async def main():
    loop = asyncio.get_running_loop()
    for address, face in TOLD["faces"].items():
        def protocol(address=address, face=face, context=tls() if face["tls"] else None):
            return SMTP(Keeper(address, face), hostname=TOLD["host"], data_size_limit=50 << 20, loop=loop, tls_context=context,
                        enable_SMTPUTF8=face["smtputf8"], **TOLD["options"])
        await loop.create_server(protocol, address, TOLD["port"])
    await asyncio.Event().wait()


asyncio.run(main())
