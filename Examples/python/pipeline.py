#!/usr/bin/env python3
"""Classifies the images of a folder over one DEALER socket with a bounded number of jobs in flight.

Prints one line per file, in the order in which the answers arrive, with columns separated by tabs:

    path  status  label  probability that the face is AI-generated  action
    path  status  error code  error message

The status is 0 if no answer arrived.
Exit status: 0 all files were classified, 1 some were not, 2 usage error, 69 no router answers.
"""

import argparse
import heapq
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import zmq

MAGIC = b"BIFRONS1"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic")
# Seconds that an answer may take beyond its job's budget, for the network.
GRACE = 2.0


@dataclass
class Job:
    path: Path
    header: dict
    first_sent: float | None = None
    deadline: float = 0.0


class Pipeline:
    """The jobs in progress. Rejected jobs waiting for a retry count towards the window, so it bounds the load."""

    def __init__(self, socket: zmq.Socket, options: argparse.Namespace):
        self.socket = socket
        self.options = options
        self.header = {"verb": "classify", "budget_ms": options.budget_ms}
        self.jobs: dict[bytes, Job] = {}
        self.in_flight: set[bytes] = set()
        self.turned_away: list[tuple[float, bytes]] = []  # a heap, ordered by the time of the retry
        self.failures = 0

    def run(self, paths: list[Path]) -> None:
        waiting = iter(enumerate(paths))
        more = True
        while more or self.jobs:
            while more and len(self.jobs) < self.options.window:
                number, path = next(waiting, (0, None))
                more = path is not None
                if more:
                    self.start(str(number).encode(), Job(path, dict(self.header)))
            self.receive()
            self.keep_time()

    def start(self, number: bytes, job: Job) -> None:
        self.jobs[number] = job
        self.send(number)

    def send(self, number: bytes) -> None:
        job = self.jobs[number]
        try:
            image = job.path.read_bytes()
            # The router returns the frames before the empty one unchanged: they tell which job a reply belongs to.
            self.socket.send_multipart([number, b"", MAGIC, json.dumps(job.header).encode(), image])
        except zmq.Again:
            return self.fail(number, "no_router", "the connection to the router was lost")
        except OSError as error:
            return self.fail(number, "unreadable", error.strerror)
        now = time.monotonic()
        job.first_sent = job.first_sent or now
        job.deadline = now + self.options.budget_ms / 1000 + GRACE
        self.in_flight.add(number)

    def receive(self) -> None:
        """Waits for a reply, a deadline or a retry that is due; then receives all replies."""
        times = [self.jobs[number].deadline for number in self.in_flight] + [when for when, _ in self.turned_away[:1]]
        if not times or not self.socket.poll(max(0, int(1000 * (min(times) - time.monotonic())) + 1)):
            return
        while self.socket.poll(0):
            number, _, _, result = self.socket.recv_multipart()
            if number in self.in_flight:
                self.in_flight.remove(number)
                self.answered(number, json.loads(result))

    def answered(self, number: bytes, result: dict) -> None:
        patience_ends = self.jobs[number].first_sent + self.options.patience
        again = time.monotonic() + result.get("retry_after_ms", 0) / 1000
        if result["status"] == 429 and again < patience_ends:
            # The refusal's id lets the router recognise the job when it is sent again.
            self.jobs[number].header["id"] = result["id"]
            heapq.heappush(self.turned_away, (again, number))
        else:
            self.finish(number, result)

    def keep_time(self) -> None:
        now = time.monotonic()
        while self.turned_away and self.turned_away[0][0] <= now:
            self.send(heapq.heappop(self.turned_away)[1])
        for number in [number for number in self.in_flight if self.jobs[number].deadline <= now]:
            self.in_flight.remove(number)
            self.fail(number, "no_answer", "no answer arrived in time")

    def fail(self, number: bytes, code: str, message: str) -> None:
        self.finish(number, {"status": 0, "error": {"code": code, "message": message}})

    def finish(self, number: bytes, result: dict) -> None:
        path = self.jobs.pop(number).path
        if verdict := result.get("verdict"):
            # Without a face the verdict has no probability.
            probability = verdict.get("ai_probability")
            columns = [verdict["label"], "-" if probability is None else f"{probability:.4f}", verdict["action"]]
        else:
            self.failures += 1
            columns = [result["error"]["code"], result["error"]["message"]]
        print(path, result["status"], *columns, sep="\t", flush=True)


def answers(socket: zmq.Socket, seconds: float) -> bool:
    """Returns whether a router answers a ping within `seconds`."""
    socket.send_multipart([b"ping", b"", MAGIC, b'{"verb": "ping"}'])
    if not socket.poll(int(1000 * seconds)):
        return False
    socket.recv_multipart()
    return True


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Classify the images of a folder, many at a time.")
    parser.add_argument("folder", type=Path, help=f"searched with its subfolders for files of {', '.join(SUFFIXES)}")
    parser.add_argument("--router", default="tcp://127.0.0.1:5555", help="client endpoint (default: %(default)s)")
    parser.add_argument("--window", type=int, default=16, help="most jobs in flight (default: %(default)s)")
    parser.add_argument(
        "--budget-ms", type=int, default=5000, help="time budget of each job in ms (default: %(default)s)")
    parser.add_argument(
        "--patience", type=float, default=60,
        help="seconds during which a rejected job is sent again (default: %(default)s)")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    if options.window < 1 or not 1 <= options.budget_ms <= 600_000:
        parser.error("--window must be at least 1, and --budget-ms from 1 to 600000")
    return options


def main() -> int:
    options = parse()
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.sndtimeo = 1000 * 5
        socket.connect(options.router)
        if not answers(socket, seconds=5):
            print(f"no router answers at {options.router}", file=sys.stderr)
            return 69
        pipeline = Pipeline(socket, options)
        pipeline.run(paths)
    return 1 if pipeline.failures else 0


if __name__ == "__main__":
    sys.exit(main())
