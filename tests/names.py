"""A name server for tests, on a loopback port: answers from a table.

    with names({("rcpt.example", "MX"): ["10 mx.example."], ("mx.example", "A"): ["127.0.0.1"]}) as address: ...
"""
import contextlib
import socketserver
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        data, reply_to = self.request
        query = dns.message.from_wire(data)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text(omit_final_dot=True).lower()
        answer = dns.message.make_response(query, recursion_available=True)
        records = self.server.table.get((name, kind))
        if records:
            answer.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *records))
        elif not any(known == name for known, _ in self.server.table):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        reply_to.sendto(answer.to_wire(), self.client_address)


@contextlib.contextmanager
def names(table, port=0):
    server = socketserver.ThreadingUDPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.table = {(name.lower(), kind): records for (name, kind), records in table.items()}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield "127.0.0.1:%d" % server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
