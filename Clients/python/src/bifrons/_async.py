"""The client for asyncio."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol, Self

from bifrons._errors import BifronsError, NoAnswer, RequestFailed
from bifrons._http import HTTPTransport
from bifrons._images import Image, encoded
from bifrons._options import Options
from bifrons._results import Result
from bifrons._zeromq import ZeroMQTransport

# The seconds that a call may take, from the first attempt to the last answer.
DEADLINE = 30.0
# The seconds that an answer may come later than the budget of its job, for the network.
GRACE = 1.0
# The seconds before the second attempt if the refusal names no time. They double with each further attempt.
PAUSE = 0.25
# The codes of refusals with 503 that pass by themselves.
PASSING = frozenset(
    {"worker_lost", "inference_failed", "answer_malformed", "draining", "journal_unavailable", "no_worker", "no_router"}
)


class Transport(Protocol):
    """How requests get to the service."""

    async def ask(self, header: dict[str, Any], body: bytes | None, timeout: float) -> dict[str, Any]:
        """Sends one request and returns its answer."""

    async def close(self) -> None:
        """Ends all requests."""


class AsyncClient:
    """A client for asyncio, to be used within one event loop, as a context manager.

    Args:
        address: A router's client endpoint (`tcp://127.0.0.1:5555`, `ipc:///run/bifrons`), a gateway's URL
            (`http://127.0.0.1:5000`), or a list of several of one kind.
        keys: Over ZeroMQ: a folder of `bifrons keygen` with `router.public` and a secret.
        token: Over HTTP: the gateway's token.
        deadline: The seconds that a call may take, with all its attempts.
        options: The options of all jobs, which those of a call override.

    Raises:
        BifronsError: If the address is of neither kind, or if the keys cannot be read.
    """

    def __init__(
        self,
        address: str | list[str] = "tcp://127.0.0.1:5555",
        *,
        keys: str | os.PathLike[str] | None = None,
        token: str | None = None,
        deadline: float = DEADLINE,
        options: Options | None = None,
    ) -> None:
        addresses = [address] if isinstance(address, str) else list(address)
        schemes = {each.split("://")[0] for each in addresses}
        self._transport: Transport
        if addresses and schemes <= {"tcp", "ipc"}:
            self._transport = ZeroMQTransport(addresses, keys)
        elif addresses and schemes <= {"http", "https"}:
            if keys is not None:
                raise BifronsError("keys are for ZeroMQ; give a token for HTTP")
            self._transport = HTTPTransport(addresses, token)
        else:
            raise BifronsError(
                f"{address!r} is no address: give tcp:// or ipc:// for routers, or http:// or https:// for gateways"
            )
        if token is not None and isinstance(self._transport, ZeroMQTransport):
            raise BifronsError("a token is for HTTP; give a folder of keys for ZeroMQ")
        self._deadline = deadline
        self._options = options or Options()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends all calls, and closes the connections. Jobs that are not durable are cancelled."""
        await self._transport.close()

    # Images

    async def classify(self, image: Image, *, deadline: float | None = None, **options: Any) -> Result:
        """Classifies an image.

        The service's refusals that pass (429, and some 503) are obeyed: the request is sent again, after the time that
        the refusal names and under the id that it gives, until the deadline.

        Args:
            image: The bytes of an image file, its path, an open binary file, a Pillow image or a NumPy array.
            deadline: The seconds that the call may take; by default the client's.
            **options: Fields of `Options`.

        Raises:
            RequestFailed: If there is no result for another reason, or at the deadline.
            NoAnswer: If no answer arrived by the deadline.
        """
        body = await asyncio.to_thread(encoded, image) if not isinstance(image, bytes) else image
        header = {"verb": "classify", **self._header(options)}
        return Result.of(await self._insist(header, body, deadline))

    async def submit(self, image: Image, *, deadline: float | None = None, **options: Any) -> str:
        """Submits a durable job, and returns its id as soon as it is on the service's disk.

        Raises:
            RequestFailed: If the service does not take it.
            NoAnswer: If no answer arrived by the deadline. With an `idempotency_key`, submit it again.
        """
        body = await asyncio.to_thread(encoded, image)
        header = {"verb": "classify", "durable": True, "wait": False, **self._header(options)}
        answer = await self._insist(header, body, deadline)
        if int(answer.get("status", 0)) >= 300:
            raise RequestFailed.of(answer)
        return str(answer["id"])

    async def fetch(self, id: str, *, deadline: float | None = None) -> Result:
        """Returns the result of a durable job; one that `is_pending` as long as there is none.

        Raises:
            RequestFailed: If the job is not known, or if it failed.
            NoAnswer: If no answer arrived by the deadline.
        """
        return Result.of(await self._insist({"verb": "fetch", "id": id}, None, deadline))

    async def cancel(self, id: str, *, deadline: float | None = None) -> None:
        """Cancels an unfinished job.

        Raises:
            RequestFailed: If there is no such job.
            NoAnswer: If no answer arrived by the deadline.
        """
        self._check(await self._insist({"verb": "cancel", "id": id}, None, deadline))

    async def classify_many(
        self,
        images: Iterable[Image] | AsyncIterable[Image],
        *,
        window: int = 32,
        ordered: bool = True,
        deadline: float | None = None,
        **options: Any,
    ) -> AsyncIterator[tuple[int, Result]]:
        """Classifies many images, with at most `window` of them in memory and in flight.

        Args:
            images: The images, taken one by one as there is room.
            window: The most images in flight.
            ordered: Whether the results come in the order of the images; else as they are ready.
            deadline: The seconds that each image may take, by default the client's.
            **options: Fields of `Options`, for all images.

        Yields:
            The image's number, from 0, and its result. An image without a result has one with its `error`.
        """
        if "id" in options or "idempotency_key" in options:
            raise ValueError("an id or an idempotency_key is of one image; use classify()")
        if window < 1:
            raise ValueError("window must be at least 1")

        async def one(number: int, image: Image) -> tuple[int, Result]:
            try:
                return number, await self.classify(image, deadline=deadline, **options)
            except (BifronsError, TypeError, ValueError) as error:
                return number, Result.failed(error)

        source = _numbered(images)
        tasks: list[asyncio.Task[tuple[int, Result]]] = []
        is_more = True
        try:
            while is_more or tasks:
                while is_more and len(tasks) < window:
                    entry = await anext(source, None)
                    is_more = entry is not None
                    if entry is not None:
                        tasks.append(asyncio.create_task(one(*entry)))
                if not tasks:
                    break
                if ordered:
                    # An image that is ready may wait for one before it, so it still counts towards the window.
                    yield await tasks[0]
                    del tasks[0]
                else:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    tasks = [task for task in tasks if task not in done]
                    for task in done:
                        yield task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # The service

    async def ping(self, *, deadline: float | None = None) -> None:
        """Checks that the service is there.

        Raises:
            NoAnswer: If no answer arrived by the deadline.
        """
        self._check(await self._insist({"verb": "ping"}, None, deadline))

    async def models(self, *, deadline: float | None = None) -> dict[str, Any]:
        """Returns the service's models and policies, as the service describes them."""
        return self._check(await self._insist({"verb": "models"}, None, deadline))

    async def status(self, *, deadline: float | None = None) -> dict[str, Any]:
        """Returns the router's state. With keys, only operators and gateways may ask for it."""
        return self._check(await self._insist({"verb": "status"}, None, deadline))

    async def ask(
        self, verb: str, body: bytes | None = None, *, deadline: float | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Sends any request of the protocol, and returns its answer. Over HTTP, only jobs and reports can be asked for.

        Args:
            verb: The verb.
            body: The frame behind the header.
            deadline: The seconds that the call may take.
            **fields: The header's fields.

        Raises:
            RequestFailed: If the answer is an error.
            NoAnswer: If no answer arrived by the deadline.
        """
        return self._check(await self._insist({"verb": verb, **fields}, body, deadline))

    # Attempts

    def _header(self, options: dict[str, Any]) -> dict[str, Any]:
        return replace(self._options, **options).header()

    @staticmethod
    def _check(answer: dict[str, Any]) -> dict[str, Any]:
        if int(answer.get("status", 0)) >= 300:
            raise RequestFailed.of(answer)
        return answer

    async def _insist(self, header: dict[str, Any], body: bytes | None, deadline: float | None) -> dict[str, Any]:
        """Sends a request until there is an answer that is final, or no time for another attempt."""
        header = dict(header)
        end = time.monotonic() + (self._deadline if deadline is None else deadline)
        budget = header.get("budget_ms", 5000)
        pause = PAUSE
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise NoAnswer("the deadline was over before the request could be sent")
            timeout = left
            if header["verb"] == "classify":
                header["budget_ms"] = max(1, min(budget, int(1000 * left)))
                timeout = min(left, header["budget_ms"] / 1000) + GRACE
            answer = await self._transport.ask(header, body, timeout)
            wait = self._wait(answer, pause)
            if wait is None or time.monotonic() + wait >= end:
                return answer
            if isinstance(answer.get("id"), str):
                header["id"] = answer["id"]
            await asyncio.sleep(wait)
            pause *= 2

    @staticmethod
    def _wait(answer: dict[str, Any], pause: float) -> float | None:
        """Returns the seconds after which the request is sent again; None if the answer is final."""
        status, code = answer.get("status"), (answer.get("error") or {}).get("code")
        if status != 429 and not (status == 503 and code in PASSING):
            return None
        stated = answer.get("retry_after_ms")
        if isinstance(stated, (int, float)) and stated >= 0:
            return float(stated) / 1000
        # Requests that were refused together must not return together.
        return pause * (1 + random.random() / 4)


async def _numbered(images: Iterable[Image] | AsyncIterable[Image]) -> AsyncIterator[tuple[int, Image]]:
    number = 0
    if isinstance(images, AsyncIterable):
        async for image in images:
            yield number, image
            number += 1
    else:
        for image in images:
            yield number, image
            number += 1
