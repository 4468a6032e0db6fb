"""Reads histories and reports broken guarantees.

- Every request is answered exactly once, unless its connection is lost.
- An answer belongs to its own image: it has the image's digest, and the probability that its models must give.
- An answer is one that the protocol allows. A good image is never called broken.
- A job is only quarantined if two workers of one step had it in flight when their processes ended: two locators that
  had the image, or two workers of one model that had its crops. The message names the right pool. Stopped processes,
  cut connections and other jobs' images never cause a quarantine.
- A result names the locator that cut the image, if one did. Its scores come from workers that had the job.
- No answer says that a job was cancelled: nobody asks for that, and a client that left cannot receive the answer.
- An acknowledged job is found later, and one key has one result.
- During one run of the router, no step of a job is dispatched to more than two workers, and each dispatch has another
  attempt number. (All models need the same crops here, so no image is cut a second time for another model.)
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import history
import images
from hands import Hand, has_two_deaths
from support.client import Document
from support.worker_protocol import STEP_BITS

# The connections of each worker during each run of the router.
Hands = dict[tuple[int, str], list[Hand]]
TOLERANCE = 1e-3
VERDICTS = {200, 206}
# The statuses of a keyed job's result that is kept and then answers all jobs with the key.
KEPT = {200, 206, 422}
ALLOWED = {
    **{kind: {200, 206, 408, 422, 429, 503} for kind in ("plain", "bare", "keyed", "awaited")},
    "durable": {200, 202, 206, 408, 422, 429, 503},
    "broken": {408, 422, 429, 503},
    # An image that kills each worker of one pool that receives it or its crops.
    "poison": {408, 422, 429, 503},
    "fetch": {200, 202, 206, 408, 422, 429, 503},
}
QUARANTINED = "quarantined"
# The pool whose workers died, by the message of a quarantine.
QUARANTINES = {
    f"2 workers of {pool} died with {what} in their hands; it is not tried again": pool
    for pool, what in {
        images.LOCATOR: "this image",
        **dict.fromkeys(images.MODELS, "this image's crops"),
    }.items()
}
CANCELLED = "cancelled"
LOCATOR_FIELDS = {"version", "digest", "queue_ms", "compute_ms", "worker"}
HANDED_AT_MOST = 2


@dataclass
class Report:
    violations: list[str] = field(default_factory=list)
    submissions: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    # The codes of errors.
    codes: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    lost_with_connections: int = 0
    acknowledged: int = 0
    found: int = 0
    second_tries: int = 0
    # The numbers of quarantines by the pool whose workers died: of images that kill, and of other images.
    convicted: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)


class Work:
    """The tasks that workers were given."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._had: dict[str, set[int | None]] = defaultdict(set)
        for (_, worker), some in hands.items():
            for hand in some:
                jobs = set(map(hand.job, hand.numbers))
                self._had[worker] |= jobs
                self._had[images.pool_of(worker)] |= jobs

    def has(self, job: int, worker: str) -> bool:
        """Returns whether a worker, or any worker of a pool, had a job. It is true if no links were recorded."""
        return not self._hands or job in self._had[worker]

    def has_two_deaths(self, job: int, answered: float, pool: str) -> bool:
        lives: dict[int, list[Hand]] = defaultdict(list)
        for (life, worker), some in self._hands.items():
            if images.pool_of(worker) == pool:
                lives[life] += some
        return any(has_two_deaths(job, answered, some) for some in lives.values())

    def faults(self, sendings: Counter[int], report: Report) -> Iterable[str]:
        """Reports tasks that were dispatched too often. `sendings` is how often each job was sent to the router."""
        tries: dict[tuple[int, int], list[int]] = defaultdict(list)
        handed: Counter[tuple[int, str, int]] = Counter()
        for (life, worker), some in self._hands.items():
            pool = images.pool_of(worker)
            for hand in some:
                for number, attempt in zip(hand.numbers, hand.attempts, strict=False):
                    if number & (1 << STEP_BITS) - 1 != images.POOLS.index(pool):
                        yield f"{worker} was handed the task {number} in life {life} of the router: another step's"
                    tries[life, number].append(attempt)
                    if (job := hand.job(number)) is not None:
                        handed[job, pool, life] += 1
        for (life, number), attempts in tries.items():
            if not set(attempts) <= {1, 2} or len(set(attempts)) < len(attempts):
                yield f"the task {number} was handed to workers as the attempts {attempts} in life {life} of the router"
            report.second_tries += len(attempts) > 1
        for (job, pool, life), times in handed.items():
            if times > HANDED_AT_MOST * max(1, sendings[job]):
                yield f"job {job} was handed {times} times to {pool} in life {life} of the router"


def check(histories: Iterable[Iterable[history.Event]], hands: Hands) -> Report:
    """Checks histories. Without `hands`, no quarantine is accepted."""
    report = Report()
    work = Work(hands)
    acknowledged: set[int] = set()
    found: set[int] = set()
    results_of_key: dict[int, set[int]] = defaultdict(set)
    sendings: Counter[int] = Counter()
    for number, events in enumerate(histories):
        _check_one(number, events, report, acknowledged, found, results_of_key, sendings, work)
    report.jobs = len(sendings)
    report.acknowledged, report.found = len(acknowledged), len(acknowledged & found)
    for job in sorted(acknowledged - found):
        report.violations.append(f"job {job} was acknowledged and its result was never found")
    for job, fingerprints in results_of_key.items():
        if len(fingerprints) > 1:
            report.violations.append(f"job {job} has one key and {len(fingerprints)} results")
    report.violations += work.faults(sendings, report)
    return report


