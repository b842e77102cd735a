"""Debian's Postfix, configured as it comes, as the sender in the scenarios of hidden limits: beside Tsubame in one table."""
import os
import re
import subprocess
import time

import lanes
import peers

MOST_A_SECOND = 120  # more of them would only wait in its queue


def missing():
    return peers.missing("postfix")


class PostfixRun(lanes.Run):
    def __init__(self, bed, scenario, cases, seconds, folder):
        super().__init__(bed, scenario, cases, seconds, folder / "postfix")
        self.count = int(min(MOST_A_SECOND, max(case.a_second for case in cases)) * seconds)
        self.source = self.said = None

    def start(self):
        self.lab.start_sim()
        self.began = time.monotonic()
        self.server = peers.kind_of("postfix")({
            "in_flow_delay": "0", "virtual_mailbox_domains": "", "smtp_host_lookup": "native",
            "relayhost": f"[{address_of(self.host(), self.lab)}]:{self.lab.smtp_port}"})
        self.server.start()
        self.source = subprocess.Popen(
            [self.server.root / "usr/sbin/smtp-source", "-c", "-l", "1024", "-m", str(self.count), "-s", "5", "-N",
             "-f", "news@swallow.example", "-t", f"somebody@{self.domain()}", f"127.0.0.1:{self.server.port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "LD_LIBRARY_PATH": str(self.server.root / "usr/lib/postfix")})

    def domain(self):
        return f"{self.cases[0].provider}.test"

    def host(self):
        import yaml
        made = yaml.safe_load((lanes.LIMITS / f"{self.scenario}.yaml").read_text())
        return made["providers"][0]["hosts"][0]

    def look(self):
        """It says nothing of why it is as fast as it is."""

    def end(self):
        if self.server:
            self.said = self.server.log()
            self.server.stop()
        if self.source and self.source.poll() is None:
            self.source.kill()
            self.source.wait()
        super().end()

    def result(self):
        """By its own log: a message of a refused connection was turned back."""
        sent, deferred = (len(re.findall(f"status={state} ", self.said)) for state in ("sent", "deferred"))
        for case, out in super().result():
            out.name, out.deferred, out.named = f"Postfix: {out.name}", deferred / (sent + deferred or 1), None
            out.ran_dry = False  # what it has deferred waits
            yield case, out


def address_of(host, lab):
    import dns.message
    import dns.query
    address, port = lab.dns.rsplit(":", 1)
    answer = dns.query.udp(dns.message.make_query(host, "A"), address, timeout=5, port=int(port))
    return answer.answer[0][0].address
