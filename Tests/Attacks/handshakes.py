"""Tries to get past a router's key check, over ipc, and prints one line for each attempt: its name and its outcome.

    python handshakes.py CLIENT_ENDPOINT WORKER_ENDPOINT KEYS_FOLDER

An attempt that is let in prints "answered". Every attempt but the first and the last should print "refused".
"""

import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import zmq

from support import zmtp
from support.client import key, request

PATIENCE_MS = 20_000
REQUEST = request({"verb": "ping"})


def attempt(endpoint: str, keys: tuple[bytes, bytes] | None = None, frames: list[bytes] = REQUEST) -> str:
    """Returns whether a DEALER with these keys (server's public, own secret) gets an answer or is disconnected."""
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    dealer.reconnect_ivl = -1
    if keys:
        dealer.curve_serverkey, dealer.curve_secretkey = keys
        dealer.curve_publickey = zmq.curve_public(keys[1])
    monitor = dealer.get_monitor_socket()
    dealer.connect(endpoint)
    dealer.send_multipart(frames)
    poller = zmq.Poller()
    poller.register(dealer, zmq.POLLIN)
    poller.register(monitor, zmq.POLLIN)
    try:
        while True:
            ready = dict(poller.poll(PATIENCE_MS))
            if dealer in ready:
                return "answered"
            if not ready:
                return "silence"
            event = int.from_bytes(monitor.recv_multipart()[0][:2], sys.byteorder)
            if event in (
                zmq.EVENT_DISCONNECTED,
                zmq.EVENT_HANDSHAKE_FAILED_AUTH,
                zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
                zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
            ):
                return "refused"
    finally:
        dealer.disable_monitor()
        monitor.close(0)
        context.destroy(0)


def raw(endpoint: str, sent: bytes) -> str:
    """Returns whether a socket that sends these bytes gets more than the greeting and handshake commands."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE_MS / 1000)
        peer.connect(endpoint.removeprefix("ipc://"))
        received = b""
        try:
            peer.sendall(sent)
            while data := peer.recv(65536):
                received += data
        except TimeoutError:
            return "silence"
        except (BrokenPipeError, ConnectionResetError):
            pass
        # An encrypted message begins with the name of its command, so its arrival is visible.
        return "answered" if b"MESSAGE" in received or b"BIFRONS1" in received else "refused"


def recorded(endpoint: str, keys: tuple[bytes, bytes]) -> bytes:
    """Returns the bytes that a client with the right keys sends through a relay."""
    sent = bytearray()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/relay")
        listener.listen(1)
        listener.settimeout(PATIENCE_MS / 1000)

        def relay() -> None:
            client, _ = listener.accept()
            router = socket.socket(socket.AF_UNIX)
            router.connect(endpoint.removeprefix("ipc://"))

            def back() -> None:
                while data := router.recv(65536):
                    client.sendall(data)

            threading.Thread(target=back, daemon=True).start()
            while data := client.recv(65536):
                sent.extend(data)
                router.sendall(data)
            router.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=relay, daemon=True)
        thread.start()
        assert attempt(f"ipc://{folder}/relay", keys) == "answered"
        thread.join(PATIENCE_MS / 1000)
    return bytes(sent)


def main() -> None:
    clients, workers, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    server = key(folder, "router.public")
    client, worker = key(folder, "client.secret"), key(folder, "worker.secret")
    stranger_public, stranger_secret = zmq.curve_keypair()
    good = recorded(clients, (server, client))
    hello = bytes([1, 1])
    plain = zmtp.HANDSHAKE + zmtp.message(*REQUEST)
    tries: dict[str, Callable[[], str]] = {
        "a listed key": lambda: attempt(clients, (server, client)),
        "no key": lambda: attempt(clients),
        "wrong server key": lambda: attempt(clients, (stranger_public, client)),
        "unlisted key": lambda: attempt(clients, (server, stranger_secret)),
        "a worker's key at the clients' socket": lambda: attempt(clients, (server, worker)),
        "a client's key at the workers' socket": lambda: attempt(workers, (server, client), [hello]),
        "no key at the workers' socket": lambda: attempt(workers, frames=[hello]),
        "plain ZMTP": lambda: raw(clients, plain),
        "plain ZMTP at the workers' socket": lambda: raw(workers, plain),
        "no ZMTP": lambda: raw(clients, b"GET / HTTP/1.1\r\n\r\n" + bytes(200)),
        "half a handshake": lambda: raw(clients, good[: len(zmtp.GREETING) + 100]),
        "a replayed conversation": lambda: raw(clients, good),
        "a listed key, again": lambda: attempt(clients, (server, client)),
    }
    for name, run in tries.items():
        print(f"{name}: {run()}", flush=True)


if __name__ == "__main__":
    main()
