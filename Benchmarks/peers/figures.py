"""Statistics over rounds of measurements: medians with their spread, and ratios taken within a round."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

ALONE, BESIDE = "alone", "beside idle peers"
"""The two settings of a measured load: Bifrons by itself, or with idle peers on the same machine."""


@dataclass(frozen=True)
class Measurement:
    """The result of one load in one round: verdicts per second, latencies in milliseconds and the number of answers."""

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
    """The median over the rounds, with the minimum and the maximum."""

    median: float
    least: float
    greatest: float


def spread(numbers: Iterable[float]) -> Spread:
    values = list(numbers)
    return Spread(statistics.median(values), min(values), max(values))


class Rounds:
    """All measurements of a run, grouped by system, interface, scene, jobs in flight and setting."""

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self._by_key: dict[tuple[str, str, str, int, str], dict[int, Measurement]] = {}
        for m in measurements:
            self._by_key.setdefault((m.system, m.interface, m.scene, m.in_flight, m.setting), {})[m.round] = m

    def of(
        self, system: str, interface: str, scene: str, in_flight: int, setting: str = ALONE
    ) -> dict[int, Measurement]:
        """Returns the measurements of one load by round; empty if it was never measured."""
        return self._by_key.get((system, interface, scene, in_flight, setting), {})


Value = Callable[[Measurement], float]


def rate(measurement: Measurement) -> float:
    return measurement.per_second


def median_ms(measurement: Measurement) -> float:
    return measurement.p50_ms


def ratio(
    ours: dict[int, Measurement],
    theirs: list[dict[int, Measurement]],
    value: Value,
    best: Callable[[Iterable[float]], float],
) -> Spread | None:
    """Returns our value divided by the best peer's, taken within each round in which all systems were measured.

    `best` is `max` for values where more is better, otherwise `min`. Returns None without a common round or a peer.
    """
    rounds = set(ours).intersection(*theirs)
    if not rounds or not theirs:
        return None
    return spread(value(ours[number]) / best(value(peer[number]) for peer in theirs) for number in rounds)


def tail(measured: dict[int, Measurement]) -> Spread | None:
    """Returns the ratio of p99 to p50 within each load; None without measurements."""
    return spread(m.p99_ms / m.p50_ms for m in measured.values()) if measured else None
