"""Tests reading a router's bytes, cut into pieces of any size."""

import pytest
import router_bytes
from router_bytes import BYE, PING, PONG, RESYNC, START, WELCOME, locate, score

import wire
from wire import Task

IMAGE = b"\x89PNG" + bytes(70_000)


def watched(stream: bytes, size: int) -> list:
    """Returns what is reported of a stream in pieces of `size` bytes: tasks, and the frames that came with them."""
    told: list = []
    watch = wire.Watch(told.append, lambda task, data: told.append((task, data)))
    for start in range(0, len(stream), size):
        watch(stream[start : start + size])
    return told


@pytest.mark.parametrize("size", [1, 7, 64, 100, 1 << 16, 1 << 20])
def test_tasks_are_reported_before_their_payloads_for_pieces_of_any_size(size):
    image = IMAGE if size > 1 else IMAGE[:300]
    stream = b"".join(
        [
            START,
            WELCOME,
            PING,
            locate(24, image),
            PONG,
            PING,
            score(24, 1),
            score(24, 2, attempt=2),
            RESYNC,
            WELCOME,
            locate(25, b"x", attempt=2),
            BYE,
        ]
    )
    tasks = [Task(384, 1, True), Task(385, 1, False), Task(386, 2, False), Task(400, 2, True)]
    crops = bytes(192)
    behind = [image, crops, crops, b"x"]
    assert watched(stream, size) == [
        entry for task, data in zip(tasks, behind, strict=True) for entry in (task, (task, data))
    ]
    assert [(task.request, task.step) for task in tasks] == [(24, 0), (24, 1), (24, 2), (25, 0)]


def test_a_task_is_reported_before_its_image_is_complete():
    assert watched(START + locate(24, IMAGE)[:-1], 1 << 20) == [Task(384, 1, True)]


def test_job_numbers_have_64_bits():
    number = (0x0123456789ABCDE << 4) | 9
    assert wire.task(router_bytes.score(number >> 4, 9)[2:17]) == Task(number, 1, False)


@pytest.mark.parametrize(
    "frame", ["", "05", "0442" + "00" * 20, "0642" + "00" * 20, "0502" + "00" * 20, "0548", "0546" + "00" * 12]
)
def test_frames_of_another_version_are_refused(frame):
    with pytest.raises(wire.Unreadable):
        wire.task(bytes.fromhex(frame))


def test_bytes_that_are_not_zmtp_are_refused():
    with pytest.raises(wire.Unreadable):
        watched(b"HTTP/1.1 400 Bad Request\r\n" + bytes(80), 1 << 16)
