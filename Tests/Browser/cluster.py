"""The real programs, on endpoints of their own in a temporary folder, for tests that look at them through a browser."""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("PROGRAMS", ROOT / ".build/release"))
# A first start compiles the models.
PATIENCE = 90


class Program:
    """A child process whose output is kept for whoever wants to know what went wrong."""

    def __init__(self, name: str, arguments: list[str], folder: Path, programs: Path = PROGRAMS):
        self.name = name
        self.log = folder / f"{name}.{time.monotonic_ns()}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [programs / name, *arguments], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)


class Cluster:
    """A router, a worker of each model, and a gateway at a free port."""

    def __init__(self, router: tuple[str, ...] = (), gateway: tuple[str, ...] = ()):
        self.folder = tempfile.TemporaryDirectory(prefix="bifrons-browser.")
        self.path = Path(self.folder.name)
        self.router_arguments = list(router)
        self.gateway_arguments = list(gateway)
        self.programs: list[Program] = []
        self.workers: dict[str, Program] = {}

    def __enter__(self) -> "Cluster":
        try:
            self.start_router()
            for model in ("locator", "resnet", "inception"):
                self.workers[model] = self.start(
                    "bifrons-worker", "--model", f"Models/{model}", "--router", f"ipc://{self.path}/workers"
                )
            self.gateway = self.start(
                "bifrons-gateway", "--router", f"ipc://{self.path}/clients", "--http-port", "0", *self.gateway_arguments
            )
            port = wait_for(lambda: re.search(r"127\.0\.0\.1:(\d+)", self.gateway.said()), "the gateway's address")[1]
            self.address = f"http://127.0.0.1:{port}"
            wait_for(self.is_ready, "a cluster that is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.stop()
        self.folder.cleanup()

    def start(self, name: str, *arguments: str) -> Program:
        program = Program(name, list(arguments), self.path)
        self.programs.append(program)
        return program

    def start_router(self):
        self.router = self.start(
            "bifrons-router",
            "--client-endpoint",
            f"ipc://{self.path}/clients",
            "--worker-endpoint",
            f"ipc://{self.path}/workers",
            *self.router_arguments,
        )

    def stop(self, program: Program):
        program.stop()
        self.programs.remove(program)

    def stop_router(self):
        self.stop(self.router)

    def stop_worker(self, model: str):
        self.stop(self.workers[model])

    def is_ready(self) -> bool:
        for program in self.programs:
            assert program.process.poll() is None, f"{program.name} ended: {program.said()}"
        try:
            return urllib.request.urlopen(f"{self.address}/readyz", timeout=5).status == 200
        except OSError:
            return False

    def status(self) -> dict:
        return json.load(urllib.request.urlopen(f"{self.address}/v1/status", timeout=5))


def wait_for(condition, what: str, patience: float = PATIENCE):
    """What `condition` gives as soon as that is anything; a failure that names `what` after `patience` seconds."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, f"no {what} within {patience} s"
        time.sleep(0.05)
    return found
