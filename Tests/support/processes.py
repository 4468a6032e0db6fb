"""Child processes that can be killed and started again, and free ports for them."""

import contextlib
import math
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def free_port() -> int:
    """Returns a loopback port on which nobody listened a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def resident_bytes(pid: int | str) -> int:
    """Returns the resident memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Life:
    """One run of a process, from its start to its end. Times are in seconds of the monotonic clock."""

    start: float
    end: float = math.inf
    # The job whose image or crops killed the process; None if none did.
    killer: int | None = None


class Process:
    """A child process that can be started again. Its output goes to a file, `folder`/`name`.log.

    Args:
        name: The child's name in messages.
        words: The program and its arguments.
        folder: The folder of its log.
        cwd: The folder in which it runs; by default, that of this process.
        environment: Its environment; by default, that of this process.
        leads: Whether it gets a session of its own. When it has ended, the rest of its session is killed.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str | Path],
        folder: Path,
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        leads: bool = False,
    ) -> None:
        self.name, self.words = name, [str(word) for word in words]
        self.log = folder / f"{name}.log"
        self.lives: list[Life] = []
        self._cwd, self._environment, self._leads = cwd, environment, leads
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    @property
    def starts(self) -> int:
        """Returns how often the child was started."""
        return len(self.lives)

    @property
    def pid(self) -> int:
        """Returns the child's process id.

        Raises:
            RuntimeError: If it was never started.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    def start(self, words: list[str] | None = None) -> None:
        """Starts the child unless it runs. If `words` are given, this start and later ones use them."""
        if self.is_running():
            return
        self.words = words or self.words
        life = Life(time.monotonic())
        self.lives.append(life)
        with self.log.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(
                self.words,
                cwd=self._cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=self._leads,
            )
        threading.Thread(target=self._watch, args=(self._process, life), daemon=True).start()

    @staticmethod
    def _watch(process: subprocess.Popen[bytes], life: Life) -> None:
        process.wait()
        life.end = min(life.end, time.monotonic())

    def is_running(self) -> bool:
        """Returns whether the child was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """Returns what the child has printed since its last start."""
        return self.log.read_bytes()[self._said_before :].decode(errors="replace")

    def signal(self, number: int) -> None:
        """Sends the child a signal if it runs."""
        if self._process is not None and self.is_running():
            self._process.send_signal(number)

    def kill(self, killer: int | None = None) -> None:
        """Kills the child if it runs.

        Args:
            killer: The job whose image or crops kill it; None if none does.
        """
        if self.is_running() and self.lives[-1].end > (now := time.monotonic()):
            # The end is noted before anybody can see it.
            self.lives[-1].end, self.lives[-1].killer = now, killer
            self.signal(signal.SIGKILL)

    def end(self, seconds: float = 20.0) -> int | None:
        """Asks the child to end, and returns like `wait`."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int | None:
        """Waits for the child's end and returns its exit status.

        Returns:
            None if it did not end in time and was killed, or if it was never started.
        """
        if self._process is None:
            return None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
        finally:
            if self._leads:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
