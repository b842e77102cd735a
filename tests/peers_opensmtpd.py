"""Debian's OpenSMTPD, as tests/peers.py runs it. settings: more of smtpd.conf, by the first word of a line."""
from peers import Server

TLS = """\
pki server cert "{at}/etc/cert.pem"
pki server key "{at}/etc/key.pem"
"""
CONFIG = """\
smtp max-message-size 50M
table everybody {{ "@" = "keeper" }}
{more}
listen on {address} port {port} hostname {host} {tls}
action "keep" maildir "{at}/mail/all" virtual <everybody>
match from any for any action "keep"
"""


class OpenSmtpd(Server):
    # Its process for keys is not made for OpenSSL 3: "missing private key".
    TLS_FAULT = "the STARTTLS of Debian 12's OpenSMTPD fails, with any client"

    NAME, HOST, PACKAGES = "opensmtpd", "mx.opensmtpd.example", ["opensmtpd", "ssl-cert"]
    USERS = ["opensmtpd:x:953:953::/run:/usr/sbin/nologin", "opensmtpq:x:954:954::/run:/usr/sbin/nologin",
             "keeper:x:{uid}:{gid}::/:/bin/sh"]
    GROUPS = ["opensmtpd:x:953:", "opensmtpq:x:954:"]

    def write_config(self, settings):
        fill = {"at": self.inside, "address": self.address, "host": self.HOST, "port": self.port, "tls": "tls pki server" if self.tls else "",
                "more": "\n".join(f"{key} {value}" for key, value in settings.items())}
        (self.at / "etc/smtpd.conf").write_text(((TLS if self.tls else "") + CONFIG).format(**fill))
        (self.at / "etc/smtpd.conf").chmod(0o600)
        self.give("etc", "0:0")

    def command(self):
        return ["/usr/sbin/smtpd", "-d", "-f", f"{self.inside}/etc/smtpd.conf"]


SERVER = OpenSmtpd
