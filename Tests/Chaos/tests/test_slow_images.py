"""Tests how slow images affect small ones: how the guarantees are judged, and whether the service keeps them."""

import os
from dataclasses import replace

import pytest

import slow_images
from support.load import Answer, Outcome
from support.programs import MODELS, built


def outcome(seconds: float, *statuses: int) -> Outcome:
    return Outcome([Answer(status, seconds, 1.0, 0, 1000 * seconds) for status in statuses or [200] * 100])


KEPT = slow_images.Measured(
    80.0, outcome(0.05), outcome(0.09), [{"status": 200, "total_ms": 4000}] * 5 + [{"status": 408, "total_ms": 5001}]
)


def test_kept_guarantees_are_recognised():
    assert all(is_kept for is_kept, _ in slow_images.promises(KEPT))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"without": outcome(0.05, 200, 206)}, "without slow ones has its verdict"),
        ({"beside": outcome(0.09, 200, 408)}, "beside slow ones has its verdict"),
        ({"beside": outcome(0.09, 200, 429)}, "beside slow ones has its verdict"),
        ({"beside": Outcome(outcome(0.09).answers, unanswered=1)}, "beside slow ones has its verdict"),
        ({"beside": outcome(0.11)}, "p99"),
        ({"slow": KEPT.slow[1:]}, "within its budget"),
        ({"slow": [*KEPT.slow[1:], {"status": 408, "total_ms": 5200}]}, "within its budget"),
        ({"slow": [*KEPT.slow[1:], {"status": 206, "total_ms": 100}]}, "within its budget"),
        ({"slow": [*KEPT.slow[1:], {"status": 429, "total_ms": 100}]}, "within its budget"),
    ],
)
def test_broken_guarantees_are_reported(changes, what):
    broken = [promise for is_kept, promise in slow_images.promises(replace(KEPT, **changes)) if not is_kept]
    assert len(broken) == 1 and what in broken[0]


@pytest.mark.skipif("BIFRONS_SLOW_IMAGES" not in os.environ, reason="takes an idle machine, jpegtran and `make build`")
def test_the_service_keeps_its_guarantees_for_small_images_beside_slow_ones(tmp_path):
    measured = slow_images.SlowImages(tmp_path, MODELS, built(), seconds=12).measure()
    assert [promise for is_kept, promise in slow_images.promises(measured) if not is_kept] == []
