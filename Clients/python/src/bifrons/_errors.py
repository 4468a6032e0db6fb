"""What can go wrong."""

from typing import Any


class BifronsError(Exception):
    """The base of all errors of this package."""


class NoAnswer(BifronsError, TimeoutError):
    """No answer arrived before the deadline: the service or the network may be gone.

    The request may have been computed all the same.
    """


class RequestFailed(BifronsError):
    """The service answered with an error.

    Attributes:
        status: The status, with the meaning that it has in HTTP; 0 if the image could not be read.
        code: The error's code for programs, such as `image_corrupt`.
        message: One sentence for people.
        retry_after: The seconds after which the request may be sent again; None if the answer names no time.
        id: The id of the job; None without one.
        raw: The whole answer, a JSON object.
    """

    def __init__(self, status: int, code: str, message: str, raw: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.raw = raw or {}
        milliseconds = self.raw.get("retry_after_ms")
        self.retry_after = milliseconds / 1000 if isinstance(milliseconds, (int, float)) else None
        id = self.raw.get("id")
        self.id = id if isinstance(id, str) else None

    def __reduce__(self) -> tuple[type["RequestFailed"], tuple[int, str, str, dict[str, Any]]]:
        return RequestFailed, (self.status, self.code, self.message, self.raw)

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == 429 or self.status == 503

    @classmethod
    def of(cls, answer: dict[str, Any]) -> "RequestFailed":
        """Returns the error that an answer with a status of 300 or more stands for."""
        error = answer.get("error") or {}
        return cls(
            int(answer.get("status", 0)),
            str(error.get("code") or answer.get("code") or "failed"),
            str(error.get("message") or answer.get("detail") or "the service gives no reason"),
            answer,
        )
