"""Reads what a router gives its workers to do: ZMTP 3.1, and in it version 4 of the worker protocol.

    LOCATE  4, 66, job, attempt, remaining milliseconds, crop specifications     with the image in a frame behind it
    SCORE   4, 70, job, attempt, remaining milliseconds                          with the crops in a frame behind it

Integers are little-endian: 64, 8 and 32 bits. A job's number is that of the request and, in the lowest four bits, of
its step: 0 is the locator's, the ensemble's models follow.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from support.worker_protocol import STEP_BITS, VERSION, FromRouter

_JOB = struct.Struct("<BBQBI")
_KINDS = frozenset(FromRouter)
# ZMTP: the greeting, its signature, and the flags of frames.
_GREETING_BYTES = 64
_MORE, _LONG, _COMMAND = 1, 2, 4


class Unreadable(Exception):
    """These bytes are not what a router of this version sends."""


@dataclass(frozen=True, slots=True)
class Task:
    """One step of a job, as a worker is given it."""

    job: int
    # Counts from 1.
    attempt: int
    # Whether an image comes with it, and not crops.
    is_locating: bool

    @property
    def request(self) -> int:
        return self.job >> STEP_BITS

    @property
    def step(self) -> int:
        return self.job & (1 << STEP_BITS) - 1


def task(frame: bytes) -> Task | None:
    """What the first frame of a message says; None if it is nothing to do."""
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
    """Splits what one end of a connection says, from its first byte on, into the frames of its messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._has_greeted = False
        self._place = 0

    def __call__(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that have ended, each behind its place in its message. Handshake and heartbeats are none."""
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
        """Bytes of flags and size of the frame that begins there."""
        return 9 if len(self._bytes) > start and self._bytes[start] & _LONG else 2


class Watch:
    """Tells of the tasks on a router's side of one connection, however it is cut into pieces."""

    def __init__(self, take: Callable[[Task], None], see: Callable[[Task, bytes], None]) -> None:
        """`take` is told of a task before what it is about, `see` when that has come: an image or crops."""
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
