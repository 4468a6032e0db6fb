"""Images that kill each locator that they meet, as one does that breaks a decoder, or each worker of their crops.

There is no such image to be had. So the end is the harness's: it kills the worker's process when the job's image,
or what was cut out of it, comes on its link, before the worker has it all. What dies is a real worker, with all that it
had in hand.
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
    """Sends such jobs, and writes down what became of them."""

    def __init__(self, endpoint: str, path: Path, workers: dict[str, Process], life: Callable[[], int]) -> None:
        """`life`: which of the router's lives it is."""
        self.path = path
        # Workers that died of an image or its crops, and how often they had been started.
        self.fallen: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._endpoint, self._workers, self._life = endpoint, workers, life
        self._writer = history.Writer(path)
        # Below the numbers of the clients' jobs.
        self._numbers = itertools.count(1)
        self._victims: dict[int, set[str]] = {}
        self._threads: list[threading.Thread] = []

    def send(self, victims: list[str]) -> None:
        """`victims`: the workers that die of it: all locators, or all of a model or more."""
        number = next(self._numbers)
        self._victims[number] = set(victims)
        self._threads.append(threading.Thread(target=self._ask, args=(number,), daemon=True))
        self._threads[-1].start()

    def _ask(self, job: int) -> None:
        life = self._life()
        self._writer.write(history.Sent(job, job, "poison", time.monotonic()))
        with Client(self._endpoint) as asking:
            # What kills one model's workers may have the score of another one.
            header = {"verb": "classify", "budget_ms": BUDGET_MS, "require": "all"}
            result = asking.ask(header, images.image(job), BUDGET_MS / 1000 + client.GRACE)
        now = time.monotonic()
        if result:
            self._writer.write(history.answered(job, json.dumps(result).encode(), now))
        elif life != self._life():
            self._writer.write(history.Lost(now))

    def meets(self, name: str, job: int, hand: Hand) -> None:
        """A job's image, or what was cut out of it, is on its way to a worker."""
        process = self._workers[name]
        if name in self._victims.get(job, ()) and process.lives[-1].start <= hand.opened:
            process.kill(job)
            self.fallen.put((name, process.starts))

    def is_at_work(self) -> bool:
        return any(thread.is_alive() for thread in self._threads) or not self.fallen.empty()

    def end(self) -> None:
        self._writer.write(history.Ended(time.monotonic()))
