"""Measures how a worker's death, a hung worker and overload affect clients, with the published models.

    python tails.py [--seconds 10] [--models FOLDER]

A locator dies and hangs, and so does a worker of the first model. Prints each guarantee with the measurement, and a
table of both stages. The exit status is 1 if one guarantee did not hold. Times depend on the machine, so a busy machine
fails.
"""

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from support.client import Client
from support.cluster import Cluster, served
from support.images import jpeg
from support.load import Answer, Load, Outcome, load_at, peak_rate, percentile
from support.programs import MODELS, argument_parser

HEARTBEAT_MS = 500
MISSED_HEARTBEATS = 3
BUDGET_MS = 1000
# The largest delay of the status report that shows the loss, in milliseconds.
ASKING_MS = 20
# The share of the capacity in calm load. One of two replicas can do it alone.
CALM_SHARE = 0.4
OVERLOAD = 10
LOCATOR = "locator"


@dataclass
class Row:
    """The effects on clients for one stage, in milliseconds."""

    pool: str
    calm: float = 0.0
    killed: float = 0.0
    out_of_rotation: float = 0.0


def image(side: int = 320) -> bytes:
    """Returns a JPEG with a smooth gradient and some grain, which takes as long to decode as a photograph."""
    random = np.random.default_rng(1)
    small = Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)).astype(int)
    noisy = np.clip(pixels + random.integers(-8, 9, pixels.shape), 0, 255).astype(np.uint8)
    return jpeg(Image.fromarray(noisy), 90)


