"""Debian's Postfix, as tests/peers.py runs it. settings: more of main.cf."""
import re

from peers import Rooted

MAIN_CF = {
    "compatibility_level": "3.6",
    "queue_directory": "{at}/spool",
    "data_directory": "{at}/data",
    "command_directory": "/usr/sbin",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "shlib_directory": "/usr/lib/postfix",
    "meta_directory": "/etc/postfix",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "maillog_file": "{at}/log/mail.log",
    "maillog_file_prefixes": "/inst",
    "myhostname": "{host}",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "smtp_dns_support_level": "disabled",
    "mydestination": "",
    "alias_maps": "",
    "local_recipient_maps": "",
    "mynetworks": "127.0.0.0/8",
    "biff": "no",
    # Whatever the address, into one maildir.
    "virtual_mailbox_domains": "static:all",
    "virtual_mailbox_maps": "static:all/",
    "virtual_mailbox_base": "{at}/mail",
    "virtual_uid_maps": "static:{uid}",
    "virtual_gid_maps": "static:{gid}",
    "virtual_minimum_uid": "1",
    "virtual_mailbox_limit": "0",
    "smtpd_recipient_restrictions": "check_recipient_access regexp:{at}/etc/refuse,permit_mynetworks,reject",
    # Who writes ahead where that was not announced is refused.
    "smtpd_data_restrictions": "reject_unauth_pipelining",
    "smtpd_client_connection_count_limit": "0",
    "message_size_limit": "52428800",
}
MASTER_CF = """\
{listeners}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
LISTENER = """\
{face.address}:{port} inet n - n - - smtpd
  -o syslog_name=postfix/{face.address}
  -o smtpd_discard_ehlo_keywords={hidden}"""
TLS = {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
       "smtpd_tls_cert_file": "{at}/etc/cert.pem", "smtpd_tls_key_file": "{at}/etc/key.pem"}


class Postfix(Rooted):
    NAME, HOST, PACKAGES = "postfix", "mx.postfix.example", ["postfix", "ssl-cert"]
    USERS, GROUPS = ["postfix:x:950:950::/nonexistent:/usr/sbin/nologin"], ["postfix:x:950:", "postdrop:x:951:"]
    ADDS = ("return-path", "x-original-to", "delivered-to", "received")
    SAYS = r"Ok: (\d+ bytes )?queued as "

    def write_config(self, settings):
        if not self.child:  # later they are its own
            self.give("data", "950:950")
            self.give("spool", "0:0")
            self.give("log", "0:0")
        values = {**MAIN_CF, **(TLS if self.tls else {}), **settings}
        fill = {"at": self.inside, "address": self.address, "host": self.HOST, "uid": self.uid, "gid": self.gid}
        self.write_etc("main.cf", "".join(f"{key} = {value.format(**fill)}\n" for key, value in values.items()))
        self.write_etc("master.cf", MASTER_CF.format(listeners="\n".join(map(self._listener, self.faces))))
        self.write_etc("refuse", "".join(f"/^{name}/ {reply}\n" for name, reply in self.refuse.items()))
        self.give("etc", "0:0")

    def _listener(self, face):
        hidden = ",".join({"tls": "starttls"}.get(name, name) for name in face.without())
        return LISTENER.format(face=face, port=self.port, hidden=hidden)

    def command(self):
        return ["/usr/sbin/postfix", "-c", f"{self.inside}/etc", "start-fg"]

    def used(self, face):
        """What was used at an address, as its log has it."""
        lines = [line for line in self.log().splitlines() if f"postfix/{face.address}/smtpd" in line]
        text = "\n".join(lines)
        signs = {"tls": "TLS connection established", "chunking": " bdat=", "data": " data="}
        return {name for name, sign in signs.items() if sign in text} | set(re.findall(r"established from \S+: (TLSv1\.\d)", text))


SERVER = Postfix
