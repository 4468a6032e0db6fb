"""An open load: jobs leave when their time has come, whether answers come or not."""

import json
import time
from dataclasses import dataclass, field

import zmq

MAGIC = b"BIFRONS1"
# Between two looks for what is due and what has come: one that wakes at each answer takes from the workers' processors.
PACE_SECONDS = 0.005


@dataclass
class Job:
    sent: float
    header: bytes
    refusals: int = 0


@dataclass
class Answer:
    """Of one try. Seconds are from its sending to its answer; `since_start` is when that came."""

    status: int
    seconds: float
    since_start: float
    refusals: int
    total_ms: float


@dataclass
class Outcome:
    answers: list[Answer] = field(default_factory=list)
    unanswered: int = 0

    def count(self, *statuses: int) -> int:
        return sum(answer.status in statuses for answer in self.answers)


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


class Load:
    """One DEALER. Whatever is refused with 429 is sent again when it was told to, if `obeys`."""

    def __init__(self, endpoint: str, pictures: list[bytes], budget_ms: int = 5000, obeys: bool = False):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger, self._socket.sndhwm, self._socket.rcvhwm = 0, 0, 0
        self._socket.connect(endpoint)
        self._pictures = pictures
        self._header = {"verb": "classify", "budget_ms": budget_ms}
        self._header_bytes = json.dumps(self._header).encode()
        self._patience = budget_ms / 1000 + 5
        self._obeys = obeys
        self._numbers = 0

    def close(self) -> None:
        self._context.destroy(0)

    def closed_loop(self, window: int, seconds: float) -> Outcome:
        """Keeps so many in flight."""
        return self._run(lambda elapsed, in_flight: window - in_flight if elapsed < seconds else None)

    def at_rate(self, rate: float, seconds: float, during=lambda elapsed: None) -> Outcome:
        """Sends so many a second; calls `during` all the time."""
        left = 0

        def due(elapsed: float, _: int) -> int | None:
            nonlocal left
            during(elapsed)
            wanted = int(min(elapsed, seconds) * rate)
            count, left = wanted - left, wanted
            return None if elapsed >= seconds and not count else count

        return self._run(due)

    def _run(self, due) -> Outcome:
        """`due` says how many jobs to send now, None when there will be no more."""
        # Read when all is over: on two cores what reads them is missing to the workers.
        replies: list[tuple[float, float, int, bytes]] = []
        in_flight: dict[bytes, Job] = {}
        later: list[tuple[float, Job]] = []
        start = last_event = time.monotonic()
        unanswered = 0
        is_over = False
        while True:
            now = time.monotonic()
            count = None if is_over else due(now - start, len(in_flight))
            is_over = is_over or count is None
            for _ in range(count or 0):
                self._send(Job(now, self._header_bytes), in_flight)
            if later:
                ready = [job for turn, job in later if turn <= now]
                later = [entry for entry in later if entry[0] > now]
                for job in ready:
                    job.sent = now
                    self._send(job, in_flight)
            if is_over and not in_flight and not later:
                break
            time.sleep(PACE_SECONDS)
            for moment, job, text in self._received(in_flight):
                last_event = moment
                replies.append((moment, moment - job.sent, job.refusals, text))
                if self._obeys:
                    self._come_again(job, json.loads(text), moment, later)
            if not later and now - last_event > self._patience:
                unanswered = len(in_flight)
                break
        return Outcome([self._answer(start, *reply) for reply in replies], unanswered)

    def _send(self, job: Job, in_flight: dict[bytes, Job]) -> None:
        self._numbers += 1
        number = b"%d" % self._numbers
        in_flight[number] = job
        picture = self._pictures[self._numbers % len(self._pictures)]
        self._socket.send_multipart([number, b"", MAGIC, job.header, picture])

    def _received(self, in_flight: dict[bytes, Job]):
        while True:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            yield time.monotonic(), in_flight.pop(frames[0]), frames[-1]

    def _come_again(self, job: Job, result: dict, now: float, later: list[tuple[float, Job]]) -> None:
        if result["status"] == 429:
            job.refusals += 1
            job.header = json.dumps(self._header | {"id": result["id"]}).encode()
            later.append((now + result["retry_after_ms"] / 1000, job))

    @staticmethod
    def _answer(start: float, moment: float, seconds: float, refusals: int, text: bytes) -> Answer:
        result = json.loads(text)
        return Answer(result["status"], seconds, moment - start, refusals, result.get("total_ms", 0.0))
