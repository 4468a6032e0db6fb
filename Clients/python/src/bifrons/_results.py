"""What the service answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bifrons._errors import RequestFailed


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a model, or evidence, is missing.

    Attributes:
        code: The error's code for programs.
        message: One sentence for people.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the service makes of an image.

    Attributes:
        label: Which of the two is more likely, or `no_face`.
        ai_probability: The calibrated probability, from 0 to 1, that the most suspicious face is AI-generated; None
            without a face.
        action: What the policy does with the image.
        reasons: The clauses of the policy that changed the action.
        policy: The policy's name.
        policy_version: The number of its version; None from services of earlier releases.
    """

    label: Literal["real", "ai_generated", "no_face"]
    ai_probability: float | None
    action: Literal["allow", "review", "block"]
    reasons: tuple[str, ...]
    policy: str
    policy_version: int | None


@dataclass(frozen=True, slots=True)
class Face:
    """One face.

    Attributes:
        box: The bounding box in pixels of the upright image: left, top, width, height.
        ai_probability: The merged probability, from 0 to 1.
        models: Each model's probability, by the model's name.
        turned: The degrees clockwise by which the face is turned; None if it is upright.
        maps: Each model's heat map, by the model's name, as the service sends it; empty unless asked for.
    """

    box: tuple[int, int, int, int]
    ai_probability: float
    models: Mapping[str, float]
    turned: float | None
    maps: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelScore:
    """What one model said about the image.

    Attributes:
        name: The model's name.
        status: 200 with a score.
        ai_probability: The probability of the face that decided; None without a score.
        version: The version of the weights; None without a score.
        digest: The SHA-256 of the weights; None without a score.
        failure: Why there is no score; None with one.
    """

    name: str
    status: int
    ai_probability: float | None
    version: str | None
    digest: str | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the service found out about the file.

    Attributes:
        format: The format, such as `jpeg`.
        width: The width of the upright image in pixels.
        height: The height of the upright image in pixels.
        sha256: The SHA-256 of the file in hexadecimal digits.
        animated: Whether it is an animation, of which only the first frame was looked at.
    """

    format: str
    width: int
    height: int
    sha256: str
    animated: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """One kind of evidence beside the networks.

    Attributes:
        kind: `provenance`, `known` or a kind of a later release.
        status: 200 if it was found.
        failure: Why it is missing; None if it was found.
        raw: The whole entry.
    """

    kind: str
    status: int
    failure: Failure | None
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """The service's answer about one image.

    Attributes:
        id: The job's id.
        status: 200, 206 if some of the requested models gave no score, or 202 if a durable job has no result yet.
        verdict: The verdict; None with 202, and for evidence alone.
        faces: The faces, the largest first; None if no model looks for faces.
        faces_found: The number of faces found, which may be more than those scored.
        models: What each requested model said.
        evidence: What was found beside the networks.
        image: What was found out about the file; None with 202, and for evidence alone.
        decision: The decision's id in the ledger; None if the service keeps none.
        degraded: Whether a requested model gave no score.
        total_ms: The milliseconds that the service took.
        metadata: The request's metadata.
        error: Why a list has no result for this image; None otherwise. Only `classify_many` gives such results.
        raw: The whole answer, a JSON object: it also has the fields of later releases.
    """

    id: str | None
    status: int
    verdict: Verdict | None
    faces: tuple[Face, ...] | None
    faces_found: int | None
    models: tuple[ModelScore, ...]
    evidence: tuple[Evidence, ...]
    image: ImageFacts | None
    decision: str | None
    degraded: bool
    total_ms: float
    metadata: Mapping[str, Any] | None
    error: Exception | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_pending(self) -> bool:
        """Whether a durable job has no result yet."""
        return self.status == 202

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Result":
        """Returns the result that an answer stands for.

        >>> Result.of({"id": "a", "status": 202}).is_pending
        True

        Raises:
            RequestFailed: If the status is 300 or more, or if the answer cannot be read.
        """
        try:
            if int(answer["status"]) >= 300:
                raise RequestFailed.of(dict(answer))
            return cls(
                id=answer.get("id"),
                status=int(answer["status"]),
                verdict=_verdict(answer.get("verdict")),
                faces=tuple(map(_face, answer["faces"])) if "faces" in answer else None,
                faces_found=answer.get("faces_found"),
                models=tuple(map(_model, answer.get("models", ()))),
                evidence=tuple(map(_evidence, answer.get("evidence", ()))),
                image=_image(answer.get("image")),
                decision=answer.get("decision"),
                degraded=bool(answer.get("degraded", False)),
                total_ms=float(answer.get("total_ms", 0)),
                metadata=answer.get("metadata"),
                raw=answer,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RequestFailed(
                502, "malformed_answer", f"the answer cannot be read: {error!r}", dict(answer)
            ) from error

    @classmethod
    def failed(cls, error: Exception) -> "Result":
        """Returns what stands in a list for an image without a result."""
        status, raw = (error.status, error.raw) if isinstance(error, RequestFailed) else (0, {})
        id = error.id if isinstance(error, RequestFailed) else None
        return cls(id, status, None, None, None, (), (), None, None, False, 0, None, error, raw)


def _failure(entry: Mapping[str, Any]) -> Failure | None:
    error = entry.get("error")
    return Failure(error["code"], error["message"]) if error else None


def _verdict(entry: Mapping[str, Any] | None) -> Verdict | None:
    if entry is None:
        return None
    return Verdict(
        label=entry["label"],
        ai_probability=entry.get("ai_probability"),
        action=entry["action"],
        reasons=tuple(entry.get("reasons", ())),
        policy=entry["policy"],
        policy_version=entry.get("policy_version"),
    )


def _face(entry: Mapping[str, Any]) -> Face:
    left, top, width, height = entry["box"]
    return Face(
        box=(left, top, width, height),
        ai_probability=entry["ai_probability"],
        models=entry["models"],
        turned=entry.get("turned"),
        maps=entry.get("maps", {}),
    )


def _model(entry: Mapping[str, Any]) -> ModelScore:
    return ModelScore(
        name=entry["name"],
        status=entry["status"],
        ai_probability=entry.get("ai_probability"),
        version=entry.get("version"),
        digest=entry.get("digest"),
        failure=_failure(entry),
    )


def _evidence(entry: Mapping[str, Any]) -> Evidence:
    return Evidence(kind=entry["kind"], status=entry["status"], failure=_failure(entry), raw=entry)


def _image(entry: Mapping[str, Any] | None) -> ImageFacts | None:
    if entry is None:
        return None
    return ImageFacts(
        format=entry["format"],
        width=entry["width"],
        height=entry["height"],
        sha256=entry["sha256"],
        animated=bool(entry.get("animated", False)),
    )
