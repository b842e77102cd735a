"""Debian's Exim, as tests/peers.py runs it. settings: more of its main section."""
import subprocess

from peers import Server, run_as_root

CONFIG = """\
primary_hostname = {host}
spool_directory = {at}/spool
log_file_path = {at}/log/%slog
pid_file_path = {at}/spool/exim.pid
daemon_smtp_ports = {port}
local_interfaces = {address}
tls_advertise_hosts = {tls}
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


class Exim(Server):
    NAME, HOST, PACKAGES = "exim", "mx.exim.example", ["exim4-daemon-light", "ssl-cert"]
    USERS, GROUPS = ["Debian-exim:x:952:952::/nonexistent:/usr/sbin/nologin"], ["Debian-exim:x:952:"]

    def write_config(self, settings):
        (self.at / "etc/exim.conf").write_text(CONFIG.format(
            at=self.inside, address=self.address, host=self.HOST, port=self.port, uid=self.uid, gid=self.gid, tls="*" if self.tls else "",
            more="\n".join(f"{key} = {value}" for key, value in settings.items())))
        for folder in ("spool", "log"):
            self.give(folder, "952:952")
        self.give("etc", "0:952")
        run_as_root("chmod", "-R", "u=rwX,g=rX,o=", self.at / "etc")
        # Exim keeps its rights, which it delivers with, only under a configuration that is named here.
        run_as_root("tee", "-a", self.root / "etc/exim4/trusted_configs", stdout=subprocess.DEVNULL,
                    input=f"{self.inside}/etc/exim.conf\n".encode())

    def command(self):
        return ["/usr/sbin/exim4", "-bdf", "-q30s", "-C", f"{self.inside}/etc/exim.conf"]


SERVER = Exim
