"""Runs a cluster under mixed load for a long time, and checks whether any process grows.

    python soak.py --minutes 30 [--out FOLDER]

Clients of all kinds come, work and go, and unknown peers send nonsense. Now and then, one locator and one worker of
each model are killed or restarted. Some processes run all the time: the router, a locator and a worker of each model.
Every few seconds, their resident memory, open descriptors and threads are written to soak.csv; soak.png shows them. The
exit status is 1 if, after the warm-up, the memory of one grows by 1 MB an hour or more (the Theil-Sen slope, which
outliers do not affect), or if its descriptors or threads do not return to their level.
"""

import argparse
import csv
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt

import checker
import client
import history
import images
from scanner import scanner
from support.cluster import Cluster
from support.processes import Process, resident_bytes
from support.programs import argument_parser

matplotlib.use("Agg")
from matplotlib import pyplot

WARM_UP_SHARE = 1 / 3
LARGEST_SLOPE = 1.0
SAMPLE_SECONDS = 5
CLIENTS = 3
# The shortest and the longest time, in seconds, for which a client stays, and between two ends of a worker.
CLIENT_SECONDS = (10, 60)
WORKER_SECONDS = (30, 90)
# Longer than a client stays, so that its successor can find what a killed client left behind.
RESULT_RETENTION = "180s"
FIELDS = ("resident_mb", "descriptors", "threads")
# The second, the process, and the fields.
Row = tuple[float, str, float, int, int]


def sample(pid: int) -> tuple[float, int, int]:
    """Returns the resident megabytes, the open descriptors and the threads of a process."""
    return resident_bytes(pid) / 1e6, len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


