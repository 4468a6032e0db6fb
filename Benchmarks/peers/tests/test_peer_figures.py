"""The statistics of the comparison, checked against numbers worked out by hand."""

import pytest

from figures import Measurement, Rounds, Spread, median_ms, rate, ratio, spread, tail
from promises import promises
from support.load import percentile


def measured(
    round: int,
    system: str,
    per_second: float = 10,
    p50: float = 20,
    p99: float = 30,
    in_flight: int = 32,
    scene: str = "portrait",
    interface: str = "HTTP",
    setting: str = "alone",
) -> Measurement:
    return Measurement(round, system, interface, scene, in_flight, per_second, p50, p99, 100, setting)


def test_spread_has_median_minimum_and_maximum():
    assert spread([5, 1, 4]) == Spread(4, 1, 5)
    assert spread([3, 1]) == Spread(2, 1, 3)


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [(1, 50, 1), (1, 99, 1), (2, 50, 1), (100, 99, 99), (101, 99, 100), (1000, 50, 500)],
)
def test_percentile_is_a_measured_value(count: int, percent: float, expected: float):
    assert percentile([float(n) for n in range(1, count + 1)], percent) == expected


def test_ratio_compares_with_the_best_of_the_same_round():
    rounds = Rounds(
        [
            measured(0, "ours", 30),
            measured(0, "a", 10),
            measured(0, "b", 20),
            # In this round everything is half as fast, and the other peer is faster.
            measured(1, "ours", 15),
            measured(1, "a", 12),
            measured(1, "b", 8),
        ]
    )
    of = [rounds.of(name, "HTTP", "portrait", 32) for name in ("ours", "a", "b")]
    assert ratio(of[0], of[1:], rate, max) == Spread((1.5 + 1.25) / 2, 1.25, 1.5)
    assert ratio(of[0], of[1:], rate, min) == Spread((3 + 15 / 8) / 2, 15 / 8, 3)


def test_ratio_ignores_incomplete_rounds():
    rounds = Rounds([measured(0, "ours", 30), measured(0, "a", 10), measured(1, "ours", 99), measured(2, "a", 1)])
    ours, theirs = (rounds.of(name, "HTTP", "portrait", 32) for name in ("ours", "a"))
    assert ratio(ours, [theirs], rate, max) == Spread(3, 3, 3)
    assert ratio(ours, [theirs, {}], rate, max) is None
    assert ratio(ours, [], rate, max) is None
    assert ratio({}, [theirs], median_ms, min) is None


def test_loads_of_different_kinds_are_not_mixed():
    rounds = Rounds(
        [
            measured(0, "ours", 1),
            measured(0, "ours", 2, in_flight=1),
            measured(0, "ours", 3, scene="group"),
            measured(0, "ours", 4, interface="ZeroMQ"),
            measured(0, "ours", 5, setting="beside idle peers"),
        ]
    )
    assert [m.per_second for m in rounds.of("ours", "HTTP", "portrait", 32).values()] == [1]
    assert [m.per_second for m in rounds.of("ours", "ZeroMQ", "portrait", 32).values()] == [4]
    assert [m.per_second for m in rounds.of("ours", "HTTP", "portrait", 32, "beside idle peers").values()] == [5]
    assert rounds.of("ours", "HTTP", "large", 32) == {}


def test_tail_is_the_ratio_of_percentiles_within_a_load():
    rounds = Rounds([measured(0, "ours", p50=20, p99=30), measured(1, "ours", p50=10, p99=40)])
    assert tail(rounds.of("ours", "HTTP", "portrait", 32)) == Spread(2.75, 1.5, 4)
    assert tail({}) is None


def run(ours: float, int8: float, peer: float, locating: float, p50: float, tails: tuple[float, float]) -> Rounds:
    single = {"in_flight": 1}
    beside = {"scene": "tails", "interface": "ZeroMQ", "in_flight": 1, "p50": 20}
    return Rounds(
        [
            measured(0, "bifrons-f32", ours, interface="ZeroMQ"),
            measured(0, "bifrons-int8", int8, interface="ZeroMQ"),
            measured(0, "mosec", peer),
            measured(0, "litserve", peer / 2),
            measured(0, "mosec-locating", locating),
            measured(0, "bifrons-f32", p50=p50, interface="ZeroMQ", **single),
            measured(0, "mosec", p50=20, **single),
            measured(0, "litserve", p50=40, **single),
            measured(0, "bifrons-f32", p99=tails[0], **beside),
            measured(0, "bifrons-f32", p99=tails[1], setting="beside idle peers", **beside),
        ]
    )


def test_promise_met_exactly_is_kept():
    kept = promises(run(100, 200, 100, 80, 21, (30, 30)))
    assert [promise.kept for promise in kept] == [True] * 6
    assert [promise.measured.median for promise in kept] == [1, 1.25, 2, 1.05, 1.5, 1.5]


def test_missed_promises_are_reported():
    missed = promises(run(99, 199, 100, 80, 21.2, (31, 40)))
    assert [promise.kept for promise in missed] == [False] * 6


def test_promises_without_measurements_are_omitted():
    assert promises(Rounds([measured(0, "bifrons-f32", interface="ZeroMQ")])) == []
