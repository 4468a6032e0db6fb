import math
import socket
import time

import network
import pictures


def test_a_job_is_counted_once_however_its_bytes_are_cut():
    stream = b"noise" + b"".join(pictures.picture(job) for job in (1, 2, 2, 300)) + b"noise"
    for size in (1, 7, pictures.MARK_BYTES, 100, len(stream)):
        seen = []
        tap = network.Tap(seen.append)
        for start in range(0, len(stream), size):
            tap(stream[start: start + size])
        assert seen == [1, 2, 2, 300]


def test_a_link_passes_bytes_on_counts_what_comes_back_and_can_be_cut():
    with socket.create_server(("127.0.0.1", 0)) as server:
        link, port = network.Switchboard().link(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
            near.settimeout(10)
            far, _ = server.accept()
            far.settimeout(10)
            near.sendall(pictures.picture(5))
            assert far.recv(1 << 16) == pictures.picture(5)
            far.sendall(pictures.picture(6))
            assert near.recv(1 << 16) == pictures.picture(6)
            assert link.seen == {6: 1}
            (hand,) = link.hands
            (handed,) = hand.handed(6)
            assert hand.opened < handed < hand.closed == math.inf
            link.harm("cut")
            assert is_ended(near) and is_ended(far)
            assert handed < hand.closed < time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
            assert is_ended(near)
        link.heal()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
            near.sendall(b"again")
            far, _ = server.accept()
            assert far.recv(10) == b"again"


def is_ended(peer: socket.socket) -> bool:
    peer.settimeout(10)
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True
