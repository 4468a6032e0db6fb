"""Requests to routers over ZeroMQ."""

import asyncio
import itertools
import json
import os
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio

from bifrons._errors import BifronsError, NoAnswer

MAGIC = b"BIFRONS1"
# The roles whose secrets a folder of keys may have, the one with the most rights first.
ROLES = ("operator", "gateway", "client")


class ZeroMQTransport:
    """One DEALER socket, which may be connected to several routers.

    Args:
        endpoints: The routers' client endpoints.
        keys: A folder of `bifrons keygen` with `router.public` and the secret of an operator, a gateway or a client;
            None if the routers have no keys.
    """

    def __init__(self, endpoints: list[str], keys: str | os.PathLike[str] | None) -> None:
        self._endpoints = endpoints
        self._keys = _load(Path(keys)) if keys is not None else None
        self._numbers = itertools.count(1)
        self._waiting: dict[bytes, asyncio.Future[dict[str, Any]]] = {}
        self._context: zmq.asyncio.Context | None = None
        self._socket: zmq.asyncio.Socket | None = None
        self._reader: asyncio.Task[None] | None = None

    def _open(self) -> zmq.asyncio.Socket:
        if self._socket is None:
            self._context = zmq.asyncio.Context()
            self._socket = self._context.socket(zmq.DEALER)
            self._socket.linger = 0
            # Requests must not wait in a queue for a router that is gone: they would be sent after their deadline.
            self._socket.setsockopt(zmq.IMMEDIATE, 1)
            if self._keys:
                self._socket.curve_serverkey, self._socket.curve_secretkey = self._keys
                self._socket.curve_publickey = zmq.curve_public(self._keys[1])
            for endpoint in self._endpoints:
                self._socket.connect(endpoint)
            self._reader = asyncio.create_task(self._read(self._socket))
        return self._socket

    async def ask(self, header: dict[str, Any], body: bytes | None, timeout: float) -> dict[str, Any]:
        """Sends one request and returns its answer.

        Raises:
            NoAnswer: If none arrives within `timeout` seconds.
        """
        socket = self._open()
        # The router returns the frames before the empty one: they tell which request an answer belongs to.
        number = next(self._numbers).to_bytes(8, "big")
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        frames = [number, b"", MAGIC, json.dumps(header, separators=(",", ":")).encode()]
        if body is not None:
            frames.append(body)
        try:
            async with asyncio.timeout(timeout):
                await socket.send_multipart(frames, copy=False)
                return await future
        except TimeoutError:
            names = ", ".join(self._endpoints)
            raise NoAnswer(
                f"no answer from {names} within {timeout:.1f} s; check that a router listens there"
            ) from None
        finally:
            self._waiting.pop(number, None)

    async def _read(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames = await socket.recv_multipart()
            # An answer that nobody waits for any more is dropped, and so is what is no answer.
            if len(frames) != 4 or frames[1] != b"" or frames[2] != MAGIC:
                continue
            future = self._waiting.get(frames[0])
            if future is None or future.done():
                continue
            try:
                answer = json.loads(frames[3])
                if not isinstance(answer, dict):
                    raise ValueError("it is no object")
                future.set_result(answer)
            except ValueError as error:
                future.set_exception(BifronsError(f"the router's answer cannot be read: {error}"))

    async def close(self) -> None:
        """Ends all requests in flight, and closes the socket."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BifronsError("the client was closed"))
        if self._socket is not None:
            self._socket.close(linger=0)
        if self._context is not None:
            self._context.term()
        self._socket = self._context = self._reader = None


def _load(folder: Path) -> tuple[bytes, bytes]:
    secrets = [folder / f"{role}.secret" for role in ROLES]
    secret = next((path for path in secrets if path.is_file()), None)
    if secret is None:
        raise BifronsError(f"{folder} has no secret; copy client.secret from the folder that 'bifrons keygen' made")
    try:
        return (folder / "router.public").read_bytes().strip(), secret.read_bytes().strip()
    except OSError as error:
        raise BifronsError(f"{error.filename} cannot be read: {error.strerror}") from error
