"""Images that kill each locator that receives them, as a decoder's bug could, or each worker that receives their crops.

No such image exists, so the harness simulates its effect: it kills the worker's process when the job's image or its
crops arrive on the worker's link, before the worker has received all of it. A real worker dies, with all of its jobs in
flight.
"""

import itertools
import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import client
import history
import images
from hands import Hand
from support.client import Client
from support.processes import Process

BUDGET_MS = 8000


class Poison:
    """Sends such jobs, and records their answers."""

    def __init__(self, endpoint: str, path: Path, workers: dict[str, Process], life: Callable[[], int]) -> None:
        """Creates the sender. `life` returns the number of the router's current run."""
        self.path = path
        # The workers that an image or its crops killed, with the number of their starts.
        self.fallen: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._endpoint, self._workers, self._life = endpoint, workers, life
        self._writer = history.Writer(path)
        # These are lower than the numbers of the clients' jobs.
        self._numbers = itertools.count(1)
        self._victims: dict[int, set[str]] = {}
        self._threads: list[threading.Thread] = []

    def send(self, victims: list[str]) -> None:
        """Sends a job. `victims` are the workers that it kills: all locators, or all workers of one or more models."""
        number = next(self._numbers)
        self._victims[number] = set(victims)
        self._threads.append(threading.Thread(target=self._ask, args=(number,), daemon=True))
        self._threads[-1].start()

    def _ask(self, job: int) -> None:
        life = self._life()
        self._writer.write(history.Sent(job, job, "poison", time.monotonic()))
        with Client(self._endpoint) as asking:
            # Otherwise, an image that kills one model's workers could get a result with another model's score.
            header = {"verb": "classify", "budget_ms": BUDGET_MS, "require": "all"}
            result = asking.ask(header, images.image(job), BUDGET_MS / 1000 + client.GRACE)
        now = time.monotonic()
        if result:
            self._writer.write(history.answered(job, json.dumps(result).encode(), now))
        elif life != self._life():
            self._writer.write(history.Lost(now))

    def meets(self, name: str, job: int, hand: Hand) -> None:
        """Handles a job's image or crops on the way to a worker."""
        process = self._workers[name]
        if name in self._victims.get(job, ()) and process.lives[-1].start <= hand.opened:
            process.kill(job)
            self.fallen.put((name, process.starts))

    def is_at_work(self) -> bool:
        return any(thread.is_alive() for thread in self._threads) or not self.fallen.empty()

    def end(self) -> None:
        self._writer.write(history.Ended(time.monotonic()))
