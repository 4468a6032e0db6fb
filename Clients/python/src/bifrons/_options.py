"""What a request may ask for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The fields of a request's header. None stands for the service's default.

    Attributes:
        id: The client's name for the job, 1 to 128 bytes; by default the service makes one.
        budget: The seconds that the service may take, 0.001 to 600; by default 5, and never more than what is left of
            the deadline.
        priority: 0 to 9; 9 goes first, and the default is 4.
        models: The models to ask; by default all of the ensemble.
        require: Whether the score of one model is enough (`any`, the default) or every model must give one (`all`).
        policy: The policy that turns the probability into an action.
        explain: Whether the result includes heat maps.
        idempotency_key: Jobs with the same key and the same image are computed once.
        subject: The type and the id of the person or thing whose image it is; an erasure names the same.
        metadata: A JSON object of at most 4096 bytes that comes back in the result.
        owner: The client for which a gateway asks; only over ZeroMQ.
    """

    id: str | None = None
    budget: float | None = None
    priority: int | None = None
    models: Sequence[str] | None = None
    require: Literal["any", "all"] | None = None
    policy: str | None = None
    explain: bool | None = None
    idempotency_key: str | None = None
    subject: tuple[str, str] | None = None
    metadata: Mapping[str, Any] | None = None
    owner: str | None = None

    def header(self) -> dict[str, Any]:
        """Returns the header's fields, without those that have their default.

        >>> Options(budget=2, subject=("user", "4711")).header()
        {'budget_ms': 2000, 'subject': {'type': 'user', 'id': '4711'}}
        """
        header: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            match field.name:
                case "budget":
                    header["budget_ms"] = max(1, min(600_000, round(value * 1000)))
                case "subject":
                    header["subject"] = {"type": value[0], "id": value[1]}
                case "models":
                    header["models"] = list(value)
                case _:
                    header[field.name] = value
        return header


def query(header: Mapping[str, Any]) -> dict[str, str]:
    """Returns a header's fields as the gateway takes them in a query.

    >>> query({"models": ["resnet", "inception"], "explain": True, "metadata": {"a": 1}})
    {'models': 'resnet,inception', 'explain': 'true', 'metadata': '{"a": 1}'}
    """

    def text(value: Any) -> str:
        match value:
            case bool():
                return "true" if value else "false"
            case dict():
                return json.dumps(value)
            case list():
                return ",".join(value)
            case _:
                return str(value)

    return {name: text(value) for name, value in header.items() if name not in ("verb", "durable", "wait")}
