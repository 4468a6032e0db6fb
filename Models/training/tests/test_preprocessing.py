"""Preprocessing version 1, whose other half is written in Swift."""

import numpy as np
import pytest
from PIL import Image

import canary
import preprocessing


def reference_row(row: np.ndarray, start: float, length: float, side: int) -> np.ndarray:
    """The antialiased triangle filter of one row in floating point, written from its definition."""
    scale = length / side
    support = max(scale, 1.0)
    result = []
    for i in range(side):
        centre = start + (i + 0.5) * scale
        places = np.arange(max(0, int(centre - support + 0.5)), min(len(row), int(centre + support + 0.5)))
        weights = np.maximum(0, 1 - np.abs((places + 0.5 - centre) / support))
        result.append((row[places] * weights).sum() / weights.sum())
    return np.array(result)


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((300, 200), (50, 0, 250, 200)),
        ((200, 301), (0, 50.5, 200, 250.5)),
        ((128, 128), (0, 0, 128, 128)),
        ((1, 2), (0, 0.5, 1, 1.5)),
    ],
)
def test_central_square_may_stand_on_halves(size, box):
    assert preprocessing.central_square(*size) == box


def test_resize_is_the_triangle_filter_of_the_box():
    random = np.random.default_rng(0)
    row = random.integers(0, 256, 333)
    picture = Image.fromarray(np.repeat(np.repeat(row[None, :, None], 200, 0), 3, 2).astype(np.uint8))
    x0, _, x1, _ = preprocessing.central_square(333, 200)
    got = preprocessing.pixels(picture)
    expected = reference_row(row, x0, x1 - x0, preprocessing.SIDE)
    assert got.shape == (128, 128, 3)
    assert np.abs(got[64, :, 0] - expected).max() <= 0.51


def test_small_pictures_are_enlarged():
    picture = Image.fromarray(np.full((20, 31, 3), 77, dtype=np.uint8))
    assert (preprocessing.pixels(picture) == 77).all()


def test_tensor_is_planar_and_normalised():
    picture = Image.new("RGB", (128, 128), (0, 255, 51))
    tensor = preprocessing.tensor(picture)
    assert tensor.shape == (1, 3, 128, 128) and tensor.dtype == np.float32
    assert np.allclose(tensor[0, :, 5, 7], [-2, 2, (0.2 - 0.5) / 0.25], atol=1e-6)


def test_canary_is_the_same_every_time_and_not_square():
    first, second = canary.draw(), canary.draw()
    assert first.size == (263, 256)
    assert np.array_equal(np.asarray(first), np.asarray(second))
