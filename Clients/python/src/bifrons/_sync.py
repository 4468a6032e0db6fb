"""The client for threads."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from bifrons._async import DEADLINE, AsyncClient
from bifrons._errors import BifronsError
from bifrons._images import Image
from bifrons._options import Options
from bifrons._results import Result

P = ParamSpec("P")
T = TypeVar("T")


class Client:
    """A client for threads, as a context manager. Any number of threads may use one client at the same time.

    An event loop on a thread of the client's own does the work. It has the arguments and the methods of `AsyncClient`.

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
        self._client = AsyncClient(address, keys=keys, token=token, deadline=deadline, options=options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bifrons", daemon=True)
        self._thread.start()
        # A client that is forgotten without being closed leaves no thread.
        self._finalizer = weakref.finalize(self, _end, self._client, self._loop, self._thread)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all calls, and closes the connections. Jobs that are not durable are cancelled."""
        self._finalizer()

    def _run(self, function: Callable[P, Coroutine[Any, Any, T]], *arguments: P.args, **options: P.kwargs) -> T:
        if not self._finalizer.alive:
            raise BifronsError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(function(*arguments, **options), self._loop)
        try:
            # The coroutine has a deadline of its own.
            return future.result()
        except BaseException:
            future.cancel()
            raise

    # Images

    def classify(self, image: Image, *, deadline: float | None = None, **options: Any) -> Result:
        """Classifies an image, as `AsyncClient.classify` does."""
        return self._run(self._client.classify, image, deadline=deadline, **options)

    def submit(self, image: Image, *, deadline: float | None = None, **options: Any) -> str:
        """Submits a durable job, as `AsyncClient.submit` does, and returns its id."""
        return self._run(self._client.submit, image, deadline=deadline, **options)

    def fetch(self, id: str, *, deadline: float | None = None) -> Result:
        """Returns the result of a durable job, as `AsyncClient.fetch` does."""
        return self._run(self._client.fetch, id, deadline=deadline)

    def cancel(self, id: str, *, deadline: float | None = None) -> None:
        """Cancels an unfinished job, as `AsyncClient.cancel` does."""
        self._run(self._client.cancel, id, deadline=deadline)

    def classify_many(
        self,
        images: Iterable[Image],
        *,
        window: int = 32,
        ordered: bool = True,
        deadline: float | None = None,
        **options: Any,
    ) -> Iterator[tuple[int, Result]]:
        """Classifies many images, as `AsyncClient.classify_many` does.

        The images are taken on a thread of the client's.

        Yields:
            The image's number, from 0, and its result. An image without a result has one with its `error`.
        """
        results = self._client.classify_many(images, window=window, ordered=ordered, deadline=deadline, **options)

        async def step() -> tuple[int, Result] | None:
            return await anext(results, None)

        async def leave() -> None:
            await results.aclose()  # type: ignore[attr-defined]

        try:
            while (entry := self._run(step)) is not None:
                yield entry
        finally:
            if self._finalizer.alive:
                self._run(leave)

    # The service

    def ping(self, *, deadline: float | None = None) -> None:
        """Checks that the service is there."""
        self._run(self._client.ping, deadline=deadline)

    def models(self, *, deadline: float | None = None) -> dict[str, Any]:
        """Returns the service's models and policies, as the service describes them."""
        return self._run(self._client.models, deadline=deadline)

    def status(self, *, deadline: float | None = None) -> dict[str, Any]:
        """Returns the router's state. With keys, only operators and gateways may ask for it."""
        return self._run(self._client.status, deadline=deadline)

    def ask(
        self, verb: str, body: bytes | None = None, *, deadline: float | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Sends any request of the protocol, as `AsyncClient.ask` does, and returns its answer."""
        return self._run(self._client.ask, verb, body, deadline=deadline, **fields)


def _end(client: AsyncClient, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if loop.is_running():
        try:
            asyncio.run_coroutine_threadsafe(client.close(), loop).result(timeout=5)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            if thread is not threading.current_thread():
                thread.join(timeout=5)
    if not loop.is_running():
        loop.close()
