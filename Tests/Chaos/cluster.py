"""Real routers and workers as child processes, on ports of loopback that were free."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import zmq

from hands import Life

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child that can be started again. What it prints is kept in a file."""

    def __init__(self, name: str, words: list[str], folder: Path):
        self.name, self.words = name, words
        self.log = folder / f"{name}.log"
        self.lives: list[Life] = []
        self._process: subprocess.Popen | None = None

    @property
    def starts(self) -> int:
        return len(self.lives)

    def start(self, words: list[str] | None = None) -> None:
        if self.is_running():
            return
        self.words = words or self.words
        life = Life(time.monotonic())
        self.lives.append(life)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        threading.Thread(target=self._watch, args=(self._process, life), daemon=True).start()

    @staticmethod
    def _watch(process: subprocess.Popen, life: Life) -> None:
        process.wait()
        life.end = min(life.end, time.monotonic())

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        if self.is_running():
            self._process.send_signal(number)

    def kill(self, killer: int | None = None) -> None:
        """`killer`: the job whose picture or crops do it, if it is one."""
        if self.is_running() and self.lives[-1].end > (now := time.monotonic()):
            # Before anybody can see it.
            self.lives[-1].end, self.lives[-1].killer = now, killer
            self._process.kill()

    def end(self) -> int | None:
        """Asks it to end. Returns as `wait`."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.wait(20.0)

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None if it did not end in time and was killed, or was never started."""
        if self._process is None:
            return None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None


class Cluster:
    """A router and its workers. Workers may be told to go through another port, on a host of their own."""

    def __init__(self, folder: Path, models: Path, *router_options: str, binaries: Path = ROOT / ".build/release"):
        self.folder, self.models, self._binaries = folder, models, binaries
        self.client_port, self.worker_port = free_port(), free_port()
        self.router = Process(
            "router",
            [
                str(binaries / "bifrons-router"),
                f"--models-folder={models}",
                f"--client-endpoint={self.endpoint}",
                f"--worker-endpoint=tcp://127.0.0.1:{self.worker_port}",
                f"--exit-with-parent={os.getpid()}",
                *router_options,
            ],
            folder,
        )
        self.workers: dict[str, Process] = {}

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.client_port}"

    def add_worker(self, model: str, name: str, router: str | None = None, *options: str) -> Process:
        """`model`: that of a folder, which says what it does. `router`: HOST:PORT, its own port on loopback if not given."""
        worker = Process(
            name,
            [
                str(self._binaries / "bifrons-worker"),
                f"--model={self.models / model}",
                f"--name={name}",
                f"--router=tcp://{router or f'127.0.0.1:{self.worker_port}'}",
                f"--cache-folder={self.folder / 'cache'}",
                f"--exit-with-parent={os.getpid()}",
                *options,
            ],
            self.folder,
        )
        self.workers[name] = worker
        return worker

    def start(self) -> None:
        for process in (self.router, *self.workers.values()):
            process.start()

    def wait_until_served(self, workers: int) -> None:
        """Waits until there are so many locators, and so many workers of every model."""
        with Asker(self.endpoint) as asker:
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                report = asker.ask({"verb": "models"})
                if report and min(served(report).values()) >= workers:
                    return
                time.sleep(0.05)
        raise SystemExit(f"the locator and the models are not served after {PATIENCE:.0f} s; see {self.folder}")

    def end(self) -> dict[str, int | None]:
        """The exit status of each, the router last."""
        return {process.name: process.end() for process in (*self.workers.values(), self.router)}


def served(report: dict) -> dict[str, int]:
    """How many locators there are, and workers of each model, by what the verb `models` is answered with."""
    return {entry["name"]: entry["workers"] for entry in (report["locator"], *report["models"])}


class Asker:
    """Asks one thing at a time."""

    def __init__(self, endpoint: str):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.connect(endpoint)
        self._number = 0

    def __enter__(self) -> "Asker":
        return self

    def __exit__(self, *_) -> None:
        self._context.destroy(0)

    def ask(self, header: dict, image: bytes | None = None, seconds: float = 10.0) -> dict | None:
        """The answer; None if none comes in time."""
        self._number += 1
        number = b"%d" % self._number
        parts = [] if image is None else [image]
        self._socket.send_multipart([number, b"", b"BIFRONS1", zmq.utils.jsonapi.dumps(header), *parts])
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._socket.poll(left * 1000):
            frames = self._socket.recv_multipart()
            if frames[0] == number:
                return zmq.utils.jsonapi.loads(frames[-1])
        return None
