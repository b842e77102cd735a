"""A plain receiver in this process (aiosmtpd, so not of this project), with the face of the servers in peers.py. It keeps
the bytes as they came, and like any strict server refuses lines of more than 998 bytes."""
import contextlib

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class Keeper:
    def __init__(self):
        self.kept = []

    async def handle_DATA(self, server, session, envelope):
        self.kept.append(envelope.content)
        return "250 2.0.0 kept"


class Receiver(Controller):
    def __init__(self, address, port):
        super().__init__(Keeper(), hostname=address, port=port)

    def factory(self):
        return SMTP(self.handler, data_size_limit=50 << 20, hostname="mx.rcpt.example")

    def mails(self):
        return list(self.handler.kept)

    def wait_for_mails(self, count):
        assert len(self.handler.kept) >= count  # what was answered with 250 is here


@contextlib.contextmanager
def receiver(address, port):
    made = Receiver(address, port)
    made.start()
    try:
        yield made
    finally:
        made.stop()
