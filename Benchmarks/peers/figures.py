"""What rounds of measurements come to: medians with their spread, and ratios of what was measured in the same round."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

ALONE, BESIDE = "alone", "beside idle peers"
"""In which company a load was measured."""


@dataclass(frozen=True)
class Measurement:
    """One load of one round."""

    round: int
    system: str
    interface: str
    scene: str
    in_flight: int
    per_second: float
    p50_ms: float
    p99_ms: float
    answers: int
    setting: str = ALONE


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, the least and the greatest."""

    median: float
    least: float
    greatest: float


def spread(numbers: Iterable[float]) -> Spread:
    values = list(numbers)
    return Spread(statistics.median(values), min(values), max(values))


class Rounds:
    """All measurements of a run."""

    def __init__(self, measurements: Iterable[Measurement]):
        self._by_key: dict[tuple, dict[int, Measurement]] = {}
        for m in measurements:
            self._by_key.setdefault((m.system, m.interface, m.scene, m.in_flight, m.setting), {})[m.round] = m

    def of(
        self, system: str, interface: str, scene: str, in_flight: int, setting: str = ALONE
    ) -> dict[int, Measurement]:
        """By round; empty if it was not measured."""
        return self._by_key.get((system, interface, scene, in_flight, setting), {})


Value = Callable[[Measurement], float]


def rate(measurement: Measurement) -> float:
    return measurement.per_second


def median_ms(measurement: Measurement) -> float:
    return measurement.p50_ms


def ratio(
    ours: dict[int, Measurement], theirs: list[dict[int, Measurement]], value: Value, best: Callable
) -> Spread | None:
    """Ours against the best of theirs, round by round; of rounds only in which all were measured. None without any.

    `best` is `max` where more is better, else `min`.
    """
    rounds = set(ours).intersection(*theirs)
    if not rounds or not theirs:
        return None
    return spread(value(ours[number]) / best(value(peer[number]) for peer in theirs) for number in rounds)


def tail(measured: dict[int, Measurement]) -> Spread | None:
    """p99 against p50 of the same load."""
    return spread(m.p99_ms / m.p50_ms for m in measured.values()) if measured else None
