"""Training views: shape, reproducibility, the same changes for both images of a pair, independence of the label."""

import numpy as np
import pytest
from PIL import Image

from bifrons_training.augmentation import transforms
from bifrons_training.evaluation.conditions import CONDITIONS, changed
from bifrons_training.preprocessing import Crop


def texture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(256, 256), (178, 218), (61, 40)])
@pytest.mark.parametrize("upsampling", [None, True, False])
def test_views_are_uint8_squares_and_reproducible_by_seed(size, upsampling):
    for seed in range(60):
        first, second = (
            transforms.augment(texture(*size), Crop((0.0, 2.0, 30.5)), np.random.default_rng(seed), 96, upsampling)
            for _ in range(2)
        )
        assert first.shape == (96, 96, 3) and first.dtype == np.uint8
        assert np.array_equal(first, second)


def test_the_number_of_random_draws_does_not_depend_on_the_content():
    """The chain draws as many random numbers for one image as for another of the same size."""
    for seed in range(40):
        randoms = [np.random.default_rng(seed) for _ in range(2)]
        for random, content in zip(randoms, (0, 1), strict=True):
            transforms.augment(texture(120, 120, content), Crop((10.0, 10.0, 90.0)), random, 64)
        assert randoms[0].random() == randoms[1].random()


def test_simulated_upsampling_leaves_a_trace_that_ordinary_resizing_does_not():
    """The trace has a period of two pixels, so adjacent columns differ in brightness."""
    smooth = np.tile(np.linspace(40, 210, 128)[None, :, None], (128, 1, 3)).astype(np.uint8)

    def alternation(image):
        gray = image.mean(2)
        return np.abs(gray[:, ::2].mean() - gray[:, 1::2].mean() - np.diff(gray.mean(0)).mean() * -1)

    traces = {True: [], False: []}
    for seed in range(30):
        for simulated in traces:
            made = transforms.upsample(smooth, np.random.default_rng(seed), simulated)
            traces[simulated].append(alternation(made))
    assert np.median(traces[True]) > 3 * np.median(traces[False])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_keep_the_square_inside_the_image(condition):
    for size in ((256, 256), (150, 217), (61, 40)):
        image, (x, y, side) = changed(Image.fromarray(texture(*size)), (3.0, 2.0, 37.0), condition)
        assert side > 0 and x >= 0 and y >= 0
        assert x + side <= image.width + 1e-6 and y + side <= image.height + 1e-6


def test_closer_framing_keeps_the_centre():
    image = Image.fromarray(texture(200, 150))
    same, square = changed(image, (60.0, 40.0, 80.0), "framed closer")
    assert same is image and np.allclose(square, (68, 48, 64))


def test_blurring_a_face_leaves_its_surroundings_unchanged():
    image = Image.fromarray(texture(100, 100))
    hidden, square = changed(image, (20.0, 20.0, 50.0), "face blurred")
    before, after = np.asarray(image).astype(int), np.asarray(hidden).astype(int)
    inside = np.zeros((100, 100), bool)
    inside[25:65, 25:65] = True
    assert square == (20.0, 20.0, 50.0)
    assert np.array_equal(after[~inside], before[~inside]) and after[inside].std() < before[inside].std() / 5
