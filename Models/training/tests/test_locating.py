"""Reading a locator's cells, tested on hand-made ones. `CellReadingTests.swift` has the same cases."""

import numpy as np
import pytest

from bifrons_training.preprocessing import locating

SIDE = 64


def cells(*seen: tuple) -> np.ndarray:
    """Returns cells without faces, except for (cell, logit, left, top, right, bottom) in `seen`."""
    values = np.full((84, 15), -20, np.float32)
    for cell, *numbers in seen:
        values[cell] = [*numbers, *[0] * 10]
    return values


def boxes(*seen: tuple, size=(64, 64), scale=(1.0, 1.0), score=0.5) -> list:
    view = locating.View(SIDE, size, (SIDE, SIDE), scale)
    return [
        face.box for face in locating.read_passes([locating.Pass(cells(*seen))], view, locating.Thresholds(score, 0.4))
    ]


def test_a_box_is_relative_to_its_cells_centre_in_units_of_its_grid():
    assert boxes() == []
    assert boxes((10, 3, 1, 0.5, 2, 1)) == [(12, 8, 24, 12)]
    assert boxes((64 + 6, 3, 1, 0.5, 1, 1)) == [(24, 16, 32, 24)]
    assert boxes((80 + 1, 3, 0.5, 0.25, 0.25, 1)) == [(32, 8, 24, 40)]


def test_boxes_are_rounded_and_clipped_to_the_image():
    frame = {"size": (101, 47), "scale": (101 / 64, 47 / 30)}
    assert boxes((10, 3, 1, 1, 1, 1), **frame) == [(19, 6, 25, 25)]
    assert boxes((10, 3, 9, 9, 9, 9), **frame) == [(0, 0, 101, 47)]
    assert boxes((63, 3, 0.1, 0.1, 0.1, 0.1), **frame) == [(93, 46, 3, 1)]


def test_the_threshold_is_a_probability():
    assert boxes((10, 2.19, 1, 1, 1, 1), score=0.9) == []
    assert len(boxes((10, 2.2, 1, 1, 1, 1), score=0.9)) == 1


def test_the_most_probable_of_overlapping_boxes_is_kept():
    assert len(boxes((10, 1, 1, 1, 1, 1), (11, 3, 1, 1, 1, 1))) == 2
    assert boxes((10, 1, 2, 2, 2, 2), (11, 3, 2, 2, 2, 2)) == [(12, 0, 32, 28)]
    assert len(boxes((10, 3, 2, 2, 2, 2), (11, 2, 2, 2, 2, 2), (13, 1, 2, 2, 2, 2))) == 2
    assert boxes((11, 3, 2, 2, 2, 2), (10, 3, 2, 2, 2, 2)) == [(4, 0, 32, 28)]


def test_the_sixteen_largest_faces_are_kept_largest_first():
    seen = [(cell, 5, *[0.2 + cell / 400] * 4) for cell in range(64)]
    found = boxes(*seen)
    assert len(found) == 16
    areas = [width * height for _, _, width, height in found]
    assert areas == sorted(areas, reverse=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_cells_give_no_face(value):
    assert boxes((10, value, 1, 1, 1, 1)) == []
    for place in range(4):
        box = [1.0] * 4
        box[place] = value
        assert boxes((10, 3, *box)) == []


@pytest.mark.parametrize(
    ("quarters", "box", "eye"),
    [
        (0, (12, 8, 24, 12), (12, 8)),
        (1, (8, 12, 12, 24), (8, 36)),
        (2, (12, 28, 24, 12), (36, 40)),
        (3, (44, 12, 12, 24), (56, 12)),
    ],
)
def test_faces_of_a_turned_image_are_mapped_back_to_the_original(quarters, box, eye):
    """A face covers x 12 to 36 and y 8 to 20 of the rotated image."""
    fitted = {0: (64, 40), 1: (64, 48), 2: (48, 48), 3: (64, 40)}[quarters]
    view = locating.View(SIDE, (64, 64), fitted, (1.0, 1.0))
    seen = cells((10, 3, 1, 0.5, 2, 1))
    seen[10, 5:7] = (-1, -0.5)
    thresholds = locating.Thresholds(0.5, 0.4, (0.99, 0.5))
    (face,) = locating.read_passes([locating.Pass(seen, quarters)], view, thresholds)
    assert face.box == box
    assert tuple(face.landmarks[0]) == eye


def test_a_turned_pass_counts_if_it_finds_a_face_and_then_sets_the_threshold():
    view = locating.View(SIDE, (64, 64), (64, 64), (1.0, 1.0))
    box, other = (1.5, 1.5, 2.5, 2.5), (0.5, 0.5, 0.5, 0.5)
    upright = locating.Pass(cells((27, 1, *box), (0, 0.5, *other)))
    turned = locating.Pass(cells((27, 2, *box)), 2)

    def logits(below_score: float) -> list:
        thresholds = locating.Thresholds(0.5, 0.4, (0.99, below_score))
        return sorted(face.logit for face in locating.read_passes([upright, turned], view, thresholds))

    assert logits(0.7) == [2]
    assert logits(0.6) == [0.5, 2]
    assert logits(0.9) == [0.5, 1]
