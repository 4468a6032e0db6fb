"""The compared systems: how each is started on free ports, and the interfaces at which it accepts images."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loads import HTTPInterface, LoadError, ZeroMQInterface
from scenes import Scene
from support.processes import Process, free_port
from support.programs import MODELS, ROOT

FOLDER = Path(__file__).resolve().parent
# Seconds from a start to the first answer: OpenVINO compiles the networks, TensorFlow is imported.
PATIENCE = 60.0
QUIET_PATIENCE = 60.0
# Seconds between two readings of the processes' CPU time.
GLANCE = 0.5
TICKS = os.sysconf("SC_CLK_TCK")
Interface = HTTPInterface | ZeroMQInterface
EVERY_FACE, CENTRE, WHOLE = "every face", "the centre", "all of it, shrunk"


@dataclass(frozen=True)
class System:
    """A compared system as the tables show it. All of its `interfaces` are served by the same processes."""

    name: str
    title: str
    looks_at: str
    interfaces: tuple[str, ...]
    precision: str = "f32"

    @property
    def finds_faces(self) -> bool:
        return self.looks_at == EVERY_FACE


def known(precisions: list[str]) -> list[System]:
    """Returns all systems; Bifrons appears once for each precision."""
    bifrons = [
        System(f"bifrons-{precision}", f"Bifrons, {precision}", EVERY_FACE, ("ZeroMQ", "HTTP"), precision)
        for precision in precisions
    ]
    return [
        *bifrons,
        System("mosec", "mosec", CENTRE, ("HTTP",)),
        System("litserve", "LitServe", CENTRE, ("HTTP",)),
        System("mosec-locating", "mosec with our locator", EVERY_FACE, ("HTTP",)),
        System("flask", "Flask, the original's networks", WHOLE, ("HTTP",)),
    ]


class Running(Process):
    """A started system: its processes, which form a session of their own, and its interfaces by name."""

    def __init__(self, system: System, words: list[str], interfaces: dict[str, Interface], folder: Path) -> None:
        # mosec keeps its sockets in the temporary folder.
        environment = os.environ | {"TMPDIR": str(folder)}
        super().__init__(system.name, words, folder, cwd=ROOT, environment=environment, leads=True)
        self.system, self.interfaces = system, interfaces
        self._idle = 0.0
        self.start()

    def wait_until_it_answers(self, scene: Scene) -> None:
        """Waits until every interface gives a correct answer; a starting service may refuse requests at first.

        Then measures the CPU time that the idle system uses, because LitServe's workers poll.
        Raises `LoadError` if the system exits or does not answer in time.
        """
        end = time.monotonic() + PATIENCE
        for interface in self.interfaces.values():
            while True:
                try:
                    interface.ask(scene.jpeg)
                    break
                except LoadError as error:
                    if not self.is_running() or time.monotonic() > end:
                        raise LoadError(f"{self.system.name} does not serve: {error}\n{self._last_lines()}") from error
                    time.sleep(0.2)
        time.sleep(GLANCE)
        before = self.cpu_seconds()
        time.sleep(GLANCE)
        self._idle = self.cpu_seconds() - before

    def check(self, scene: Scene) -> None:
        """Checks that each interface's answer has the scene's faces, if the system finds faces. Raises `LoadError`."""
        for name, interface in self.interfaces.items():
            faces = len(interface.ask(scene.jpeg).get("faces", []))
            if self.system.finds_faces and faces != scene.faces:
                raise LoadError(
                    f"{self.system.name} over {name} finds {faces} faces in {scene.name}, which has {scene.faces}"
                )

    def wait_until_quiet(self) -> None:
        """Waits until the system has finished what the last load left behind. Raises `LoadError` on a timeout."""
        end = time.monotonic() + QUIET_PATIENCE
        before = self.cpu_seconds()
        while time.monotonic() < end:
            time.sleep(GLANCE)
            now = self.cpu_seconds()
            if now - before < self._idle + 0.05:
                return
            before = now
        raise LoadError(f"{self.system.name} is still busy {QUIET_PATIENCE:.0f} s after the last request")

    def cpu_seconds(self) -> float:
        """Returns the CPU time that the system's processes have used, in seconds."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # The process has just ended.
            if int(fields[3]) == self.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def _last_lines(self) -> str:
        return "\n".join(self.said().splitlines()[-20:])


def _bifrons(system: System, folder: Path, binaries: Path) -> Running:
    client, worker, http = (free_port() for _ in range(3))
    words = [
        str(binaries / "bifrons"),
        "up",
        f"--client-endpoint=tcp://127.0.0.1:{client}",
        f"--worker-endpoint=tcp://127.0.0.1:{worker}",
        f"--http-port={http}",
        f"--models-folder={MODELS}",
        f"--precision={system.precision}",
        f"--cache-folder={folder / 'cache'}",
        "--log-level=warning",
    ]
    return Running(
        system,
        words,
        {
            "ZeroMQ": ZeroMQInterface(f"tcp://127.0.0.1:{client}"),
            "HTTP": HTTPInterface(f"http://127.0.0.1:{http}/v1/classify?budget_ms=60000", '"label"'),
        },
        folder,
    )


def _peer(system: System, folder: Path) -> Running:
    port = free_port()
    python, url = sys.executable, f"http://127.0.0.1:{port}"
    mosec = ["--address=127.0.0.1", f"--port={port}", "--timeout=60000", "--log-level=warning"]
    match system.name:
        case "mosec":
            words = [python, str(FOLDER / "mosec_server.py"), *mosec]
            interface = HTTPInterface(f"{url}/inference", '"label"')
        case "mosec-locating":
            words = [python, str(FOLDER / "mosec_locating.py"), *mosec]
            interface = HTTPInterface(f"{url}/inference", '"label"')
        case "litserve":
            words = [python, str(FOLDER / "litserve_server.py"), str(port)]
            interface = HTTPInterface(f"{url}/predict", '"label"', "image")
        case "flask":
            words = [
                python,
                "-m",
                "gunicorn",
                f"--bind=127.0.0.1:{port}",
                f"--workers={os.cpu_count()}",
                "--timeout=120",
                f"--chdir={FOLDER}",
                "flask_server:app",
            ]
            interface = HTTPInterface(f"{url}/", '"result"', "file")
        case _:
            raise ValueError(f"unknown system {system.name}")
    return Running(system, words, {"HTTP": interface}, folder)


@contextmanager
def running(system: System, folder: Path, binaries: Path) -> Iterator[Running]:
    """Runs a system for the duration of a `with` block."""
    started = _bifrons(system, folder, binaries) if system.name.startswith("bifrons") else _peer(system, folder)
    try:
        yield started
    finally:
        started.end()
