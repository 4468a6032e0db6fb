"""The ZeroMQ load generator, tested against a router that runs in a thread."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from loads import LoadError, ZeroMQInterface


@contextmanager
def answering(endpoint: str, reply: dict) -> Iterator[list[int]]:
    """Answers every job with `reply` until the block ends; yields the number of waiting jobs at each look."""
    waiting: list[int] = []
    ended = threading.Event()

    def serve() -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.linger = 0
            socket.bind(endpoint)
            while not ended.is_set():
                jobs = []
                while socket.poll(10):
                    jobs.append(socket.recv_multipart())
                waiting.append(len(jobs))
                for client, number, *_ in jobs:
                    socket.send_multipart([client, number, b"", b"BIFRONS1", json.dumps(reply).encode()])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield waiting
    finally:
        ended.set()
        thread.join()


def test_load_keeps_the_requested_number_of_jobs_in_flight(tmp_path: Path):
    endpoint = f"ipc://{tmp_path}/router"
    with answering(endpoint, {"status": 200, "verdict": {"label": "real"}}) as waiting:
        outcome = ZeroMQInterface(endpoint).load(b"image", 8, 1, tmp_path)
    assert max(waiting) == 8
    assert outcome.answers > 8 and outcome.per_second == outcome.answers
    assert 10 <= outcome.p50_ms <= outcome.p99_ms


@pytest.mark.parametrize("reply", [{"status": 206, "verdict": {"label": "real"}}, {"status": 200}, {"status": 429}])
def test_incomplete_verdict_ends_the_load(tmp_path: Path, reply: dict):
    endpoint = f"ipc://{tmp_path}/router"
    with answering(endpoint, reply), pytest.raises(LoadError, match="answers"):
        ZeroMQInterface(endpoint).load(b"image", 2, 1, tmp_path)
