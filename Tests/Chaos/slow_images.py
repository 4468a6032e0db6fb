"""Measures what small pictures notice of slow ones beside them, with the published models as `bifrons up` starts them.

    python slow_images.py [--seconds 12] [--models FOLDER]

Clients send portraits of 100 kB at a steady pace; later, with the same pace, others send six JPEGs of 49 megapixels in 96
scans at once, of 1 MB each. Prints each promise with what was measured. Exit status 1 if one was not kept: times are a
machine's, so a busy one fails. Needs jpegtran (Debian's libjpeg-turbo-progs).
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import zmq
from PIL import Image

from cluster import ROOT, Cluster
from load import Load, Outcome, percentile

CLIENTS = 3
# Of the capacity: what is left is more than the slow ones' share of a processor.
SHARE = 0.3
SLOW = 6
SIDE = 7000
SCANS = 96
BUDGET_MS = 5000
# How late the router's timer may be.
GRACE_MS = 100
RISE = 2.0


def _portrait() -> Image.Image:
    """A face that matplotlib comes with."""
    return Image.open(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg").convert("RGB")


def _jpeg(image: Image.Image, side: tuple[int, int], quality: int) -> bytes:
    file = io.BytesIO()
    image.resize(side, Image.Resampling.BICUBIC).save(file, "JPEG", quality=quality)
    return file.getvalue()


def small_picture() -> bytes:
    return _jpeg(_portrait(), (640, 750), 89)


def slow_picture(side: int = SIDE) -> bytes:
    """A progressive JPEG with a scan for nearly each coefficient."""
    bands = [(0, band, band) for band in range(1, 64)]
    for component in (1, 2):
        bands += [(component, band, band) for band in range(1, 16)] + [(component, 16, 63)]
    scans = ["0 1 2: 0-0, 0, 0;"] + [f"{component}: {first}-{last}, 0, 0;" for component, first, last in bands]
    assert len(scans) == SCANS
    with tempfile.NamedTemporaryFile("w", suffix=".scans") as script:
        script.write("\n".join(scans))
        script.flush()
        done = subprocess.run(
            ["jpegtran", "-scans", script.name], input=_jpeg(_portrait(), (side, side), 50), capture_output=True
        )
    if done.returncode:
        raise SystemExit(f"slow images: jpegtran: {done.stderr.decode().strip()}")
    return done.stdout


@dataclass
class Measured:
    """What the clients of small pictures saw without slow ones and beside them; what the others saw."""

    capacity: float
    without: Outcome
    beside: Outcome
    slow: list[dict]


class SlowImages:
    def __init__(self, folder: Path, models: Path, binaries: Path, seconds: float):
        self.seconds = seconds
        self.cluster = Cluster(folder, models, binaries=binaries)
        for pool in ("locator", *json.loads((models / "ensemble.json").read_text())["models"]):
            self.cluster.add_worker(pool, pool)
        self.small, self.slow = [small_picture()], slow_picture()

    def measure(self) -> Measured:
        self.cluster.start()
        try:
            self.cluster.wait_until_served(1)
            capacity = self._capacity()
            without = self._at(SHARE * capacity)
            answers: list[dict] = []
            others = threading.Thread(target=self._send_slow, args=(answers,))
            others.start()
            beside = self._at(SHARE * capacity)
            others.join()
            return Measured(capacity, without, beside, answers)
        finally:
            self.cluster.end()

    def _capacity(self) -> float:
        """Verdicts a second when there is always enough to do."""
        load = Load(self.cluster.endpoint, self.small)
        load.closed_loop(32, 2)
        outcome = load.closed_loop(32, self.seconds / 3)
        load.close()
        return outcome.count(200) / max(answer.since_start for answer in outcome.answers)

    def _at(self, rate: float) -> Outcome:
        """What all clients saw."""
        all_seen = Outcome()

        def run() -> None:
            load = Load(self.cluster.endpoint, self.small, BUDGET_MS)
            outcome = load.at_rate(rate / CLIENTS, self.seconds)
            load.close()
            all_seen.answers.extend(outcome.answers)
            all_seen.unanswered += outcome.unanswered

        threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return all_seen

    def _send_slow(self, answers: list[dict]) -> None:
        """Each has a client of its own."""
        context = zmq.Context()
        header = json.dumps({"verb": "classify", "budget_ms": BUDGET_MS}).encode()
        sockets = [context.socket(zmq.DEALER) for _ in range(SLOW)]
        for client in sockets:
            client.connect(self.cluster.endpoint)
            client.send_multipart([b"BIFRONS1", header, self.slow])
        end = time.monotonic() + BUDGET_MS / 1000 + 5
        for client in sockets:
            if client.poll(max(0, end - time.monotonic()) * 1000):
                answers.append(json.loads(client.recv_multipart()[-1]))
        context.destroy(0)


def promises(measured: Measured) -> list[tuple[bool, str]]:
    """Whether each was kept, and what it was."""
    before, after = (
        percentile([answer.seconds for answer in outcome.answers], 99)
        for outcome in (measured.without, measured.beside)
    )
    told = []
    for outcome, name in ((measured.without, "without"), (measured.beside, "beside")):
        statuses = dict(Counter(answer.status for answer in outcome.answers))
        told.append(
            (
                outcome.count(200) == len(outcome.answers) and not outcome.unanswered,
                f"every small picture {name} slow ones has its verdict ({statuses}, {outcome.unanswered} unanswered)",
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12, help="of each measurement")
    parser.add_argument("--models", type=Path, default=ROOT / "Models")
    parser.add_argument("--binaries", type=Path, default=ROOT / ".build/release", help="the folder of the executables")
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
