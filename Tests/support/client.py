"""A client of a router, by pyzmq, as others would write it."""

import json
import time
from pathlib import Path
from typing import Any, Self

import zmq

MAGIC = b"BIFRONS1"
Document = dict[str, Any]


def request(header: Document, image: bytes | None = None) -> list[bytes]:
    """The frames of a request, behind its envelope."""
    return [MAGIC, json.dumps(header).encode(), *([] if image is None else [image])]


def key(folder: Path, name: str) -> bytes:
    """A key file of a folder of keys."""
    return (folder / name).read_bytes().strip()


def curve(folder: Path, role: str) -> dict[str, bytes]:
    """The socket options that encrypt: for the router of a folder of keys, with the secret of one of its roles."""
    secret = key(folder, f"{role}.secret")
    return {
        "curve_serverkey": key(folder, "router.public"),
        "curve_secretkey": secret,
        "curve_publickey": zmq.curve_public(secret),
    }


class Client:
    """A DEALER, or another socket, with a context of its own, which no message holds back when it is closed.

    Requests are numbered from 1, and the number is their envelope, so that answers may come in any order.

    Args:
        endpoint: the router's endpoint for clients.
        kind: the type of the socket.
        options: what is set of the socket before it dials.
    """

    def __init__(self, endpoint: str, kind: int = zmq.DEALER, /, **options: Any) -> None:
        self.endpoint = endpoint
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(endpoint)
        self.requests = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; what was not sent or read is gone."""
        self.context.destroy(0)

    def send(self, header: Document, image: bytes | None = None) -> int:
        """Sends a request; returns its number."""
        return self.send_frames(request(header, image))

    def send_frames(self, frames: list[bytes]) -> int:
        """Sends frames behind an envelope of their own; returns their number."""
        self.requests += 1
        self.socket.send_multipart([b"%d" % self.requests, b"", *frames])
        return self.requests

    def receive(self, seconds: float) -> tuple[int, bytes] | None:
        """The number of a request and its result document, as JSON; None if no answer comes in time."""
        if not self.socket.poll(round(1000 * max(0.0, seconds))):
            return None
        frames = self.socket.recv_multipart()
        return int(frames[0]), frames[-1]

    def ask(self, header: Document, image: bytes | None = None, seconds: float = 10.0) -> Document | None:
        """Asks one thing and waits for its answer; None if none comes in time."""
        number = self.send(header, image)
        end = time.monotonic() + seconds
        while reply := self.receive(end - time.monotonic()):
            if reply[0] == number:
                document: Document = json.loads(reply[1])
                return document
        return None
