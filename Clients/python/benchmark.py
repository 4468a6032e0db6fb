"""Compares the client with twenty lines of pyzmq: verdicts a second at the same window, turn by turn.

    .venv-client/bin/python Clients/python/benchmark.py tcp://127.0.0.1:5555 image.jpg

prints the verdicts a second of each pair, and the medians of the ratios of each client to plain pyzmq.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from bifrons import AsyncClient, Client


def plain(endpoint: str, image: bytes, window: int, seconds: float) -> float:
    """Keeps `window` jobs in flight over one DEALER socket, and returns the verdicts a second."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoint)
    header = json.dumps({"verb": "classify"}).encode()
    numbers = itertools.count()
    count = 0
    for _ in range(window):
        socket.send_multipart([b"%d" % next(numbers), b"", b"BIFRONS1", header, image])
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if not socket.poll(1000):
            raise TimeoutError("the service does not answer")
        answer = json.loads(socket.recv_multipart()[3])
        count += answer["status"] == 200
        socket.send_multipart([b"%d" % next(numbers), b"", b"BIFRONS1", header, image])
    rate = count / (time.monotonic() - begun)
    socket.close()
    context.term()
    return rate


def threads(endpoint: str, image: bytes, window: int, seconds: float) -> float:
    """Does the same with `Client.classify_many`."""
    count = 0
    with Client(endpoint) as client:
        begun = time.monotonic()
        for _, result in client.classify_many(itertools.repeat(image), window=window, ordered=False):
            count += result.status == 200
            if time.monotonic() - begun >= seconds:
                break
        return count / (time.monotonic() - begun)


def events(endpoint: str, image: bytes, window: int, seconds: float) -> float:
    """Does the same with `AsyncClient.classify_many`."""

    async def run() -> float:
        count = 0
        async with AsyncClient(endpoint) as client:
            begun = time.monotonic()
            async for _, result in client.classify_many(itertools.repeat(image), window=window, ordered=False):
                count += result.status == 200
                if time.monotonic() - begun >= seconds:
                    break
            return count / (time.monotonic() - begun)

    return asyncio.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("endpoint", help="a router's client endpoint")
    parser.add_argument("image", type=Path, help="an image file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--window", type=int, default=32)
    options = parser.parse_args()
    image = options.image.read_bytes()
    ways: dict[str, Callable[[str, bytes, int, float], float]] = {
        "pyzmq": plain,
        "Client": threads,
        "AsyncClient": events,
    }
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(options.rounds + 1):
        rates = {name: way(options.endpoint, image, options.window, options.seconds) for name, way in ways.items()}
        # The first round warms the service up.
        if number == 0:
            continue
        print("  ".join(f"{name} {rate:.1f}/s" for name, rate in rates.items()))
        for name, rate in rates.items():
            ratios[name].append(rate / rates["pyzmq"])
    for name in ("Client", "AsyncClient"):
        low, high = min(ratios[name]), max(ratios[name])
        print(f"{name}: {statistics.median(ratios[name]):.2f} of pyzmq ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
