"""Training views: right shape, same seed same view, never outside the picture."""

import numpy as np
import pytest
from PIL import Image

import augmentation


@pytest.mark.parametrize("size", [(256, 256), (178, 218), (61, 40)])
def test_views_are_uint8_squares_and_repeat_with_their_seed(size):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    for seed in range(40):
        first, second = (augmentation.augment(picture, (0.0, 2.0, 30.5), np.random.default_rng(seed)) for _ in range(2))
        assert first.shape == (128, 128, 3) and first.dtype == np.uint8
        assert np.array_equal(first, second)


def test_boxes_are_squares_inside_the_picture():
    random = np.random.default_rng(1)
    for _ in range(500):
        x0, y0, x1, y1 = augmentation.random_box((60.0, 20.5, 110.0), 200, 131, random)
        assert 0 <= x0 < x1 <= 200 and 0 <= y0 < y1 <= 131
        assert x1 - x0 == pytest.approx(y1 - y0)
