"""A client under chaos: keeps a window of jobs of all kinds in flight, and records everything it sends and receives.

    python client.py ENDPOINT HISTORY --number N --seed S [--window W] [--after HISTORY]

After SIGTERM, it ends once all jobs in flight are answered and every acknowledged job is found, or after a time limit.
Its job numbers begin at N times JOBS. `--after` names the histories of killed clients, whose acknowledged jobs it looks
for, too.
"""

import argparse
import random
import signal
import sys
import time
from collections import deque
from pathlib import Path

import zmq

import history
import images
from support.client import Client, Document, request

JOBS = 10_000_000
BUDGETS_MS = (300, 5000)
# The seconds after a job's budget in which an answer may still come, because of the network or a stopped router.
GRACE = 10.0
FETCH_PAUSE = 0.2
# The pause after a refusal, in seconds.
REFUSED_PAUSE = 0.05
REFUSALS = (429, 503)
# The time limit after SIGTERM, in seconds.
LAST_WAIT = 40.0
# The kinds of jobs, and how often each is sent.
#   plain      one try, one answer
#   bare       the same, without a header
#   broken     an image that is cut off
#   keyed      with an idempotency key: sent again if the answer may be lost
#   durable    acknowledged, then fetched
#   awaited    durable, the answer is the result
KINDS = {"plain": 66, "bare": 4, "broken": 4, "keyed": 8, "durable": 12, "awaited": 6}
AGAIN = ("keyed", "durable", "awaited", "fetch")


class Witness(Client):
    """The client, with the state of its jobs."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(
            options.endpoint, reconnect_ivl=50, reconnect_ivl_max=500, heartbeat_ivl=1000, heartbeat_timeout=3000
        )
        self.window = options.window
        self.choose = random.Random(options.seed)
        self.writer = history.Writer(options.history)
        self.next_job = options.number * JOBS
        # The job, its kind and the time at which the client gives up, by submission.
        self.in_flight: dict[int, tuple[int, str, float]] = {}
        self.in_doubt: set[int] = set()
        self.again: deque[tuple[int, str]] = deque()
        self.to_fetch: deque[tuple[float, int]] = deque((0.0, job) for job in acknowledged(options.after))
        self.paused_until = 0.0
        self.ends_at: float | None = None
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "ends_at", self.ends_at or time.monotonic() + LAST_WAIT))

        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.poller = zmq.Poller()
        self.poller.register(self.socket, zmq.POLLIN)
        self.poller.register(self.monitor, zmq.POLLIN)

    def run(self) -> None:
        while not self.is_done():
            while len(self.in_flight) < self.window and self.start():
                pass
            self.fetch()
            # A missing answer counts only after everything that has arrived is read, because this process may have been
            # stopped.
            if not self.look():
                self.keep_time()
        self.writer.write(history.Ended(time.monotonic()))
        self.close()

    def is_done(self) -> bool:
        if self.ends_at is None:
            return False
        return time.monotonic() > self.ends_at or not (self.in_flight or self.again or self.to_fetch)

    def start(self) -> bool:
        """Sends an old job again or a new one. Returns whether there was one to send."""
        if time.monotonic() < self.paused_until:
            return False
        if self.again:
            self.submit(*self.again.popleft())
        elif self.ends_at is None:
            self.submit(self.next_job, self.choose.choices(list(KINDS), list(KINDS.values()))[0])
            self.next_job += 1
        else:
            return False
        return True

    def fetch(self) -> None:
        while self.to_fetch and self.to_fetch[0][0] < time.monotonic() and len(self.in_flight) < 2 * self.window:
            self.submit(self.to_fetch.popleft()[1], "fetch")

    def submit(self, job: int, kind: str) -> None:
        budget = self.choose.randint(*BUDGETS_MS)
        header: Document = {"verb": "classify", "id": f"job-{job}", "budget_ms": budget}
        image = images.image(job)
        match kind:
            case "bare":
                budget = 5000
            case "broken":
                image = image[: -len(image) // 3]
            case "keyed":
                header["idempotency_key"] = f"key-{job}"
            case "durable":
                header |= {"idempotency_key": f"key-{job}", "durable": True, "wait": False}
            case "awaited":
                header |= {"idempotency_key": f"key-{job}", "durable": True}
            case "fetch":
                header["verb"] = "fetch"
        # The submission is recorded before it is sent, so that the history has everything that the router sees.
        submission = self.requests + 1
        self.in_flight[submission] = (job, kind, time.monotonic() + budget / 1000 + GRACE)
        self.writer.write(history.Sent(submission, job, kind, time.monotonic()))
        self.send_frames([image] if kind == "bare" else request(header, None if kind == "fetch" else image))

    def look(self) -> bool:
        """Returns whether anything was received."""
        ready = dict(self.poller.poll(20))
        if self.monitor in ready:
            self.monitor.recv_multipart()
            self.writer.write(history.Lost(time.monotonic()))
            self.in_doubt |= self.in_flight.keys()
        if self.socket in ready:
            while reply := self.receive(0):
                self.take(*reply)
        return bool(ready)

    def take(self, submission: int, result: bytes) -> None:
        event = history.answered(submission, result, time.monotonic())
        self.writer.write(event)
        self.in_doubt.discard(submission)
        job, kind, _ = self.in_flight.pop(submission, (0, "", 0.0))
        if event.status in REFUSALS:
            self.paused_until = time.monotonic() + REFUSED_PAUSE
        if (kind == "durable" and event.status == 202) or (kind == "fetch" and not history.is_result(event)):
            self.to_fetch.append((time.monotonic() + FETCH_PAUSE, job))

    def keep_time(self) -> None:
        now = time.monotonic()
        late = [submission for submission, (_, _, end) in self.in_flight.items() if end < now]
        # After a lost connection, the answer may be lost with it.
        doubtful = [submission for submission in self.in_doubt if self.in_flight[submission][2] - GRACE + 1 < now]
        for submission in {*late, *doubtful}:
            job, kind, _ = self.in_flight.pop(submission)
            self.in_doubt.discard(submission)
            if kind in AGAIN:
                self.again.append((job, kind))


def command(endpoint: str, path: Path, number: int, seed: int, window: int, after: list[Path]) -> list[str]:
    """Returns the command that starts a client with a history of its own."""
    options = [f"--number={number}", f"--seed={seed}", f"--window={window}", "--after", *map(str, after)]
    return [sys.executable, __file__, endpoint, str(path), *options]


def acknowledged(paths: list[Path]) -> set[int]:
    """Returns the jobs in these histories that were acknowledged and whose results were not seen."""
    promised: set[int] = set()
    seen: set[int] = set()
    for path in paths:
        jobs: dict[int, tuple[int, str]] = {}
        for event in history.read(path):
            match event:
                case history.Sent():
                    jobs[event.submission] = (event.job, event.kind)
                case history.Answered():
                    job, kind = jobs[event.submission]
                    if kind == "durable" and event.status == 202:
                        promised.add(job)
                    elif kind == "fetch" and history.is_result(event):
                        seen.add(job)
    return promised - seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("endpoint")
    parser.add_argument("history", type=Path)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--after", type=Path, nargs="*", default=[])
    Witness(parser.parse_args()).run()


if __name__ == "__main__":
    main()
