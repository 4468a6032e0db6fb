"""Measures how slow images affect small ones, with the published models and the settings of `bifrons up`.

    python slow_images.py [--seconds 12] [--models FOLDER]

Clients send portraits of 100 kB at a steady rate. Later, at the same rate, others send six JPEGs of 49 megapixels in 96
scans at the same time, of 1 MB each. Prints each guarantee with the measurement. The exit status is 1 if one did not
hold. Times depend on the machine, so a busy machine fails. Needs jpegtran (Debian's libjpeg-turbo-progs).
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from support.client import Client, Document
from support.cluster import Cluster
from support.images import face, jpeg
from support.load import Outcome, load_at, peak_rate
from support.programs import MODELS, argument_parser

CLIENTS = 3
# The share of the capacity that the clients use. The rest is more than the slow images' share of the processors.
SHARE = 0.3
SLOW = 6
SIDE = 7000
SCANS = 96
BUDGET_MS = 5000
# The largest delay of the router's timer, in milliseconds.
GRACE_MS = 100
RISE = 2.0


def small_image() -> bytes:
    return jpeg(face(640, 750), 89)


def slow_image(side: int = SIDE) -> bytes:
    """Returns a progressive JPEG with a scan for nearly each coefficient."""
    bands = [(0, band, band) for band in range(1, 64)]
    for component in (1, 2):
        bands += [(component, band, band) for band in range(1, 16)] + [(component, 16, 63)]
    scans = ["0 1 2: 0-0, 0, 0;"] + [f"{component}: {first}-{last}, 0, 0;" for component, first, last in bands]
    assert len(scans) == SCANS
    with tempfile.NamedTemporaryFile("w", suffix=".scans") as script:
        script.write("\n".join(scans))
        script.flush()
        done = subprocess.run(
            ["jpegtran", "-scans", script.name], input=jpeg(face(side, side), 50), capture_output=True
        )
    if done.returncode:
        raise SystemExit(f"slow images: jpegtran: {done.stderr.decode().strip()}")
    return done.stdout


@dataclass
class Measured:
    """The outcomes of small images without slow ones and beside them, and the results of the slow ones."""

    capacity: float
    without: Outcome
    beside: Outcome
    slow: list[Document]


class SlowImages:
    def __init__(self, folder: Path, models: Path, binaries: Path, seconds: float) -> None:
        self.seconds = seconds
        self.cluster = Cluster(folder, models, binaries=binaries)
        self.cluster.add_workers(("locator", *json.loads((models / "ensemble.json").read_text())["models"]), 1)
        self.small, self.slow = [small_image()], slow_image()

    def measure(self) -> Measured:
        self.cluster.start()
        try:
            self.cluster.wait_until_served(1)
            most = peak_rate(self.cluster.endpoint, self.small, self.seconds / 3)
            without = self._at(SHARE * most)
            with ThreadPoolExecutor() as pool:
                slow = pool.submit(self._send_slow)
                beside = self._at(SHARE * most)
                return Measured(most, without, beside, slow.result())
        finally:
            self.cluster.end()

    def _at(self, rate: float) -> Outcome:
        """Returns the outcome of all clients together."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            options = (self.cluster.endpoint, self.small, rate / CLIENTS, self.seconds, BUDGET_MS)
            outcomes = [load.result() for load in [pool.submit(load_at, *options) for _ in range(CLIENTS)]]
        return Outcome(
            [answer for outcome in outcomes for answer in outcome.answers],
            sum(outcome.unanswered for outcome in outcomes),
        )

    def _send_slow(self) -> list[Document]:
        """Sends the slow images, each from a client of its own, and returns their results."""
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client(self.cluster.endpoint)) for _ in range(SLOW)]
            for client in clients:
                client.send({"verb": "classify", "budget_ms": BUDGET_MS}, self.slow)
            end = time.monotonic() + BUDGET_MS / 1000 + 5
            replies = [client.receive(end - time.monotonic()) for client in clients]
        return [json.loads(reply[1]) for reply in replies if reply]


def promises(measured: Measured) -> list[tuple[bool, str]]:
    """Returns whether each guarantee held, and its text with the measurement."""
    before, after = measured.without.seconds(99), measured.beside.seconds(99)
    told = []
    for outcome, name in ((measured.without, "without"), (measured.beside, "beside")):
        statuses = dict(Counter(answer.status for answer in outcome.answers))
        told.append(
            (
                outcome.count(200) == len(outcome.answers) and not outcome.unanswered,
                f"every small image {name} slow ones has its verdict ({statuses}, {outcome.unanswered} unanswered)",
            )
        )
    told.append(
        (
            after <= RISE * before,
            f"p99 of the small ones at most {RISE:.0f} times ({1000 * before:.0f} ms, then {1000 * after:.0f} ms)",
        )
    )
    slow = [(answer["status"], round(answer["total_ms"])) for answer in measured.slow]
    told.append(
        (
            len(slow) == SLOW
            and all(status in (200, 408, 422) and total <= BUDGET_MS + GRACE_MS for status, total in slow),
            f"every slow one is answered within its budget of {BUDGET_MS} ms (status, ms: {slow})",
        )
    )
    return told


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=12, help="of each measurement")
    parser.add_argument("--models", type=Path, default=MODELS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bifrons-slow-images.") as folder:
        images = SlowImages(Path(folder), options.models, options.binaries, options.seconds)
        print(
            f"{SLOW} JPEGs of {SIDE} x {SIDE} in {SCANS} scans, {len(images.slow)} bytes, beside portraits of "
            f"{len(images.small[0])} bytes",
            flush=True,
        )
        measured = images.measure()
    print(f"{measured.capacity:.1f} small ones a second at the peak, sent at {SHARE:.0%} of it")
    told = promises(measured)
    for is_kept, promise in told:
        print(f"  {'kept' if is_kept else 'NOT KEPT'}: {promise}")
    return 0 if all(is_kept for is_kept, _ in told) else 1


if __name__ == "__main__":
    sys.exit(main())
