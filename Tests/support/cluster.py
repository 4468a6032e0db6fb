"""Real routers, workers and gateways as child processes, on ports of loopback that were free."""

import http.client
import json
import os
import re
import socket
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from support.client import Client, Document
from support.processes import Process, free_port
from support.programs import MODELS, built
from support.waiting import wait_for

PATIENCE = 60.0
# Of those that are published: a locator, which says so in its manifest, and networks.
PUBLISHED = ("locator", "resnet", "inception")
# Status, fields and body.
Answer = tuple[int, list[tuple[str, str]], bytes]


class Cluster:
    """A router and its workers, which may be told to go through another port, on a host of their own.

    Args:
        folder: where logs and compiled models are kept.
        models: the folder of the models.
        router_options: what else the router is told.
        binaries: the folder of the executables; the release build's if not given.
    """

    def __init__(self, folder: Path, models: Path = MODELS, *router_options: str, binaries: Path | None = None) -> None:
        self.folder, self.models, self._binaries = folder, models, binaries or built()
        self.client_port, self.worker_port = free_port(), free_port()
        self.endpoint, self.worker_endpoint = (
            f"tcp://127.0.0.1:{port}" for port in (self.client_port, self.worker_port)
        )
        self.router = self._program(
            "router",
            f"--models-folder={models}",
            f"--client-endpoint={self.endpoint}",
            f"--worker-endpoint={self.worker_endpoint}",
            *router_options,
        )
        self.workers: dict[str, Process] = {}
        self.worker_options = [f"--cache-folder={folder / 'cache'}"]

    def _program(self, kind: str, *options: str, name: str | None = None) -> Process:
        parent = f"--exit-with-parent={os.getpid()}"
        return Process(name or kind, [self._binaries / f"bifrons-{kind}", *options, parent], self.folder)

    def add_worker(self, model: str, name: str, router: str | None = None, *options: str) -> Process:
        """A worker that is not started yet.

        Args:
            model: that of a folder, which says what it does.
            name: the worker's.
            router: HOST:PORT, the router's own port on loopback if not given.
            options: what else it is told.
        """
        endpoint = f"tcp://{router}" if router else self.worker_endpoint
        self.workers[name] = self._program(
            "worker",
            f"--model={self.models / model}",
            f"--name={name}",
            f"--router={endpoint}",
            *self.worker_options,
            *options,
            name=name,
        )
        return self.workers[name]

    def add_workers(self, models: Iterable[str], count: int, *options: str) -> None:
        """So many workers of each model, named after it and numbered from 0."""
        for model in models:
            for number in range(count):
                self.add_worker(model, f"{model}-{number}", None, *options)

    def start(self) -> None:
        """Starts whatever does not run."""
        for process in (self.router, *self.workers.values()):
            process.start()

    def wait_until_served(self, workers: int) -> None:
        """Waits until there are so many locators, and so many workers of every model."""
        with Client(self.endpoint) as client:

            def is_served() -> bool:
                report = client.ask({"verb": "models"})
                return report is not None and min(served(report).values()) >= workers

            wait_for(is_served, f"{workers} workers of the locator and of each model; see {self.folder}", PATIENCE)

    def end(self) -> dict[str, int | None]:
        """Ends all; the exit status of each, the router last."""
        return {process.name: process.end() for process in (*self.workers.values(), self.router)}


def served(report: Document) -> dict[str, int]:
    """How many locators there are, and workers of each model, by what the verb `models` is answered with."""
    return {entry["name"]: entry["workers"] for entry in (report["locator"], *report["models"])}


class GatewayCluster(Cluster):
    """Models with a worker each, behind a gateway at a free port. When it is entered it is ready.

    Args:
        router: what else the router is told.
        gateway: what else the gateway is told.
        models: the folder of the models.
        workers: the models that get a worker.
        binaries: the folder of the executables; the release build's if not given.
    """

    def __init__(
        self,
        router: Sequence[str] = (),
        gateway: Sequence[str] = (),
        models: Path = MODELS,
        workers: Sequence[str] = PUBLISHED,
        binaries: Path | None = None,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="bifrons-cluster.")
        super().__init__(Path(self._temporary.name), models, *router, binaries=binaries)
        # They are compiled once and then found where all programs look.
        self.worker_options = []
        self.gateway = self._program("gateway", f"--router={self.endpoint}", "--http-port=0", *gateway)
        self.address = ""
        for model in workers:
            self.add_worker(model, model)

    def __enter__(self) -> Self:
        try:
            self.start()
            self.gateway.start()
            self.address = wait_for(
                lambda: re.search(r"http://127\.0\.0\.1:\d+", self._alive(self.gateway).said()),
                "the gateway's address",
                PATIENCE,
            )[0]
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.gateway.end()
        self.end()
        self._temporary.cleanup()

    def _alive(self, process: Process) -> Process:
        assert process.is_running(), f"{process.name} ended: {process.said()}"
        return process

    def wait_until_ready(self) -> None:
        """Waits until the gateway says that all models are served."""

        def is_ready() -> bool:
            for process in (self.gateway, self.router, *self.workers.values()):
                self._alive(process)
            return self.ask("GET", "/readyz")[0] == 200

        # A first start compiles the models.
        wait_for(is_ready, "a cluster that is ready", 1.5 * PATIENCE)

    def ask(self, method: str, path: str, fields: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """What the gateway answers to a request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=30)
        try:
            connection.connect()
            # Head and body leave in one packet. Otherwise a refusal of the head may go out before the body has arrived,
            # and then says that the connection ends.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            connection.request(method, path, body, dict(fields or {}))
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def classify(self, image: bytes) -> int:
        """Sends the gateway a JPEG; the status of its answer."""
        return self.ask("POST", "/v1/classify", {"Content-Type": "image/jpeg"}, image)[0]

    def status(self) -> Document:
        """What the gateway says of the router."""
        document: Document = json.loads(self.ask("GET", "/v1/status")[2])
        return document