def slope(seconds: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float:
    """Returns the median of the slopes between all pairs of values (Theil 1950, Sen 1968), in units per hour."""
    first, second = np.triu_indices(len(seconds), 1)
    return float(np.median((values[second] - values[first]) / (seconds[second] - seconds[first]))) * 3600


class Soak:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.seconds = options.minutes * 60
        self.choose = random.Random(options.seed)
        self.folder = folder
        images.write_models(folder / "models")
        self.cluster = Cluster(
            folder,
            folder / "models",
            f"--journal={folder / 'journal'}",
            f"--result-retention={RESULT_RETENTION}",
            f"--idempotency-retention={RESULT_RETENTION}",
            binaries=options.binaries,
        )
        self.cluster.add_workers(images.POOLS, 2)
        # The other workers are ended now and then, so they become other processes.
        self.watched = {"router": self.cluster.router} | {
            name: worker for name, worker in self.cluster.workers.items() if name.endswith("-0")
        }
        self.scanner = scanner(self.cluster, options.seed)
        self.numbers = itertools.count(1)
        self.histories: list[Path] = []
        self.rows: list[Row] = []

    def new_client(self, after: list[Path]) -> tuple[float, Process, list[Path]]:
        """Starts a client. Returns when it leaves, its process, and its history after those of the killed clients."""
        number = next(self.numbers)
        path = self.folder / f"{number}.history"
        path.touch()
        self.histories.append(path)
        words = client.command(self.cluster.endpoint, path, number, number, self.choose.choice((1, 8, 32)), after)
        process = Process(f"client-{number}", words, self.folder)
        process.start()
        return time.monotonic() + self.choose.uniform(*CLIENT_SECONDS), process, [*after, path]

    def run(self) -> list[str]:
        """Runs the load. Returns the problems, other than growth."""
        self.cluster.start()
        self.cluster.wait_until_served(2)
        pids = {name: process.pid for name, process in self.watched.items()}
        self.scanner.start()
        clients = [self.new_client([]) for _ in range(CLIENTS)]
        leaving: list[Process] = []
        start = next_sample = time.monotonic()
        next_end = start + self.choose.uniform(*WORKER_SECONDS)
        while (now := time.monotonic()) - start < self.seconds:
            if now >= next_sample:
                next_sample += SAMPLE_SECONDS
                self.rows += [(now - start, name, *sample(pid)) for name, pid in pids.items()]
            for entry in [entry for entry in clients if entry[0] <= now]:
                _, process, paths = entry
                clients.remove(entry)
                is_killed = self.choose.random() < 0.5
                process.signal(signal.SIGKILL if is_killed else signal.SIGTERM)
                leaving.append(process)
                clients.append(self.new_client(paths if is_killed else []))
            leaving = [process for process in leaving if process.is_running()]
            if now >= next_end:
                next_end = now + self.choose.uniform(*WORKER_SECONDS)
                victim = self.cluster.workers[f"{self.choose.choice(images.POOLS)}-1"]
                victim.signal(self.choose.choice((signal.SIGTERM, signal.SIGKILL)))
            for worker in self.cluster.workers.values():
                worker.start()
            time.sleep(0.2)
        for process in [entry[1] for entry in clients] + leaving:
            process.end()
        problems = [
            f"{name} is another process than at the start"
            for name, process in self.watched.items()
            if process.pid != pids[name]
        ]
        self.scanner.end()
        self.cluster.end()
        return problems + checker.check(map(history.read, self.histories), {}).violations

    def kill(self) -> None:
        for process in (self.scanner, self.cluster.router, *self.cluster.workers.values()):
            process.signal(signal.SIGKILL)


def judge(rows: list[Row], seconds: float) -> tuple[dict[str, float], list[str]]:
    """Returns the slope of each process's memory, in megabytes per hour, and the processes that grew."""
    slopes: dict[str, float] = {}
    problems: list[str] = []
    for name in dict.fromkeys(row[1] for row in rows):
        series = np.array([(row[0], *row[2:]) for row in rows if row[1] == name])
        settled = series[series[:, 0] >= seconds * WARM_UP_SHARE]
        slopes[name] = slope(settled[:, 0], settled[:, 1])
        if slopes[name] >= LARGEST_SLOPE:
            problems.append(f"{name} grows by {slopes[name]:.2f} MB an hour")
        half = len(settled) // 2
        for column, field in enumerate(FIELDS[1:], 2):
            before, after = np.median(settled[:half, column]), np.median(settled[half:, column])
            # The number of descriptors varies with the connections.
            if after > 1.2 * before + 5:
                problems.append(f"{name} had {before:.0f} {field}, and later {after:.0f}")
    return slopes, problems


def draw(rows: list[Row], path: Path) -> None:
    names = list(dict.fromkeys(row[1] for row in rows))
    figure, axes = pyplot.subplots(len(FIELDS), 1, sharex=True, figsize=(9, 7), layout="constrained")
    for column, (field, axis) in enumerate(zip(FIELDS, axes, strict=True), 2):
        for name in names:
            own = [row for row in rows if row[1] == name]
            axis.plot([row[0] / 60 for row in own], [row[column] for row in own], label=name, linewidth=1)
        axis.set_ylabel({"resident_mb": "resident, MB"}.get(field, field))
        axis.set_ylim(bottom=0)
    axes[0].legend(loc="lower right", ncols=len(names))
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=100)


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("."), help="the folder for soak.csv and soak.png")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bifrons-soak.") as folder:
        soak = Soak(options, Path(folder))
        try:
            problems = soak.run()
        finally:
            soak.kill()
    with (options.out / "soak.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("second", "process", *FIELDS), *((f"{row[0]:.1f}", *row[1:]) for row in soak.rows)]
        )
    draw(soak.rows, options.out / "soak.png")
    slopes, grown = judge(soak.rows, soak.seconds)
    for name, megabytes in slopes.items():
        print(f"{name}: {megabytes:+.2f} MB an hour after the warm-up")
    for problem in (problems := problems + grown)[:20]:
        print(f"soak: {problem}", file=sys.stderr)
    print(f"soak: {len(problems)} problems; see {options.out}/soak.csv and soak.png")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
