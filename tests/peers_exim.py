"""Debian's Exim, as tests/peers.py runs it. settings: more of its main section."""
import re
import subprocess

from peers import FEATURES, Rooted, run_as_root

CONFIG = """\
primary_hostname = {host}
spool_directory = {at}/spool
log_file_path = {at}/log/%slog
pid_file_path = {at}/spool/exim.pid
daemon_smtp_ports = {port}
local_interfaces = {addresses}
log_selector = +pipelining +incoming_interface +tls_resumption
pipelining_advertise_hosts = {pipelining}
chunking_advertise_hosts = {chunking}
smtputf8_advertise_hosts = {smtputf8}
tls_advertise_hosts = {tls}
tls_resumption_hosts = *
tls_certificate = {at}/etc/cert.pem
tls_privatekey = {at}/etc/key.pem
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
message_size_limit = 50M
smtp_accept_max = 200
# Deliver at once, however many mails come in one connection.
smtp_accept_queue_per_connection = 0
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
{more}
begin acl
rcpt:
{refuse}
  accept control = dkim_disable_verify
begin routers
everybody:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = {at}/mail/all
  directory_mode = 0755
  mode = 0644
  envelope_to_add
  return_path_add
  user = {uid}
  group = {gid}
"""


REFUSE = """\
  {verb} local_parts = ^{name}
    message = {reply}"""


class Exim(Rooted):
    NAME, HOST, PACKAGES = "exim", "mx.exim.example", ["exim4-daemon-light", "ssl-cert"]
    USERS, GROUPS = ["Debian-exim:x:952:952::/nonexistent:/usr/sbin/nologin"], ["Debian-exim:x:952:"]
    ADDS = ("return-path", "envelope-to", "received")
    SAYS = r"OK id="

    def write_config(self, settings):
        self.write_etc("exim.conf", CONFIG.format(
            at=self.inside, addresses=" : ".join(face.address for face in self.faces), host=self.HOST, port=self.port, uid=self.uid,
            gid=self.gid, refuse="\n".join(REFUSE.format(verb="deny" if reply[0] == "5" else "defer", name=name, reply=reply)
                                           for name, reply in self.refuse.items()),
            more="\n".join(f"{key} = {value}" for key, value in settings.items()),
            **{name: self._hosts([face.address for face in self.faces if getattr(face, name)]) for name in FEATURES}))
        for folder in ("spool", "log"):
            self.give(folder, "952:952")
        self.give("etc", "0:952")
        run_as_root("chmod", "-R", "u=rwX,g=rX,o=", self.at / "etc")
        # Exim keeps its rights, which it delivers with, only under a configuration that is named here.
        run_as_root("tee", "-a", self.root / "etc/exim4/trusted_configs", stdout=subprocess.DEVNULL,
                    input=f"{self.inside}/etc/exim.conf\n".encode())

    @staticmethod
    def _hosts(addresses):
        """A list of hosts: all where one connects to these addresses."""
        return "${{if inlist{{$received_ip_address}}{{{}}}{{*}}{{}}}}".format(" : ".join(addresses)) if addresses else ""

    def command(self):
        return ["/usr/sbin/exim4", "-bdf", "-q1s", "-C", f"{self.inside}/etc/exim.conf"]

    def used(self, face):
        """What was used at an address, as its log has it."""
        lines = [line for line in self.log().splitlines() if " <= " in line and f"I=[{face.address}]:" in line]
        signs = {"tls": " X=TLS", "chunking": " K ", "pipelining": r" L[.*]? ", "smtputf8": " P=utf8", "resumed": r" X=TLS\S+\*"}
        found = {name for name, sign in signs.items() if any(re.search(sign, line) for line in lines)}
        found |= {"TLSv" + version for line in lines for version in re.findall(r" X=TLS(1\.\d)", line)}
        return found | ({"data"} if any(" K " not in line for line in lines) else set())


SERVER = Exim
