"""Compares Bifrons with other servers of the same networks; writes tables, a chart and the raw numbers.

    python compare.py [--rounds 5] [--seconds 5] [--precisions f32,int8] [--systems NAME,...] [--scenes NAME,...]
                      [--out FOLDER] [--go-on]

Each round starts, checks, measures and stops every system in turn, so that noise on the machine affects all of them
alike. The results are written after each round; `--go-on` adds the missing rounds to existing results. The exit status
is 1 if any answer was wrong or missing. A promise that was not kept is reported and does not change the exit status.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import chart
import scenes
import tables
from figures import ALONE, BESIDE, Measurement, Rounds
from loads import LoadError, Outcome
from promises import CROP_CENTRE
from scenes import Scene
from support.programs import ROOT, built
from systems import Running, System, known, running

PACKAGES = ("mosec", "litserve", "openvino", "flask", "gunicorn", "tensorflow-cpu")
# A p99 needs more answers than a rate does, so tails are measured this many times as long.
TAIL_LENGTH = 2
# With fewer answers than this per job in flight, the batches cut off at the end weigh too much. The load is then
# repeated for LONGER times the duration.
ENOUGH = 2
LONGER = 4


class Comparison:
    """A run: its measurements and errors so far."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._seconds, self._warm_up = options.seconds, options.warm_up
        self._binaries, self._folder = options.bin, folder
        self._scenes = [scene for scene in scenes.scenes() if scene.name in (options.scenes or scenes.NAMES)]
        self._systems = {system.name: system for system in known(options.precisions)}
        wanted = options.systems or self._systems
        self.chosen = [system for system in self._systems.values() if system.name in wanted]
        self.measurements: list[Measurement] = []
        self.errors: list[str] = []

    def resume(self, out: Path, machine: str) -> int:
        """Loads the rounds that an earlier run wrote to `out` and returns their number.

        Raises `LoadError` if they were measured on another machine, with other package versions or for another time.
        """
        file = out / "peers.json"
        if not file.is_file():
            return 0
        numbers = json.loads(file.read_text())
        for name, ours in (("machine", machine), ("versions", versions()), ("seconds", self._seconds)):
            if numbers[name] != ours:
                raise LoadError(f"{file} was measured with {name} {numbers[name]}, not {ours}: begin without --go-on")
        self.measurements = [Measurement(**row) for row in numbers["measurements"]]
        self.errors = numbers["errors"]
        return int(numbers["rounds"])

    def round(self, number: int) -> None:
        """Measures every system once. Each round begins with a different system."""
        first = number % len(self.chosen)
        for system in self.chosen[first:] + self.chosen[:first]:
            self._try(self._measure, number, system)
        if "bifrons-f32" in (system.name for system in self.chosen):
            self._try(self._measure_tails, number)

    def _try(self, measure: Callable[..., None], *arguments: object) -> None:
        try:
            measure(*arguments)
        except LoadError as error:
            self.errors.append(str(error))
            print(f"peers: {error}", file=sys.stderr, flush=True)

    def _start(self, system: System) -> AbstractContextManager[Running]:
        return running(system, self._folder, self._binaries)

    def _measure(self, number: int, system: System) -> None:
        with self._start(system) as started:
            started.wait_until_it_answers(self._scenes[0])
            for scene in self._scenes:
                started.check(scene)
                for interface in system.interfaces:
                    for in_flight in tables.IN_FLIGHT:
                        self._load(started, number, interface, scene, in_flight)

    def _measure_tails(self, number: int) -> None:
        """Measures Bifrons with one job in flight, first alone and then while mosec and LitServe run idle."""
        portrait = dataclasses.replace(scenes.scenes()[0], name="tails")
        seconds = self._seconds * TAIL_LENGTH
        mosec, litserve = (self._systems[name] for name in CROP_CENTRE)
        with self._start(self._systems["bifrons-f32"]) as ours:
            ours.wait_until_it_answers(portrait)
            self._load(ours, number, "ZeroMQ", portrait, 1, ALONE, seconds)
            with self._start(mosec) as first, self._start(litserve) as second:
                for peer in (first, second):
                    peer.wait_until_it_answers(portrait)
                    peer.wait_until_quiet()
                self._load(ours, number, "ZeroMQ", portrait, 1, BESIDE, seconds)

    def _load(
        self,
        started: Running,
        number: int,
        interface: str,
        scene: Scene,
        in_flight: int,
        setting: str = ALONE,
        seconds: int | None = None,
    ) -> None:
        def load(lasting: int) -> Outcome:
            outcome = started.interfaces[interface].load(scene.jpeg, in_flight, lasting, self._folder)
            started.wait_until_quiet()
            return outcome

        length = seconds or self._seconds
        load(self._warm_up)
        outcome = load(length)
        if outcome.answers < ENOUGH * in_flight:
            outcome = load(LONGER * length)
        if not outcome.answers:
            raise LoadError(
                f"{started.system.name} gave no answer for {scene.name} in {LONGER * length} s: raise --seconds"
            )
        measurement = Measurement(
            number,
            started.system.name,
            interface,
            scene.name,
            in_flight,
            outcome.per_second,
            outcome.p50_ms,
            outcome.p99_ms,
            outcome.answers,
            setting,
        )
        self.measurements.append(measurement)
        print(
            f"round {number + 1}: {started.system.title} by {interface}, {scene.name}, {in_flight} in flight, "
            f"{setting}: "
            f"{outcome.per_second:.1f} verdicts/s, p50 {outcome.p50_ms:.1f} ms, p99 {outcome.p99_ms:.1f} ms",
            flush=True,
        )

    def write(self, out: Path, machine: str, count: int) -> str:
        """Writes the page, the chart and the numbers of `count` rounds to the folder `out`; returns the page."""
        out.mkdir(parents=True, exist_ok=True)
        rounds = Rounds(self.measurements)
        heading = (
            f"{machine}; rounds: {count}, of {self._seconds} s per load; medians (minimum to maximum); "
            f"{len(self.errors)} errors; {', '.join(f'{name} {version}' for name, version in versions().items())}."
        )
        page = tables.page(rounds, self.chosen, self._scenes, heading)
        (out / "peers.md").write_text(page)
        chart.draw(rounds, self.chosen, self._scenes, out / "peers.svg")
        numbers = {
            "machine": machine,
            "versions": versions(),
            "rounds": count,
            "seconds": self._seconds,
            "images": {scene.name: len(scene.jpeg) for scene in self._scenes},
            "errors": self.errors,
            "measurements": [dataclasses.asdict(measurement) for measurement in self.measurements],
        }
        (out / "peers.json").write_text(json.dumps(numbers, indent=1) + "\n")
        return page


