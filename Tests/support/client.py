"""A client of a router, written with pyzmq as a user of the protocol would write it."""

import json
import time
from pathlib import Path
from typing import Any, Self

import zmq

MAGIC = b"BIFRONS1"
Document = dict[str, Any]


def request(header: Document, image: bytes | None = None) -> list[bytes]:
    """Returns the frames of a request, without its envelope."""
    return [MAGIC, json.dumps(header).encode(), *([] if image is None else [image])]


def key(folder: Path, name: str) -> bytes:
    """Returns the key in a file of a folder of keys."""
    return (folder / name).read_bytes().strip()


def curve(folder: Path, role: str) -> dict[str, bytes]:
    """Returns the socket options for encryption with a folder's keys: the router's public and a role's secret one."""
    secret = key(folder, f"{role}.secret")
    return {
        "curve_serverkey": key(folder, "router.public"),
        "curve_secretkey": secret,
        "curve_publickey": zmq.curve_public(secret),
    }


class Client:
    """A DEALER, or another kind of socket, with a context of its own. Closing it does not wait for unsent messages.

    Requests are numbered from 1, and the number is their envelope, so that answers may arrive in any order.

    Args:
        endpoint: The router's endpoint for clients.
        kind: The type of the socket.
        options: The socket options to set before it connects.
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
        """Closes the connection and drops everything that was not sent or read."""
        self.context.destroy(0)

    def send(self, header: Document, image: bytes | None = None) -> int:
        """Sends a request and returns its number."""
        return self.send_frames(request(header, image))

    def send_frames(self, frames: list[bytes]) -> int:
        """Sends frames in an envelope of their own and returns their number."""
        self.requests += 1
        self.socket.send_multipart([b"%d" % self.requests, b"", *frames])
        return self.requests

    def receive(self, seconds: float) -> tuple[int, bytes] | None:
        """Returns the number of a request and its result document, as JSON; None if no answer arrives in time."""
        if not self.socket.poll(round(1000 * max(0.0, seconds))):
            return None
        frames = self.socket.recv_multipart()
        return int(frames[0]), frames[-1]

    def ask(self, header: Document, image: bytes | None = None, seconds: float = 10.0) -> Document | None:
        """Sends one request and returns its answer; None if none arrives in time."""
        number = self.send(header, image)
        end = time.monotonic() + seconds
        while reply := self.receive(end - time.monotonic()):
            if reply[0] == number:
                document: Document = json.loads(reply[1])
                return document
        return None
