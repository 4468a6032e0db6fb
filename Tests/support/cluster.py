"""Real routers, workers and gateways as child processes, on free loopback ports."""

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
# The published models that clusters use: the locator, which its manifest declares to be one, and the networks.
PUBLISHED = ("locator", "resnet", "inception")
# The status, the header fields and the body.
Answer = tuple[int, list[tuple[str, str]], bytes]


class Cluster:
    """A router and its workers. A worker may connect through another port, from a host of its own.

    Args:
        folder: Where logs and compiled models are kept.
        models: The folder of the models.
        router_options: Further options of the router.
        binaries: The folder of the executables; by default, that of the release build.
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
        """Adds a worker and returns it. It is not started yet.

        Args:
            model: The name of the model's folder. The model decides whether the worker is a locator.
            name: The worker's name.
            router: HOST:PORT of the router; by default, the router's own port on loopback.
            options: Further options of the worker.
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
        """Adds `count` workers of each model, named after the model and numbered from 0."""
        for model in models:
            for number in range(count):
                self.add_worker(model, f"{model}-{number}", None, *options)

    def start(self) -> None:
        """Starts every process that does not run."""
        for process in (self.router, *self.workers.values()):
            process.start()

    def wait_until_served(self, workers: int) -> None:
        """Waits until there are `workers` locators and `workers` workers of every model."""
        with Client(self.endpoint) as client:

            def is_served() -> bool:
                report = client.ask({"verb": "models"})
                return report is not None and min(served(report).values()) >= workers

            wait_for(is_served, f"{workers} workers of the locator and of each model; see {self.folder}", PATIENCE)

    def end(self) -> dict[str, int | None]:
        """Ends all processes, the router last, and returns the exit status of each."""
        return {process.name: process.end() for process in (*self.workers.values(), self.router)}


def served(report: Document) -> dict[str, int]:
    """Returns the number of locators, and of workers of each model, from an answer to the verb `models`."""
    return {entry["name"]: entry["workers"] for entry in (report["locator"], *report["models"])}


class GatewayCluster(Cluster):
    """Models with one worker each, behind a gateway at a free port. Entering it waits until it is ready.

    Args:
        router: Further options of the router.
        gateway: Further options of the gateway.
        models: The folder of the models. Of the published ones, the ensemble is served without its evidence.
        workers: The models that get a worker.
        binaries: The folder of the executables; by default, that of the release build.
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
        folder = Path(self._temporary.name)
        if models == MODELS:
            # Only tests that are about evidence need workers for it.
            ensemble = json.loads((models / "ensemble.json").read_text())
            del ensemble["evidence"]
            (folder / "ensemble.json").write_text(json.dumps(ensemble))
            router = (*router, f"--ensemble={folder / 'ensemble.json'}")
        super().__init__(folder, models, *router, binaries=binaries)
        # Without a cache folder of its own, a worker finds models in the place where all programs keep compiled ones.
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
        """Waits until the gateway reports that all models are served."""

        def is_ready() -> bool:
            for process in (self.gateway, self.router, *self.workers.values()):
                self._alive(process)
            return self.ask("GET", "/readyz")[0] == 200

        # The first start has to compile the models.
        wait_for(is_ready, "a cluster that is ready", 1.5 * PATIENCE)

    def ask(self, method: str, path: str, fields: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """Sends the gateway a request on a new connection and returns its answer."""
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
        """Sends the gateway a JPEG and returns the status of its answer."""
        return self.ask("POST", "/v1/classify", {"Content-Type": "image/jpeg"}, image)[0]

    def status(self) -> Document:
        """Returns the router's status report, as the gateway gives it."""
        document: Document = json.loads(self.ask("GET", "/v1/status")[2])
        return document