class Tails:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.seconds = options.seconds
        self.is_kept = True
        self.names = json.loads((options.models / "ensemble.json").read_text())["models"]
        self.cluster = Cluster(folder, options.models, f"--heartbeat={HEARTBEAT_MS}ms", binaries=options.binaries)
        self.cluster.add_workers((LOCATOR, *self.names), 2)
        self.rows = [Row(LOCATOR), Row(self.names[0])]
        self.images = [image()]

    def tell(self, is_kept: bool, promise: str) -> None:
        self.is_kept = self.is_kept and is_kept
        print(f"  {'kept' if is_kept else 'NOT KEPT'}: {promise}", flush=True)

    def peak(self) -> float:
        return peak_rate(self.cluster.endpoint, self.images, self.seconds)

    def death(self, row: Row, capacity: float) -> None:
        rate = CALM_SHARE * capacity
        print(f"one of two replicas of {row.pool} is killed, at {rate:.1f} jobs a second")
        victim = self.cluster.workers[f"{row.pool}-0"]

        def kill_half_way(elapsed: float) -> None:
            if elapsed > self.seconds / 2:
                victim.signal(signal.SIGKILL)

        row.calm = 1000 * self._at(rate).seconds(99)
        tails = []
        for _ in range(3):
            self._wait_for_all()
            killed = self._at(rate, kill_half_way)
            victim.wait(10)
            victim.start()
            tails.append(1000 * killed.seconds(99))
            self.tell(
                killed.count(200) == len(killed.answers) and not killed.unanswered,
                f"no client sees an error ({dict(Counter(answer.status for answer in killed.answers))})",
            )
        row.killed = sorted(tails)[1]
        self.tell(
            row.killed - row.calm <= 200,
            f"p99 rises by at most 200 ms ({row.calm:.0f} ms, then {row.killed:.0f} ms, the median of {len(tails)})",
        )

    def hang(self, row: Row) -> None:
        print(f"a worker of {row.pool} is stopped")
        victim = self.cluster.workers[f"{row.pool}-1"]
        worst = 0.0
        self._wait_for_all()
        with Client(self.cluster.endpoint) as asking:
            for _ in range(5):
                victim.signal(signal.SIGSTOP)
                start = time.monotonic()
                while (report := asking.ask({"verb": "models"})) and served(report)[row.pool] == 2:
                    time.sleep(0.005)
                    if time.monotonic() - start > 10:
                        break
                worst = max(worst, time.monotonic() - start)
                victim.signal(signal.SIGCONT)
                self._wait_for_all()
        limit = MISSED_HEARTBEATS * HEARTBEAT_MS
        took = f"{1000 * worst:.0f} ms, the longest of 5, of which asking for it takes some"
        row.out_of_rotation = 1000 * worst
        self.tell(
            row.out_of_rotation <= limit + ASKING_MS,
            f"out of rotation within {MISSED_HEARTBEATS} heartbeats of {HEARTBEAT_MS} ms ({took})",
        )

    def table(self) -> None:
        print("| stage | p99, ms | p99 with a death, ms | out of rotation, ms |\n|---|---|---|---|")
        for row in self.rows:
            print(f"| {row.pool} | {row.calm:.0f} | {row.killed:.0f} | {row.out_of_rotation:.0f} |", flush=True)

    def overload(self) -> None:
        print(f"{OVERLOAD} times the capacity, budgets of {BUDGET_MS} ms, three times")
        goodputs: list[float] = []
        answers: list[Answer] = []
        unanswered, own = 0, 0.0
        before = self.peak()
        for _ in range(3):
            began = time.process_time()
            outcome = self._at(OVERLOAD * before, budget_ms=BUDGET_MS)
            own = max(own, (time.process_time() - began) / self.seconds)
            good = sum(answer.status == 200 and answer.since_start < self.seconds for answer in outcome.answers)
            # The machine's speed changes from minute to minute.
            after = self.peak()
            goodputs.append(good / self.seconds / statistics.mean([before, after]))
            before = after
            answers += outcome.answers
            unanswered += outcome.unanswered
        accepted = [answer for answer in answers if answer.status != 429]
        refused = [answer for answer in answers if answer.status == 429]
        self.tell(not unanswered, "every job is answered")
        total = percentile([answer.total_ms for answer in accepted], 99.9)
        self.tell(total <= BUDGET_MS + 10, f"every accepted one within its budget and 10 ms at p99.9 ({total:.0f} ms)")
        goodputs.sort()
        self.tell(
            goodputs[1] >= 0.9,
            "goodput is at least 0.90 of the peak before and after "
            f"({', '.join(f'{ratio:.2f}' for ratio in goodputs)}; "
            f"{dict(Counter(answer.status for answer in accepted))}; this client takes up to {own:.2f} of a core)",
        )
        at_once = percentile([answer.seconds for answer in refused], 99)
        self.tell(at_once <= 0.05, f"rejects come at once ({1000 * at_once:.1f} ms at p99, {len(refused)} of them)")

    def resends(self, capacity: float) -> None:
        print(f"{OVERLOAD} times the capacity for 2 s, and who is refused comes again when told")
        with Load(self.cluster.endpoint, self.images, BUDGET_MS, obeys=True) as load:
            outcome = load.at_rate(OVERLOAD * capacity, 2)
        later = [answer for answer in outcome.answers if answer.refusals]
        once = sum(answer.status != 429 and answer.refusals == 1 for answer in later)
        refused = sum(answer.status == 429 and not answer.refusals for answer in outcome.answers)
        most = max((answer.refusals for answer in later), default=0)
        self.tell(
            once >= 0.9 * refused,
            f"retry_after_ms gets in ({once} of {refused} at the first retry, all after at most {most})",
        )

    def _at(
        self, rate: float, during: Callable[[float], object] = lambda elapsed: None, budget_ms: int = 5000
    ) -> Outcome:
        return load_at(self.cluster.endpoint, self.images, rate, self.seconds, budget_ms, during)

    def _wait_for_all(self) -> None:
        self.cluster.wait_until_served(2)

    def run(self) -> bool:
        self.cluster.start()
        try:
            self._wait_for_all()
            capacity = self.peak()
            for row in self.rows:
                self.death(row, capacity)
            for row in self.rows:
                self.hang(row)
            self.table()
            self.overload()
            self.resends(self.peak())
        finally:
            self.cluster.end()
        return self.is_kept


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--models", type=Path, default=MODELS)
    with tempfile.TemporaryDirectory(prefix="bifrons-tails.") as folder:
        return 0 if Tails(parser.parse_args(), Path(folder)).run() else 1


if __name__ == "__main__":
    sys.exit(main())
