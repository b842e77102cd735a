"""Debian's Postfix, as tests/peers.py runs it. settings: more of main.cf."""
from peers import Server

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
    "smtpd_recipient_restrictions": "permit_mynetworks,reject",
    "smtpd_client_connection_count_limit": "0",
    "message_size_limit": "52428800",
}
MASTER_CF = """\
{address}:{port} inet n - n - - smtpd
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
TLS = {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
       "smtpd_tls_cert_file": "{at}/etc/cert.pem", "smtpd_tls_key_file": "{at}/etc/key.pem"}


class Postfix(Server):
    NAME, HOST, PACKAGES = "postfix", "mx.postfix.example", ["postfix", "ssl-cert"]
    USERS, GROUPS = ["postfix:x:950:950::/nonexistent:/usr/sbin/nologin"], ["postfix:x:950:", "postdrop:x:951:"]

    def write_config(self, settings):
        self.give("data", "950:950")
        self.give("spool", "0:0")
        self.give("log", "0:0")
        values = {**MAIN_CF, **(TLS if self.tls else {}), **settings}
        fill = {"at": self.inside, "address": self.address, "host": self.HOST, "uid": self.uid, "gid": self.gid}
        lines = [f"{key} = {value.format(**fill)}" for key, value in values.items()]
        (self.at / "etc/main.cf").write_text("\n".join(lines) + "\n")
        (self.at / "etc/master.cf").write_text(MASTER_CF.format(address=self.address, port=self.port))
        self.give("etc", "0:0")

    def command(self):
        return ["/usr/sbin/postfix", "-c", f"{self.inside}/etc", "start-fg"]


SERVER = Postfix
