"""Generates load: a fixed number of jobs in flight, or a fixed rate, independent of the answers."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from support.client import Client, Document, request

# The time between two checks for due jobs and new answers. Waking at each answer would take time from the workers.
PACE_SECONDS = 0.005
# The number of jobs in flight that keeps all cores busy.
ALWAYS_ENOUGH = 32


@dataclass
class Job:
    """A job that is in flight, or will be sent again."""

    sent: float
    frames: list[bytes]
    refusals: int = 0


@dataclass
class Answer:
    """The answer to one attempt. `seconds` counts from its sending, `since_start` from the start of the load."""

    status: int
    seconds: float
    since_start: float
    refusals: int
    total_ms: float


@dataclass
class Outcome:
    """The outcome of a load."""

    answers: list[Answer] = field(default_factory=list)
    unanswered: int = 0

    def count(self, *statuses: int) -> int:
        """Returns the number of answers with one of these statuses."""
        return sum(answer.status in statuses for answer in self.answers)

    def seconds(self, percent: float) -> float:
        """Returns a percentile of the answers' times."""
        return percentile([answer.seconds for answer in self.answers], percent)


def percentile(values: list[float], percent: float) -> float:
    """Returns the smallest value that `percent` per cent of the values do not exceed; not a number without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


class Load(Client):
    """One client that sends images in turn.

    Args:
        endpoint: The router's endpoint for clients.
        images: The images to send.
        budget_ms: The budget of each job.
        obeys: Whether a job that is refused with 429 is sent again after the time that the answer names.
    """

    def __init__(self, endpoint: str, images: list[bytes], budget_ms: int = 5000, obeys: bool = False) -> None:
        super().__init__(endpoint, sndhwm=0, rcvhwm=0)
        self._header: Document = {"verb": "classify", "budget_ms": budget_ms}
        self._jobs = [request(self._header, image) for image in images]
        self._patience = budget_ms / 1000 + 5
        self._obeys = obeys

    def closed_loop(self, window: int, seconds: float) -> Outcome:
        """Keeps `window` jobs in flight."""
        return self._run(lambda elapsed, in_flight: window - in_flight if elapsed < seconds else None)

    def at_rate(self, rate: float, seconds: float, during: Callable[[float], object] = lambda elapsed: None) -> Outcome:
        """Sends `rate` jobs per second. Calls `during` repeatedly with the seconds since the start."""
        left = 0

        def due(elapsed: float, _: int) -> int | None:
            nonlocal left
            during(elapsed)
            wanted = int(min(elapsed, seconds) * rate)
            count, left = wanted - left, wanted
            return None if elapsed >= seconds and not count else count

        return self._run(due)

    def _run(self, due: Callable[[float, int], int | None]) -> Outcome:
        """Runs a load. `due` returns how many jobs to send now, or None when there will be no more."""
        # Replies are decoded only at the end, because on two cores decoding would take time from the workers.
        replies: list[tuple[float, float, int, bytes]] = []
        in_flight: dict[int, Job] = {}
        later: list[tuple[float, Job]] = []
        start = last_event = time.monotonic()
        unanswered = 0
        is_over = False
        while True:
            now = time.monotonic()
            count = None if is_over else due(now - start, len(in_flight))
            is_over = is_over or count is None
            for _ in range(count or 0):
                self._submit(Job(now, self._jobs[self.requests % len(self._jobs)]), in_flight)
            if later:
                ready = [job for turn, job in later if turn <= now]
                later = [entry for entry in later if entry[0] > now]
                for job in ready:
                    job.sent = now
                    self._submit(job, in_flight)
            if is_over and not in_flight and not later:
                break
            time.sleep(PACE_SECONDS)
            for moment, job, text in self._received(in_flight):
                last_event = moment
                replies.append((moment, moment - job.sent, job.refusals, text))
                if self._obeys:
                    self._schedule_resend(job, json.loads(text), moment, later)
            if not later and now - last_event > self._patience:
                unanswered = len(in_flight)
                break
        return Outcome([self._answer(start, *reply) for reply in replies], unanswered)

    def _submit(self, job: Job, in_flight: dict[int, Job]) -> None:
        in_flight[self.send_frames(job.frames)] = job

    def _received(self, in_flight: dict[int, Job]) -> Iterator[tuple[float, Job, bytes]]:
        while reply := self.receive(0):
            yield time.monotonic(), in_flight.pop(reply[0]), reply[1]

    def _schedule_resend(self, job: Job, result: Document, now: float, later: list[tuple[float, Job]]) -> None:
        if result["status"] == 429:
            job.refusals += 1
            job.frames = request(self._header | {"id": result["id"]}, job.frames[-1])
            later.append((now + result["retry_after_ms"] / 1000, job))

    @staticmethod
    def _answer(start: float, moment: float, seconds: float, refusals: int, text: bytes) -> Answer:
        result = json.loads(text)
        return Answer(result["status"], seconds, moment - start, refusals, result.get("total_ms", 0.0))


def load_at(
    endpoint: str,
    images: list[bytes],
    rate: float,
    seconds: float,
    budget_ms: int = 5000,
    during: Callable[[float], object] = lambda elapsed: None,
) -> Outcome:
    """Sends `rate` jobs per second from a client of its own; see `Load`."""
    with Load(endpoint, images, budget_ms) as load:
        return load.at_rate(rate, seconds, during)


def peak_rate(endpoint: str, images: list[bytes], seconds: float) -> float:
    """Returns the verdicts per second when there are always enough jobs in flight."""
    with Load(endpoint, images) as load:
        load.closed_loop(ALWAYS_ENOUGH, 2)
        outcome = load.closed_loop(ALWAYS_ENOUGH, seconds)
    return outcome.count(200) / max(answer.since_start for answer in outcome.answers)
