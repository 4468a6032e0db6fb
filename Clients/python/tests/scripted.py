"""A router that answers as a test wants."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq

Request = tuple[float, dict[str, Any], bytes | None]


class ScriptedRouter:
    """Binds a ROUTER socket to a free port. `script` gets each header with its number, from 0, and returns the answers.

    An answer is an object, the bytes of a result frame, a list of frames in the place of the reply, or a pair of
    seconds and one of these: it is then sent later. No answer is an empty list.
    """

    def __init__(self, script: Callable[[int, dict[str, Any]], list[Any]]) -> None:
        self._script = script
        self.requests: list[Request] = []
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self.endpoint = f"tcp://127.0.0.1:{self._socket.bind_to_random_port('tcp://127.0.0.1')}"
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "ScriptedRouter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ending.set()
        self._thread.join(timeout=10)
        self._socket.close()
        self._context.term()

    def _serve(self) -> None:
        later: list[tuple[float, list[bytes]]] = []
        while not self._is_ending.is_set():
            now = time.monotonic()
            for entry in [entry for entry in later if entry[0] <= now]:
                later.remove(entry)
                self._socket.send_multipart(entry[1])
            if not self._socket.poll(5):
                continue
            peer, *frames = self._socket.recv_multipart()
            now = time.monotonic()
            delimiter = frames.index(b"")
            envelope, rest = frames[: delimiter + 1], frames[delimiter + 1 :]
            header = json.loads(rest[1])
            self.requests.append((now, header, rest[2] if len(rest) > 2 else None))
            for answer in self._script(len(self.requests) - 1, header):
                delay, content = answer if isinstance(answer, tuple) else (0, answer)
                if isinstance(content, list):
                    message = [peer, *content]
                else:
                    text = content if isinstance(content, bytes) else json.dumps(content).encode()
                    message = [peer, *envelope, b"BIFRONS1", text]
                later.append((now + delay, message))
