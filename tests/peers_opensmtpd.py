"""Debian's OpenSMTPD, as tests/peers.py runs it. settings: more of smtpd.conf, by the first word of a line."""
from peers import Rooted, run_as_root

TLS = """\
pki server cert "{at}/etc/cert.pem"
pki server key "{at}/etc/key.pem"
"""
CONFIG = """\
smtp max-message-size 50M
table everybody {{ "@" = "keeper" }}
{more}
{filters}
{listeners}
action "keep" maildir "{at}/mail/all" virtual <everybody>
match from any for any action "keep"
"""


FILTER = """\
filter "{name}" phase rcpt-to match rcpt-to regex {{ "^{name}" }} reject "{reply}"
"""
NO_EXTENSION = "OpenSMTPD has none of it: its EHLO never offers it"


class OpenSmtpd(Rooted):
    # Its process for keys is not made for OpenSSL 3. tests/test_foreign.py shows it with openssl s_client.
    TLS_FAULT = "the STARTTLS of Debian 12's OpenSMTPD fails with any client"
    LACKS = {"pipelining": NO_EXTENSION, "chunking": NO_EXTENSION, "smtputf8": NO_EXTENSION, "tls": TLS_FAULT}

    NAME, HOST, PACKAGES = "opensmtpd", "mx.opensmtpd.example", ["opensmtpd", "ssl-cert"]
    USERS = ["opensmtpd:x:953:953::/run:/usr/sbin/nologin", "opensmtpq:x:954:954::/run:/usr/sbin/nologin",
             "keeper:x:{uid}:{gid}::/:/bin/sh"]
    GROUPS = ["opensmtpd:x:953:", "opensmtpq:x:954:"]
    ADDS = ("return-path", "delivered-to", "received")
    SAYS = r"[0-9a-f]+ Message accepted for delivery"

    def write_config(self, settings):
        names = "".join(f', "{name}"' for name in self.refuse)
        chain = f'filter "refuse" chain {{ {names[2:]} }}\n' if names else ""
        listeners = [f"listen on {face.address} port {self.port} hostname {self.HOST}" + (" tls pki server" if face.tls else "") +
                     (' filter "refuse"' if names else "") for face in self.faces]
        self.write_etc("smtpd.conf", ((TLS if self.tls else "") + CONFIG).format(
            at=self.inside, listeners="\n".join(listeners), more="\n".join(f"{key} {value}" for key, value in settings.items()),
            filters="".join(FILTER.format(name=name, reply=reply) for name, reply in self.refuse.items()) + chain))
        run_as_root("chmod", "600", self.at / "etc/smtpd.conf")
        self.give("etc", "0:0")

    def command(self):
        # Its spool is where it was compiled to be: there is a new /var/spool each time, but the mails are to stay.
        spool = f"{self.inside}/spool/smtpd"
        return ["/bin/sh", "-c", f"mkdir -p {spool} && chmod 711 {spool} && ln -s {spool} /var/spool/smtpd && "
                f"exec /usr/sbin/smtpd -d -f {self.inside}/etc/smtpd.conf"]

    def used(self, face):
        return set()  # it does not say


SERVER = OpenSmtpd