def _check_one(
    number: int,
    events: Iterable[history.Event],
    report: Report,
    acknowledged: set[int],
    found: set[int],
    results_of_key: dict[int, set[int]],
    sendings: Counter[int],
    work: Work,
) -> None:
    jobs: dict[int, tuple[int, str]] = {}
    unanswered: set[int] = set()
    answered: set[int] = set()
    excused: set[int] = set()
    has_ended = False

    def violation(text: str) -> None:
        report.violations.append(f"client {number}: {text}")

    for event in events:
        match event:
            case history.Sent():
                jobs[event.submission] = (event.job, event.kind)
                unanswered.add(event.submission)
                report.submissions[event.kind] += 1
                if event.kind != "fetch":
                    sendings[event.job] += 1
            case history.Lost():
                excused |= unanswered
            case history.Ended():
                has_ended = True
            case history.Answered():
                if event.submission not in jobs:
                    violation(f"an answer to submission {event.submission}, which was never sent")
                    continue
                job, kind = jobs[event.submission]
                if event.submission in answered:
                    violation(f"a second answer to submission {event.submission} of job {job}")
                answered.add(event.submission)
                unanswered.discard(event.submission)
                excused.discard(event.submission)
                report.statuses[event.status] += 1
                if event.code:
                    report.codes[event.code] += 1
                if event.code == QUARANTINED:
                    counter = report.convicted if kind == "poison" else report.quarantined
                    counter[QUARANTINES.get(event.message, "nobody")] += 1
                for text in _faults(job, kind, event, work):
                    violation(f"job {job} ({kind}): {text}")
                if kind == "durable" and event.status == 202:
                    acknowledged.add(job)
                if (kind == "fetch" and history.is_result(event)) or (kind == "durable" and event.status in VERDICTS):
                    found.add(job)
                if kind in ("durable", "awaited", "fetch") and event.status in KEPT:
                    results_of_key[job].add(event.fingerprint)
    # When a client is killed, its unanswered requests are lost with it.
    report.lost_with_connections += len(excused if has_ended else unanswered)
    if has_ended:
        for submission in sorted(unanswered - excused):
            violation(f"job {jobs[submission][0]} ({jobs[submission][1]}): submission {submission} was never answered")


def _faults(job: int, kind: str, answer: history.Answered, work: Work) -> Iterable[str]:
    if answer.status not in ALLOWED[kind]:
        yield f"the answer is {answer.status} {answer.code}"
        return
    if answer.status == 422 and kind != "broken" and answer.code != QUARANTINED:
        yield f"a good image is called {answer.code}"
    if answer.code == QUARANTINED:
        yield from _wrong_quarantines(job, answer, work)
    if answer.code == CANCELLED:
        yield "it is cancelled, and nobody asked for that"
    if answer.attempts > HANDED_AT_MOST:
        yield f"{answer.attempts} attempts"
    if answer.sha256 and answer.locator is None:
        yield "the image was decoded, and the result names no locator"
    if answer.locator is not None:
        yield from _faults_of_locator(job, answer, answer.locator, work)
    if answer.status in VERDICTS:
        if (answer.status == 200) != (answer.models == images.MODELS):
            yield f"the answer is {answer.status} with the scores of {answer.models}"
        elif abs((answer.probability or 0) - images.probability(job, answer.models)) > TOLERANCE:
            yield f"the probability is {answer.probability}, not {images.probability(job, answer.models):.4f}"
        if answer.sha256 != images.digest(job):
            yield f"the result is of the image {answer.sha256}"
        for model in answer.models:
            if not work.has(job, model):
                yield f"it has a score of {model}, no worker of which had it"


def _wrong_quarantines(job: int, answer: history.Answered, work: Work) -> Iterable[str]:
    pool = QUARANTINES.get(answer.message)
    if pool is None:
        yield f"it is quarantined, and does not say of what step: {answer.message}"
        return
    if not work.has_two_deaths(job, answer.second, pool):
        yield f"it is quarantined, and no two workers of {pool} died with it in hand"
    if (pool == images.LOCATOR) != (answer.locator is None):
        yield f"it is quarantined for workers of {pool}, and the image was cut by {answer.locator}"


def _faults_of_locator(job: int, answer: history.Answered, locator: Document, work: Work) -> Iterable[str]:
    wanted = (images.LOCATOR_VERSION, images.LOCATOR_DIGEST)
    if (
        locator.keys() != LOCATOR_FIELDS
        or (locator["version"], locator["digest"]) != wanted
        or not all(isinstance(locator[name], int | float) and locator[name] >= 0 for name in ("queue_ms", "compute_ms"))
    ):
        yield f"of its locator it says {locator}"
    elif images.pool_of(locator["worker"]) != images.LOCATOR or not work.has(job, locator["worker"]):
        yield f"the image was cut by {locator['worker']}, which never had it"
    if not answer.sha256:
        yield "the result names a locator, and not the image that it decoded"
