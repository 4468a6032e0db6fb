import math
import socket
import time

from router_bytes import RESYNC, START, WELCOME, locate, score

import images
import network


def test_a_link_forwards_bytes_records_tasks_and_can_be_cut():
    with socket.create_server(("127.0.0.1", 0)) as server:
        link, port = network.Switchboard().link(server.getsockname()[1])
        told = []
        link.before = lambda job, hand: told.append((job, hand))
        with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
            near.settimeout(10)
            far, _ = server.accept()
            far.settimeout(10)
            near.sendall(images.image(5))
            assert far.recv(1 << 16) == images.image(5)
            said = START + WELCOME + locate(24, images.image(6)) + score(24, 1, attempt=2) + locate(25, b"no mark")
            far.sendall(said)
            assert receive(near, len(said)) == said
            (hand,) = link.hands
            assert list(hand.numbers) == [384, 385, 400] and list(hand.attempts) == [1, 2, 1]
            assert link.images == {24: 6} and told == [(6, hand), (6, hand)]
            moments = [moment for number, moment in hand.handed(6) if number in (384, 385)]
            assert hand.opened < moments[0] <= moments[1] < hand.closed == math.inf and len(moments) == 2
            link.harm("cut")
            assert is_ended(near) and is_ended(far)
            assert moments[1] < hand.closed < time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
            assert is_ended(near)
        link.heal()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
            near.sendall(b"again")
            far, _ = server.accept()
            assert far.recv(10) == b"again"
        assert link.unreadable == []


def test_crops_are_attributed_to_the_image_seen_by_another_link():
    of_requests: dict[int, int] = {}
    told = []
    for said in (START + WELCOME + locate(7, images.image(70)), START + WELCOME + score(7, 2)):
        with socket.create_server(("127.0.0.1", 0)) as server:
            link, port = network.Switchboard().link(server.getsockname()[1])
            link.images, link.before = of_requests, lambda job, hand: told.append(job)
            with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
                far, _ = server.accept()
                far.sendall(said)
                assert receive(near, len(said)) == said
                far.close()
    assert told == [70, 70]


def test_messages_of_another_protocol_version_are_reported_and_forwarded():
    with socket.create_server(("127.0.0.1", 0)) as server:
        link, port = network.Switchboard().link(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
            far, _ = server.accept()
            said = START + RESYNC.replace(b"\x05\x44", b"\x06\x44") + locate(24, images.image(6))
            far.sendall(said)
            assert receive(near, len(said)) == said
            far.close()
    assert len(link.unreadable) == 1 and "version 5" in link.unreadable[0]
    assert len(link.hands) == 1 and not link.hands[0].numbers


def receive(peer: socket.socket, size: int) -> bytes:
    peer.settimeout(10)
    received = b""
    while len(received) < size:
        received += (data := peer.recv(1 << 16))
        assert data
    return received


def is_ended(peer: socket.socket) -> bool:
    peer.settimeout(10)
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True
