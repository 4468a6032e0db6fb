"""Preprocessing version 3, which is also implemented in Swift."""

import io

import numpy as np
import pytest
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.preprocessing import Crop
from bifrons_training.publishing import canary


def reference_row(row: np.ndarray, start: float, length: float, side: int) -> np.ndarray:
    """Applies the antialiased triangle filter to one row in floating point, written from its definition."""
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
        ((300, 200), (50, 0, 200)),
        ((200, 301), (0, 50.5, 200)),
        ((128, 128), (0, 0, 128)),
        ((1, 2), (0, 0.5, 1)),
    ],
)
def test_central_square_may_begin_on_half_a_pixel(size, box):
    assert preprocessing.central_square(*size) == box


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((40, 20, 10, 20), (30, 15, 30)),
        ((41, 20, 21, 20), (35.75, 14.25, 31.5)),
        ((0, 0, 10, 10), (0, 0, 15)),
        ((92, 50, 8, 10), (85, 45, 15)),
        ((30, 5, 40, 50), (20, 0, 60)),
        ((0, 0, 100, 60), (20, 0, 60)),
    ],
)
def test_a_faces_square_stays_in_the_image(box, square):
    assert preprocessing.face_square(box, 100, 60, margin=1.5) == square


@pytest.mark.parametrize(
    ("size", "reduction"),
    [((1, 1), 1), ((1279, 10), 1), ((10, 1280), 2), ((4000, 3000), 4), ((5119, 1), 4), ((20000, 10), 8)],
)
def test_faces_are_located_at_no_less_than_640_pixels_on_the_longer_side(size, reduction):
    assert preprocessing.locating_reduction(*size) == reduction


@pytest.mark.parametrize(("size", "fit"), [((640, 480), (320, 240)), ((3, 2), (320, 213)), ((20000, 10), (320, 1))])
def test_an_image_is_fitted_into_the_input_by_its_longer_side(size, fit):
    assert preprocessing.fitted(*size, 320) == fit


def test_an_image_without_a_face_gives_its_central_square():
    assert preprocessing.squares([], 30, 20) == [(5, 0, 20)]
    assert len(preprocessing.squares([(1, 2, 3, 4), (5, 6, 7, 8)], 30, 20)) == 2


def jpeg(width: int, height: int, **options) -> bytes:
    packed = io.BytesIO()
    pixels = np.random.default_rng(2).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((width, height)).save(packed, "JPEG", **options)
    return packed.getvalue()


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(401, 299), (17, 3), (1, 1)])
def test_every_reduction_has_the_expected_size(size, reduction):
    decoded = preprocessing.decode(jpeg(*size), reduction)
    assert decoded.image.size == tuple(-(-side // reduction) for side in size)
    assert (decoded.width, decoded.height, decoded.reduction) == (*size, reduction)


def test_images_are_turned_upright_by_their_exif_orientation():
    flag = Image.Exif()
    flag[0x0112] = 6
    decoded = preprocessing.decode(jpeg(1600, 200, exif=flag.tobytes()))
    assert (decoded.width, decoded.height, decoded.reduction) == (200, 1600, 2)
    assert decoded.image.size == (100, 800)


def test_transparency_is_blended_onto_white():
    packed = io.BytesIO()
    Image.new("RGBA", (3, 2), (255, 0, 0, 51)).save(packed, "PNG")
    decoded = preprocessing.decode(packed.getvalue())
    assert decoded.image.getpixel((1, 1)) == (255, 204, 204)


def test_small_faces_are_cut_from_a_finer_image():
    file = jpeg(2600, 1800)
    decoded = preprocessing.decode(file)
    assert decoded.reduction == 4
    large, small = (700.0, 400.0, 1024.0), (300.5, 200.0, 300.0)
    views = preprocessing.views(file, decoded, [Crop(large), Crop(small)], 128)
    assert np.array_equal(views[0], preprocessing.view(decoded, large, 128))
    assert np.array_equal(views[1], preprocessing.view(preprocessing.decode(file, 1), small, 128))


def test_resize_applies_the_triangle_filter_within_the_box():
    random = np.random.default_rng(0)
    row = random.integers(0, 256, 333)
    image = Image.fromarray(np.repeat(np.repeat(row[None, :, None], 200, 0), 3, 2).astype(np.uint8))
    x0, y0, side = preprocessing.central_square(333, 200)
    got = preprocessing.resize(image, (x0, y0, x0 + side, y0 + side), 128, 128)
    expected = reference_row(row, x0, side, 128)
    assert got.shape == (128, 128, 3)
    assert np.abs(got[64, :, 0] - expected).max() <= 0.51


def test_small_images_are_enlarged():
    image = Image.fromarray(np.full((20, 31, 3), 77, dtype=np.uint8))
    assert (preprocessing.resize(image, (0, 0, 20, 20), 128, 128) == 77).all()


def test_a_whole_image_is_written_at_the_top_left():
    tensor, size = preprocessing.whole(Image.new("RGB", (8, 3), (255, 51, 255)), 4)
    assert size == (4, 2)
    assert (tensor[0, 0, :2] == 2).all() and (tensor[0, :, 2:] == 0).all()


def test_tensor_is_planar_and_normalised():
    image = Image.new("RGB", (100, 110), (0, 255, 51))
    tensor = preprocessing.tensor(image)
    assert tensor.shape == (1, 3, preprocessing.SIDE, preprocessing.SIDE) and tensor.dtype == np.float32
    assert np.allclose(tensor[0, :, 5, 7], [-2, 2, (0.2 - 0.5) / 0.25], atol=1e-6)


def test_canary_is_reproducible_and_not_square():
    first, second = canary.draw(), canary.draw()
    assert first.size == (263, 256)
    assert np.array_equal(np.asarray(first), np.asarray(second))
