"""A resumed comparison reuses earlier rounds only if they were measured under the same conditions."""

import argparse
import json

import pytest

import compare
from figures import Measurement
from loads import LoadError

MACHINE = "2 cores of a test"


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "PACKAGES", ("pytest",))
    options = argparse.Namespace(scenes=None, seconds=5, warm_up=1, bin=tmp_path, precisions=["f32"], systems=["mosec"])
    return compare.Comparison(options, tmp_path)


def test_rounds_already_measured_are_kept(comparison, tmp_path):
    assert comparison.resume(tmp_path, MACHINE) == 0
    row = Measurement(0, "mosec", "HTTP", "portrait", 1, 20.5, 48.0, 60.0, 99)
    comparison.measurements, comparison.errors = [row], ["an answer was wrong"]
    comparison.write(tmp_path, MACHINE, 1)
    comparison.measurements, comparison.errors = [], []
    assert comparison.resume(tmp_path, MACHINE) == 1
    assert comparison.measurements == [row] and comparison.errors == ["an answer was wrong"]


@pytest.mark.parametrize(("field", "value"), [("machine", "another"), ("versions", {}), ("seconds", 3)])
def test_rounds_of_another_measurement_are_refused(comparison, tmp_path, field, value):
    comparison.write(tmp_path, MACHINE, 1)
    file = tmp_path / "peers.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))
    with pytest.raises(LoadError, match=f"was measured with {field}"):
        comparison.resume(tmp_path, MACHINE)
