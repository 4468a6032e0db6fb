"""The turn of a face and its upright crop. `Tests/Worker/InferenceTests/TurnTests.swift` has the same cases."""

import hashlib
import math

import numpy as np
import pytest
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.preprocessing import Decoded, turning
from bifrons_training.preprocessing.turning import LAYOUT, QUARTERS, UPRIGHT, Turn


def landmarks(degrees: float, scale: float = 1.3, middle: tuple[float, float] = (70.0, 50.0)) -> np.ndarray:
    """Returns the landmark layout rotated clockwise."""
    angle = math.radians(degrees)
    matrix = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.array(LAYOUT) @ matrix.T + middle


def direction(degrees: float) -> Turn:
    return Turn(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


@pytest.mark.parametrize("degrees", range(-179, 181))
def test_every_angle_is_computed_from_the_landmarks(degrees):
    turn = turning.turn_of(landmarks(degrees))
    nearest = round(degrees / 90)
    if abs(degrees - 90 * nearest) <= 26:
        assert turn == QUARTERS[nearest % 4] and turn.quarters == nearest % 4
        assert turn.degrees == (180.0 if abs(nearest) == 2 else 90.0 * nearest)
        assert turn.is_upright == (nearest == 0)
    elif abs(degrees - 90 * nearest) >= 27:
        assert turn.quarters is None and turn.degrees == degrees
        assert turn == pytest.approx(direction(degrees))


def test_the_turn_is_the_least_squares_solution():
    random = np.random.default_rng(2)
    for _ in range(200):
        points = landmarks(random.choice((45, 133, -50, -138)), random.uniform(0.01, 50), random.uniform(0, 900, 2))
        points = points + random.normal(0, 0.02, (5, 2)) * np.ptp(points)
        layout = np.array(LAYOUT, float)
        left, _, right = np.linalg.svd((points - points.mean(axis=0)).T @ layout)
        matrix = left @ np.diag((1, np.linalg.det(left @ right))) @ right  # Umeyama 1991.
        assert turning.turn_of(points) == pytest.approx((matrix[0, 0], matrix[1, 0]), abs=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
def test_non_finite_landmarks_give_no_turn(value):
    for place in range(10):
        points = landmarks(50)
        points.flat[place] = value
        assert turning.turn_of(points) == UPRIGHT


def test_landmarks_that_form_no_face_give_no_turn():
    assert turning.turn_of(np.zeros((5, 2))) == UPRIGHT
    assert turning.turn_of(np.full((5, 2), 3.7)) == UPRIGHT
    # In a mirror image the eyes and the corners of the mouth would have to be exchanged.
    assert turning.turn_of(landmarks(50) * (-1, 1)) == UPRIGHT
    assert turning.turn_of(landmarks(50)[[0, 3, 2, 1, 4]]) == UPRIGHT


def smooth(width: int, height: int, seed: int = 0) -> np.ndarray:
    cells = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("square", [(10.0, 20.5, 60.0), (0.0, 0.0, 100.0), (30.25, 7.5, 20.0)])
def test_a_quarter_turn_gives_the_upright_crop_of_the_turned_image(quarters, square):
    upright = smooth(140, 100)
    turned = np.rot90(upright, -quarters)
    x, y, side = square
    middle = np.array([x + side / 2, y + side / 2])
    for _ in range(quarters):  # A clockwise quarter maps (x, y) of an image of a given height to (height - y, x).
        middle = np.array([(100, 140)[_ % 2] - middle[1], middle[0]])
    there = (middle[0] - side / 2, middle[1] - side / 2, side)
    got = preprocessing.view(decoded(turned), there, 48, QUARTERS[quarters])
    expected = preprocessing.view(decoded(upright), square, 48)
    assert np.abs(got.astype(int) - expected).max() <= 1


def decoded(pixels: np.ndarray) -> Decoded:
    return Decoded(Image.fromarray(np.ascontiguousarray(pixels)), pixels.shape[1], pixels.shape[0], 1)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("square", [(10.0, 20.5, 60.0), (0.0, 0.0, 100.0), (30.25, 7.5, 20.0), (0.0, 0.0, 48.0)])
def test_the_turned_filter_equals_the_upright_one_at_quarter_turns(quarters, square):
    """They agree up to rounding, because the upright path rounds twice."""
    pixels = smooth(140, 100)
    got = turning.cut(pixels, 1, square, QUARTERS[quarters], 48)
    expected = preprocessing.view(decoded(pixels), square, 48, QUARTERS[quarters])
    assert np.abs(got.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("degrees", [27, 45, 62, 120, 135, -30, -45, -118, -150])
@pytest.mark.parametrize("side", [24, 60, 150])
def test_the_crop_of_a_turned_image_equals_the_upright_crop(degrees, side):
    """A smooth image is rotated about its centre, which stays; its size is smaller or larger than the crop's."""
    pixels = smooth(240, 240, 5)
    image = Image.fromarray(pixels)
    turned = np.asarray(image.rotate(-degrees, Image.Resampling.BICUBIC))  # Pillow rotates counter-clockwise.
    square = (120 - side / 2, 120 - side / 2, float(side))
    got = turning.cut(turned, 1, square, direction(degrees), 60).astype(int)
    expected = preprocessing.view(decoded(pixels), square, 60)
    assert np.abs(got - expected).mean() < 3


def test_an_image_of_one_colour_gives_a_crop_of_that_colour():
    for size in ((1, 1), (3, 200), (90, 61), (1300, 900)):
        pixels = np.full((*size[::-1], 3), (7, 130, 250), np.uint8)
        for side in (1.0, 30.5, float(min(size))):
            square = ((size[0] - side) / 2, (size[1] - side) / 2, side)
            assert (turning.cut(pixels, 1, square, direction(40), 16) == (7, 130, 250)).all()


def test_pixels_beyond_the_image_repeat_its_border():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, -1], pixels[:, 0] = 255, 90
    got = turning.cut(pixels, 1, (0.0, 0.0, 64.0), direction(45), 64)
    # The crop's top right corner lies to the right of the image, its bottom left one to the left.
    assert (got[0, 63] == 255).all() and (got[63, 0] == 90).all()
    assert (got[0, 0] == 0).all() and (got[63, 63] == 0).all() and (got[31, 31] == 0).all()


@pytest.mark.parametrize("block", [2, 3, 5])
def test_block_means_average_all_pixels_of_their_block(block):
    pixels = smooth(601, 403, 3)
    means = turning._means(pixels, block)
    assert means.shape == (-(-403 // block), -(-601 // block), 3)
    for y, x in ((0, 0), (7, 11), (means.shape[0] - 1, means.shape[1] - 1)):
        part = pixels[y * block : (y + 1) * block, x * block : (x + 1) * block].reshape(-1, 3)
        assert np.abs(means[y, x] - part.mean(axis=0)).max() <= 0.5


def test_a_turned_faces_square_is_as_large_as_an_upright_faces():
    """An ellipse's upright box keeps its diagonal under rotation; the longer axis of a 4:3 ellipse is 0.8 of it."""
    sides = []
    for degrees in range(0, 180, 5):
        angle = math.radians(degrees)
        width = 2 * math.hypot(30 * math.cos(angle), 40 * math.sin(angle))
        height = 2 * math.hypot(30 * math.sin(angle), 40 * math.cos(angle))
        box = (round(200 - width / 2), round(200 - height / 2), round(width), round(height))
        turn = turning.turn_of(landmarks(degrees))
        x, y, side = preprocessing.face_square(box, 400, 400, 1.6, turn)
        sides.append(side)
        assert (x + side / 2, y + side / 2) == pytest.approx((200, 200), abs=0.51)
    assert min(sides) > 0.9 * 1.6 * 80 and max(sides) <= 1.6 * 81


CUTS = [
    ((0.8, 0.6), (20.5, 10.25, 13.0), 1, 24, "e4bcc85c"),
    ((-0.6, 0.8), (20.0, 10.0, 60.0), 1, 24, "536299f4"),
    ((0.6, -0.8), (3.0, 1.0, 130.7), 1, 24, "f640d387"),
    ((-0.8, -0.6), (0.0, 0.0, 140.0), 1, 16, "404ea685"),
    ((0.28, 0.96), (100.0, 40.0, 300.0), 4, 24, "583d4a5a"),
    ((0.8, 0.6), (0.0, 0.0, 1.0), 1, 8, "3927594b"),
    ((0.96, 0.28), (150.0, 139.0, 1.0), 1, 8, "d190aa01"),
    ((0.0, 1.0), (11.0, 12.0, 100.0), 1, 32, "5ac63d09"),
]
"""Turn, square, reduction, side and digest: squares smaller than the crop, larger, so large that means are taken first,
beyond the border, and of a reduced image."""


def noise(width: int, height: int) -> np.ndarray:
    """Returns an image of bytes that every language can generate."""
    state, values = 7, []
    for _ in range(width * height * 3):
        state = (state * 1_103_515_245 + 12345) & 0x7FFFFFFF
        values.append(state >> 16 & 255)
    return np.array(values, np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize("case", CUTS)
def test_turned_crops_equal_those_of_serving_byte_for_byte(case):
    (cosine, sine), square, reduction, side, digest = case
    cut = turning.cut(noise(151, 140), reduction, square, Turn(cosine, sine), side)
    assert hashlib.sha256(cut.tobytes()).hexdigest()[:8] == digest
