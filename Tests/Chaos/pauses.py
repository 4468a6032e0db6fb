"""Checks that paused workers are never taken for dead ones.

    python pauses.py [--rounds 40] [--jobs 10] [--seconds 2.5]

Repeatedly stops all workers of a small cluster, or all but its locators, for a while with jobs in flight. Prints how
the jobs were answered. The exit status is 1 if a job had no answer, or one that is neither a verdict nor a failure that
may be retried: a pause must never count against an image.
"""

import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import images
from support.client import Client
from support.cluster import Cluster
from support.programs import argument_parser

# The number of clusters that run at the same time and share the rounds.
CLUSTERS = 2
WORKERS = 2
BUDGET_MS = 8000
# The heartbeat interval in seconds. The pauses begin anywhere within it.
HEARTBEAT = 0.5
# The answers that are verdicts, or failures that may be retried.
FINE = {"200", "206", "408 budget_spent", "503 worker_lost", "503 no_worker"}


class Pauses:
    """One cluster, its client, and the numbers of its answers by status and error code."""

    def __init__(self, folder: Path, binaries: Path, seed: int) -> None:
        images.write_models(folder / "models")
        self.cluster = Cluster(folder, folder / "models", binaries=binaries)
        self.cluster.add_workers(images.POOLS, WORKERS)
        self.answers: Counter[str] = Counter()
        self._choose = random.Random(seed)

    def run(self, rounds: int, jobs: int, seconds: float) -> None:
        client = Client(self.cluster.endpoint)
        try:
            self.cluster.start()
            for number in range(rounds):
                self.cluster.wait_until_served(WORKERS)
                time.sleep(self._choose.uniform(0, HEARTBEAT))
                # Jobs reach the locators first. If only the networks are stopped, the jobs wait for those.
                self._pause(client, images.POOLS if number % 2 == 0 else images.MODELS, jobs, seconds)
        finally:
            client.close()
            self.cluster.end()

    def _pause(self, client: Client, pools: tuple[str, ...], jobs: int, seconds: float) -> None:
        stopped = [worker for name, worker in self.cluster.workers.items() if images.pool_of(name) in pools]
        for worker in stopped:
            worker.signal(signal.SIGSTOP)
        try:
            for _ in range(jobs):
                client.send({"verb": "classify", "budget_ms": BUDGET_MS}, images.image(client.requests))
            time.sleep(seconds)
        finally:
            for worker in stopped:
                worker.signal(signal.SIGCONT)
        end = time.monotonic() + BUDGET_MS / 1000 + 2
        for _ in range(jobs):
            if not (reply := client.receive(end - time.monotonic())):
                self.answers["none"] += 1
                continue
            result = json.loads(reply[1])
            self.answers[f"{result['status']} {result.get('error', {}).get('code', '')}".strip()] += 1


def run(rounds: int, jobs: int, seconds: float, binaries: Path, seed: int = 1) -> Counter[str]:
    """Returns the answers of all clusters."""
    with tempfile.TemporaryDirectory(prefix="bifrons-pauses.") as folder:
        all_pauses = []
        for number in range(CLUSTERS):
            (home := Path(folder) / str(number)).mkdir()
            all_pauses.append(Pauses(home, binaries, seed + number))
        threads = [
            threading.Thread(target=pauses.run, args=(rounds // CLUSTERS, jobs, seconds)) for pauses in all_pauses
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sum((pauses.answers for pauses in all_pauses), Counter())


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="a multiple of four")
    parser.add_argument("--jobs", type=int, default=10, help="of each round")
    parser.add_argument("--seconds", type=float, default=2.5, help="of each pause")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    answers = run(options.rounds, options.jobs, options.seconds, options.binaries, options.seed)
    print(f"{answers.total()} jobs: {dict(sorted(answers.items()))}")
    wrong = {answer: count for answer, count in answers.items() if answer not in FINE}
    if wrong or answers.total() != options.rounds // CLUSTERS * CLUSTERS * options.jobs:
        print(f"pauses: not to be explained by a pause: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
