"""Rotated faces on a canvas: evenly chosen, whole and centred."""

import numpy as np
import pytest
from PIL import Image

from bifrons_training.data.catalogue import Face
from bifrons_training.experiments import turned


def face(split: str, label: int, source: str, number: int) -> Face:
    return Face(f"{source}/{number}.jpg", split, label, source, "", f"g{number}")


def test_faces_are_chosen_evenly_from_all_sources():
    faces = [face("val", 1, source, n) for source, count in (("a", 1), ("b", 9), ("c", 3)) for n in range(count)]
    faces += [face("train", 1, "d", 0), face("val", 0, "e", 0)]
    chosen = turned.chosen(faces, 1, 7)
    assert [f.source for f in chosen] == ["a", "b", "c", "b", "c", "b", "c"]
    assert len({f.path for f in chosen}) == 7
    assert len(turned.chosen(faces, 1, 99)) == 13 and len(turned.chosen(faces, 0, 5)) == 1


@pytest.mark.parametrize("degrees", [0, 15, 90, 135, 270])
def test_a_turned_image_is_complete_and_centred(degrees):
    image = Image.new("RGB", (60, 40), "red")
    image.paste("blue", (0, 0, 60, 6))
    canvas = np.asarray(turned.on_canvas(image, degrees)).astype(int)
    assert canvas.shape[0] == canvas.shape[1]
    inside = np.abs(canvas - turned.BACKGROUND).sum(axis=2) > 60
    assert inside.sum() == pytest.approx(60 * 40, rel=0.03)
    middle = (canvas.shape[0] - 1) / 2
    y, x = (axis.mean() - middle for axis in np.nonzero(inside))
    assert abs(x) < 1 and abs(y) < 1
    # Clockwise: after a quarter, the top is at the right.
    y, x = (axis.mean() - middle for axis in np.nonzero((canvas[..., 2] - canvas[..., 0]) > 100))
    assert np.degrees(np.arctan2(x, -y)) % 360 == pytest.approx(degrees, abs=3) or degrees == 0


def test_the_table_has_a_row_for_every_angle():
    rows = {degrees: turned.Row(generated=40, missed=3, real=40, called_generated=2) for degrees in (0, 15)}
    assert turned.table(rows).splitlines()[2:] == [
        "| 0° | 3 of 40 | 2 of 40 | 0 of 80 |",
        "| 15° | 3 of 40 | 2 of 40 | 0 of 80 |",
    ]
