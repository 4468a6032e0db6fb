"""Sends hostile traffic, as port scans, broken clients and attackers do. It expects nothing and never ends by itself.

python scanner.py ROUTER_FOR_CLIENTS ROUTER_FOR_WORKERS --seed S        each HOST:PORT
"""

import argparse
import random
import socket
import sys
import time
from pathlib import Path

import zmq

from support import zmtp
from support.cluster import Cluster
from support.processes import Process

PAUSE = (0.01, 0.2)
HEADERS = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'{"verb":7}',
    b'{"verb":"classify","budget_ms":-1}',
    b'{"verb":"no_such_verb"}',
    b'{"verb":"classify","models":["no_such_model"]}',
    b'{"verb":"classify","metadata":' + b"[" * 5000,
    b'{"verb":"fetch","id":"no-such-job"}',
    b'{"verb":"cancel","id":"no-such-job"}',
    b"\xff\xfe",
    b"x" * 70_000,
)


def scanner(cluster: Cluster, seed: int) -> Process:
    """Returns a process that will scan a cluster's router. It is not started yet."""
    addresses = [f"127.0.0.1:{port}" for port in (cluster.client_port, cluster.worker_port)]
    return Process("scanner", [sys.executable, Path(__file__), *addresses, f"--seed={seed}"], cluster.folder)


def raw(choose: random.Random, address: tuple[str, int], held: list[socket.socket]) -> None:
    """Sends bytes that are not ZMTP, half a handshake, or nothing at all on connections that stay open."""
    peer = socket.create_connection(address, timeout=2)
    peer.sendall(
        choose.choice(
            (
                b"",
                choose.randbytes(choose.randint(1, 4000)),
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                zmtp.GREETING[: choose.randint(1, 63)],
                zmtp.GREETING + choose.randbytes(choose.randint(1, 300)),
                zmtp.HANDSHAKE + choose.randbytes(choose.randint(1, 3000)),
                zmtp.HANDSHAKE + b"\x02" + (1 << 62).to_bytes(8, "big"),
                b"\x16\x03\x01\x02\x00\x01\x00",
            )
        )
    )
    held.append(peer)
    while len(held) > choose.randint(0, 20):
        held.pop(0).close()


def frames(choose: random.Random, socket_: zmq.SyncSocket) -> None:
    """Sends complete messages that a router must refuse."""
    image = b"\x89PNG\r\n\x1a\n" + choose.randbytes(choose.randint(0, 2000))
    socket_.send_multipart(
        choose.choice(
            (
                [b""],
                [b"", b""],
                [b"x"] * 20,
                [b"BIFRONS2", b"{}"],
                [choose.randbytes(30)],
                [b"y" * 5000, b"", b"BIFRONS1", b"{}"],
                [b"BIFRONS1", choose.choice(HEADERS), image],
                [b"BIFRONS1", b'{"verb":"classify"}', b""],
                [b"", image],
                [b"BIFRONS1", b'{"verb":"status"}'],
                [choose.randbytes(choose.randint(0, 60)), image],
            )
        )
    )
    while socket_.poll(0):
        socket_.recv_multipart()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("addresses", nargs=2)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    choose = random.Random(options.seed)
    addresses = [(host, int(port)) for host, _, port in (address.rpartition(":") for address in options.addresses)]
    context = zmq.Context()
    dealers: list[zmq.SyncSocket] = []
    held: list[socket.socket] = []
    while True:
        time.sleep(choose.uniform(*PAUSE))
        try:
            if choose.random() < 0.5:
                raw(choose, choose.choice(addresses), held)
            else:
                if len(dealers) > 4:
                    dealers.pop(0).close(0)
                dealer = context.socket(zmq.DEALER)
                dealer.linger, dealer.sndtimeo = 0, 1000
                dealer.connect("tcp://{}:{}".format(*choose.choice(addresses)))
                dealers.append(dealer)
                frames(choose, dealer)
        except (OSError, zmq.Again):
            # The router may be down.
            pass


if __name__ == "__main__":
    main()
