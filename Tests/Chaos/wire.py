"""Reads the tasks that a router sends its workers: ZMTP 3.1, and in it version 5 of the worker protocol.

    LOCATE  5, 66, job, attempt, remaining milliseconds, crop specifications     followed by a frame with the image
    SCORE   5, 70, job, attempt, remaining milliseconds                          followed by a frame with the crops

Integers are little-endian, with 64, 8 and 32 bits. A job's number contains the request's number and, in the lowest four
bits, the number of its step: 0 for the locator, then the ensemble's models in order. (An EXAMINE is no task here: the
chaos clusters have no evidence workers.)
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from support.worker_protocol import STEP_BITS, VERSION, FromRouter

_JOB = struct.Struct("<BBQBI")
_KINDS = frozenset(FromRouter)
# ZMTP's greeting, its signature, and the flags of frames.
_GREETING_BYTES = 64
_MORE, _LONG, _COMMAND = 1, 2, 4


class Unreadable(Exception):
    """An error for bytes that a router of this version does not send."""


@dataclass(frozen=True, slots=True)
class Task:
    """One step of a job, as a worker receives it."""

    job: int
    # The number of the attempt, from 1.
    attempt: int
    # Whether an image follows. If not, crops follow.
    is_locating: bool

    @property
    def request(self) -> int:
        return self.job >> STEP_BITS

    @property
    def step(self) -> int:
        return self.job & (1 << STEP_BITS) - 1


def task(frame: bytes) -> Task | None:
    """Returns the task in the first frame of a message; None if it is no task."""
    if len(frame) < 2 or frame[0] != VERSION:
        raise Unreadable(f"not a message of version {VERSION}: {frame[:20].hex()}")
    is_task = frame[1] in (FromRouter.LOCATE, FromRouter.SCORE)
    if not is_task and frame[1] in _KINDS:
        return None
    if not is_task or len(frame) < _JOB.size:
        raise Unreadable(f"not a message of a router: {frame[:20].hex()}")
    _, tag, job, attempt, _ = _JOB.unpack_from(frame)
    return Task(job, attempt, tag == FromRouter.LOCATE)


class Frames:
    """Splits what one end of a connection sends, from its first byte on, into the frames of its messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._has_greeted = False
        self._place = 0

    def __call__(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Returns the complete frames, each after its place in its message. Handshake and heartbeats are skipped."""
        self._bytes += data
        start = 0
        if not self._has_greeted:
            if len(self._bytes) < _GREETING_BYTES:
                return
            if (self._bytes[0], self._bytes[9], self._bytes[10]) != (0xFF, 0x7F, 3):
                raise Unreadable(f"not the greeting of ZMTP 3: {bytes(self._bytes[:11]).hex()}")
            self._has_greeted = True
            start = _GREETING_BYTES
        while len(self._bytes) - start >= (head := self._head(start)):
            size = int.from_bytes(self._bytes[start + 1 : start + head])
            if len(self._bytes) - start < head + size:
                break
            flags = self._bytes[start]
            frame = bytes(self._bytes[start + head : start + head + size])
            start += head + size
            if not flags & _COMMAND:
                yield self._place, frame
                self._place = self._place + 1 if flags & _MORE else 0
        del self._bytes[:start]

    def _head(self, start: int) -> int:
        """Returns the number of bytes of the flags and the size of the frame that begins at `start`."""
        return 9 if len(self._bytes) > start and self._bytes[start] & _LONG else 2


class Watch:
    """Reports the tasks that a router sends on one connection, however the stream is cut into pieces."""

    def __init__(self, take: Callable[[Task], None], see: Callable[[Task, bytes], None]) -> None:
        """Creates a watch. `take` is called with a task, `see` with the task and the image or crops after it."""
        self._take, self._see = take, see
        self._frames = Frames()
        self._task: Task | None = None

    def __call__(self, data: bytes) -> None:
        for place, frame in self._frames(data):
            if place == 0:
                self._task = task(frame)
                if self._task:
                    self._take(self._task)
            elif self._task:
                self._see(self._task, frame)
