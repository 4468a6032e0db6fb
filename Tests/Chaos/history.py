"""What a client did and saw, as lines in a file. Each is written before the client continues, so a kill loses nothing.

    S  submission  job  kind  second                       sent
    R  submission  status  code  message  probability  models  locator  sha256  attempts  fingerprint  second   answered
    X  second                                              connection lost: answers to jobs in flight may be lost
    E  second                                              ended by itself

Fields are separated by tabs, and empty where they do not apply. Each submission has its own number; a job that is sent
again keeps its job number. `models` are the models that gave a score. `locator` is the result's entry of the locator
that cut the image, as JSON. `fingerprint` differs between two computations of the same job.
"""

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.client import Document


@dataclass(slots=True)
class Sent:
    submission: int
    job: int
    kind: str
    second: float


@dataclass(slots=True)
class Answered:
    submission: int
    status: int
    code: str
    message: str
    probability: float | None
    models: tuple[str, ...]
    locator: Document | None
    sha256: str
    attempts: int
    fingerprint: int
    second: float


@dataclass(slots=True)
class Lost:
    second: float


@dataclass(slots=True)
class Ended:
    second: float


Event = Sent | Answered | Lost | Ended


def answered(submission: int, result: bytes, second: float) -> Answered:
    """Returns the record of a result document."""
    document = json.loads(result)
    models, locator, error = (document.get(name) for name in ("models", "locator", "error"))
    scored = tuple(model["name"] for model in models or [] if model["status"] == 200)
    error = error or {}
    return Answered(
        submission,
        document["status"],
        error.get("code", ""),
        " ".join(error.get("message", "").split()),
        document.get("verdict", {}).get("ai_probability"),
        scored,
        locator,
        document.get("image", {}).get("sha256", ""),
        document.get("attempts", 0),
        zlib.crc32(json.dumps([models, locator], sort_keys=True).encode()),
        second,
    )


# The error codes of a fetch while the job has no result, or none that can be read.
_NOT_YET = {"journal_unavailable", "draining", "queue_full", "client_queue_full"}


def is_result(answer: Answered) -> bool:
    """Returns whether the answer to a fetch is the job's result, which may be a failure."""
    return answer.status not in (202, 404) and answer.code not in _NOT_YET


class Writer:
    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, event: Event) -> None:
        fields: tuple[object, ...]
        match event:
            case Sent():
                fields = ("S", event.submission, event.job, event.kind, f"{event.second:.4f}")
            case Answered():
                probability = "" if event.probability is None else event.probability
                locator = "" if event.locator is None else json.dumps(event.locator)
                fields = (
                    "R",
                    event.submission,
                    event.status,
                    event.code,
                    event.message,
                    probability,
                    ",".join(event.models),
                    locator,
                    event.sha256,
                    event.attempts,
                    event.fingerprint,
                    f"{event.second:.4f}",
                )
            case Lost():
                fields = ("X", f"{event.second:.4f}")
            case Ended():
                fields = ("E", f"{event.second:.4f}")
        os.write(self._file, ("\t".join(map(str, fields)) + "\n").encode())


def read(path: Path) -> Iterator[Event]:
    with path.open() as lines:
        for line in lines:
            # A client was killed while it wrote its last line.
            if not line.endswith("\n"):
                return
            match line.rstrip("\n").split("\t"):
                case ["S", submission, job, kind, second]:
                    yield Sent(int(submission), int(job), kind, float(second))
                case [
                    "R",
                    submission,
                    status,
                    code,
                    message,
                    probability,
                    models,
                    locator,
                    sha256,
                    attempts,
                    fingerprint,
                    second,
                ]:
                    yield Answered(
                        int(submission),
                        int(status),
                        code,
                        message,
                        float(probability) if probability else None,
                        tuple(models.split(",")) if models else (),
                        json.loads(locator) if locator else None,
                        sha256,
                        int(attempts),
                        int(fingerprint),
                        float(second),
                    )
                case ["X", second]:
                    yield Lost(float(second))
                case ["E", second]:
                    yield Ended(float(second))
                case _:
                    raise ValueError(f"{path}: not a line of a history: {line!r}")
