"""Reads histories and says what was promised and not kept.

- Every request is answered exactly once, as long as its connection stands.
- An answer is about its own picture: its digest, and the probability that its models must give.
- What may be answered is what the protocol allows; a good picture is never called broken.
- Who is quarantined was in the hands of two workers of one model when their processes ended: no stopped process and no
  cut connection convicts, and no other job's picture.
- Nobody is told that a job was cancelled: nobody asked for that, and who went away is not there to be told.
- An acknowledged job is found, and one key has one result.
- No job is handed to more than two workers of a model in one life of the router.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import history
import pictures
from hands import Hand, has_two_deaths

Hands = dict[tuple[int, str], list[Hand]]
TOLERANCE = 1e-3
VERDICTS = {200, 206}
# A keyed job's results that answer for the key from then on.
KEPT = {200, 206, 422}
ALLOWED = {
    **dict.fromkeys(("plain", "bare", "keyed", "awaited"), {200, 206, 408, 422, 429, 503}),
    "durable": {200, 202, 206, 408, 422, 429, 503},
    "broken": {408, 422, 429, 503},
    # A picture that kills each worker that it meets.
    "poison": {408, 422, 429, 503},
    "fetch": {200, 202, 206, 408, 422, 429, 503},
}
QUARANTINED = "quarantined"
CANCELLED = "cancelled"
HANDED_AT_MOST = 2


@dataclass
class Report:
    violations: list[str] = field(default_factory=list)
    submissions: Counter = field(default_factory=Counter)
    statuses: Counter = field(default_factory=Counter)
    jobs: int = 0
    lost_with_connections: int = 0
    acknowledged: int = 0
    found: int = 0
    second_tries: int = 0
    # Answers: of pictures that kill, and of others.
    convicted: int = 0
    quarantined: int = 0


def check(histories: Iterable[Iterable[history.Event]], handed: dict[tuple[int, str], Counter], hands: Hands) -> Report:
    """Both for each life of the router and each model: how often each job was seen on its way to a worker, and the
    workers' connections. Without any of these nobody may be quarantined.
    """
    report = Report()
    acknowledged: set[int] = set()
    found: set[int] = set()
    results_of_key: dict[int, set[int]] = defaultdict(set)
    sendings: Counter = Counter()
    for number, events in enumerate(histories):
        _check_one(number, events, report, acknowledged, found, results_of_key, sendings, hands)
    report.jobs = len(sendings)
    report.acknowledged, report.found = len(acknowledged), len(acknowledged & found)
    for job in sorted(acknowledged - found):
        report.violations.append(f"job {job} was acknowledged and its result was never found")
    for job, fingerprints in results_of_key.items():
        if len(fingerprints) > 1:
            report.violations.append(f"job {job} has one key and {len(fingerprints)} results")
    for (life, model), jobs in handed.items():
        for job, times in jobs.items():
            if times > HANDED_AT_MOST * max(1, sendings[job]):
                report.violations.append(f"job {job} was handed {times} times to {model} in life {life} of the router")
            report.second_tries += times > 1
    return report


def _check_one(number, events, report, acknowledged, found, results_of_key, sendings, hands) -> None:
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
                job, kind = jobs.get(event.submission, (None, None))
                if job is None:
                    violation(f"an answer to submission {event.submission}, which was never sent")
                    continue
                if event.submission in answered:
                    violation(f"a second answer to submission {event.submission} of job {job}")
                answered.add(event.submission)
                unanswered.discard(event.submission)
                excused.discard(event.submission)
                report.statuses[event.status] += 1
                if event.code == QUARANTINED:
                    report.convicted += kind == "poison"
                    report.quarantined += kind != "poison"
                for text in _faults(job, kind, event, hands):
                    violation(f"job {job} ({kind}): {text}")
                if kind == "durable" and event.status == 202:
                    acknowledged.add(job)
                if kind == "fetch" and history.is_result(event) or kind == "durable" and event.status in VERDICTS:
                    found.add(job)
                if kind in ("durable", "awaited", "fetch") and event.status in KEPT:
                    results_of_key[job].add(event.fingerprint)
    # A killed client's requests go with it.
    report.lost_with_connections += len(excused if has_ended else unanswered)
    if has_ended:
        for submission in sorted(unanswered - excused):
            violation(f"job {jobs[submission][0]} ({jobs[submission][1]}): submission {submission} was never answered")


def _faults(job: int, kind: str, answer: history.Answered, hands: Hands) -> Iterable[str]:
    if answer.status not in ALLOWED[kind]:
        yield f"the answer is {answer.status} {answer.code}"
        return
    if answer.status == 422 and kind != "broken" and answer.code != QUARANTINED:
        yield f"a good picture is called {answer.code}"
    if answer.code == QUARANTINED and not any(has_two_deaths(job, answer.second, some) for some in hands.values()):
        yield "it is quarantined, and no two workers of a model died with it in hand"
    if answer.code == CANCELLED:
        yield "it is cancelled, and nobody asked for that"
    if answer.attempts > HANDED_AT_MOST:
        yield f"{answer.attempts} attempts"
    if answer.status in VERDICTS:
        if (answer.status == 200) != (answer.models == pictures.MODELS):
            yield f"the answer is {answer.status} with the scores of {answer.models}"
        elif abs(answer.probability - pictures.probability(job, answer.models)) > TOLERANCE:
            yield f"the probability is {answer.probability}, not {pictures.probability(job, answer.models):.4f}"
        if answer.sha256 != pictures.digest(job):
            yield f"the result is of the picture {answer.sha256}"