def versions() -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in PACKAGES}


def this_machine() -> str:
    fields = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    model = next((value.strip() for name, _, value in fields if name.strip() == "model name"), "an unknown processor")
    return f"{len(os.sched_getaffinity(0))} cores of {model}"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=5, help="duration of each load (default: %(default)s)")
    parser.add_argument(
        "--warm-up", type=int, default=1, help="seconds of unmeasured load before each measured one (default: 1)"
    )
    parser.add_argument(
        "--precisions",
        type=lambda text: text.split(","),
        default=["f32", "int8"],
        help="precisions in which Bifrons is measured, separated by commas (default: f32,int8)",
    )
    parser.add_argument(
        "--systems", type=lambda text: text.split(","), help="systems to measure, separated by commas (default: all)"
    )
    parser.add_argument(
        "--scenes",
        type=lambda text: text.split(","),
        help=f"images to measure with, separated by commas (default: {','.join(scenes.NAMES)})",
    )
    parser.add_argument("--bin", type=Path, default=built(), help="folder of the Bifrons executables")
    parser.add_argument("--out", type=Path, default=ROOT / ".cache/peers", help="folder for the results")
    parser.add_argument(
        "--go-on", action="store_true", help="keep the rounds already in the results folder and add the missing ones"
    )
    given = parser.parse_args()
    names = [system.name for system in known(given.precisions)]
    if unknown := set(given.systems or ()).difference(names):
        parser.error(f"unknown system {', '.join(sorted(unknown))}: choose from {', '.join(names)}")
    if unknown := set(given.scenes or ()).difference(scenes.NAMES):
        parser.error(f"unknown scene {', '.join(sorted(unknown))}: choose from {', '.join(scenes.NAMES)}")
    if min(given.rounds, given.seconds, given.warm_up) < 1:
        parser.error("--rounds, --seconds and --warm-up must be at least 1")
    return given


def main() -> int:
    given = options()
    # Exiting through SystemExit also stops the systems that are running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="bifrons-peers-") as folder:
        comparison, machine = Comparison(given, Path(folder)), this_machine()
        try:
            done = comparison.resume(given.out, machine) if given.go_on else 0
        except LoadError as error:
            sys.exit(f"peers: {error}")
        page = comparison.write(given.out, machine, done) if done else ""
        for number in range(done, given.rounds):
            comparison.round(number)
            page = comparison.write(given.out, machine, number + 1)
    print(page)
    return 1 if comparison.errors else 0


if __name__ == "__main__":
    sys.exit(main())
