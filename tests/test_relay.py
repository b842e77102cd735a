"""The delaying relay of bench/: how late bytes are, that none are lost, and that ends and resets pass."""
import socket
import struct
import subprocess
import threading
import time

import pytest

from peers import free_port

RTT_S = 0.05


@pytest.fixture(scope="module")
def relay(build, tmp_path_factory):
    """An echo server on 127.0.0.2, and the relay before it; the relay's port."""
    to, port = free_port(), free_port()
    server = socket.create_server(("127.0.0.2", to), backlog=600)
    threading.Thread(target=accept, args=(server,), daemon=True).start()
    errors = tmp_path_factory.mktemp("relay") / "errors"
    child = subprocess.Popen([build / "bench/delay-relay", str(port), str(to), str(RTT_S * 1000)],
                             stdout=subprocess.PIPE, stderr=open(errors, "w"), text=True)
    assert child.stdout.readline() == "ready\n"
    yield port
    child.terminate()
    assert child.wait(10) == 0, errors.read_text()
    server.close()


def accept(server):
    while True:
        try:
            taken, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=echo, args=(taken,), daemon=True).start()


def echo(taken):
    with taken:
        while data := taken.recv(65536):
            taken.sendall(data)
            if data.endswith(b"RESET"):
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return


def connect(port):
    s = socket.create_connection(("127.0.0.2", port), 10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def test_a_round_trip_takes_the_round_trip(relay):
    with connect(relay) as s:
        s.sendall(b"warm")
        assert s.recv(10) == b"warm"
        times = []
        for _ in range(30):
            start = time.monotonic()
            s.sendall(b"x")
            assert s.recv(1) == b"x"
            times.append(time.monotonic() - start)
    assert RTT_S <= min(times) < RTT_S + 0.01  # the others may wait for a busy machine


def test_the_connection_is_made_late(relay):
    start = time.monotonic()
    with connect(relay) as s:
        s.sendall(b"x")
        s.recv(1)
    assert time.monotonic() - start >= 1.5 * RTT_S


def test_many_bytes_on_many_connections(relay):
    data = bytes(range(256)) * 4096  # 1 MB
    got = []

    def one():
        with connect(relay) as s:
            threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)), daemon=True).start()
            back = bytearray()
            while piece := s.recv(65536):
                back += piece
            got.append(bytes(back) == data)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert got == [True] * 20


def test_a_reset_passes(relay):
    with connect(relay) as s:
        s.sendall(b"RESET")
        s.settimeout(5)  # a connection that stays open fails the test here
        try:
            while s.recv(100):
                pass
        except ConnectionResetError:
            pass


def test_idle_connections_by_the_hundred(relay):
    ends = [connect(relay) for _ in range(500)]
    for s in ends:
        s.sendall(b"y")
    assert all(s.recv(1) == b"y" for s in ends)
    for s in ends:
        s.close()
