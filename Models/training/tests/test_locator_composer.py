"""The locator's compositions and the division of its data, tested on a synthetic folder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bifrons_training.errors import DataError
from bifrons_training.locator import catalogue, composition, targets
from bifrons_training.locator.composer import Composer
from bifrons_training.locator.composition import Composition
from bifrons_training.preprocessing import turning

POINTS = "".join(f",{name}_{axis}" for name in catalogue.LANDMARKS for axis in "xy")
SCENES = f"path,source,width,height,face,box_x,box_y,box_w,box_h{POINTS},detector_score"
FACES = f"path,split,label,source,generator,group,box_x,box_y,box_w,box_h{POINTS}"


def random_image(random: np.random.Generator, side: int) -> Image.Image:
    cells = random.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)


def points(x: float, y: float, side: float) -> str:
    places = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    return "".join(f",{x + side * u},{y + side * v}" for u, v in places)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Returns a folder with crops of both splits and classes, and scenes that show the same face as some crops."""
    folder, random = tmp_path_factory.mktemp("faces"), np.random.default_rng(8)
    crops, lines = [], []
    for number in range(24):
        split, label = (
            ("val" if number % 4 == 0 else "train"),
            ("real", "ai_generated")[number % 2 if number % 4 else 0],
        )
        path = f"{split}/{label}/cam_{number:05}.png"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        crop = random_image(random, 120)
        crop.save(folder / path)
        crops.append(crop)
        lines.append(f"{path},{split},{label},cam_{label},,g{number},20,20,80,80{points(20, 20, 80)}")
    path = "val/ai_generated/cam_99999.png"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    random_image(random, 120).save(folder / path)
    lines.append(f"{path},val,ai_generated,cam_ai_generated,,g99,20,20,80,80{points(20, 20, 80)}")
    (folder / "faces.csv").write_text("\n".join([FACES, *lines]) + "\n")
    rows = []
    (folder / "scenes").mkdir()
    for number in range(24):
        scene = random_image(random, 240)
        scene.paste(crops[number].resize((60, 60)), (100, 90))
        scene.save(folder / f"scenes/cam_{number:05}.png")
        rows.append(f"scenes/cam_{number:05}.png,cam,240,240,0,110,100,40,40{points(110, 100, 40)},0.9")
    (folder / "scenes.csv").write_text("\n".join([SCENES, *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def composer(folder) -> Composer:
    return Composer.of(folder, catalogue.divide(folder))


def test_a_photograph_is_either_held_out_or_trained_on(folder):
    split = catalogue.divide(folder)
    judged = {scene.group for scene in split.held_out}
    assert len(split.held_out) + len(split.scenes) == 24
    assert judged and not judged & {crop.group for crop in split.crops}
    assert not judged & {scene.group for scene in split.scenes}
    # A scene whose face belongs to a validation crop is held out.
    assert {f"cam_real/g{number}" for number in range(0, 24, 4)} <= judged
    assert not any(crop.path.startswith("val/") for crop in split.crops)


def test_a_composition_is_determined_by_its_seed(composer):
    for seed in range(30):
        first, second = composer.compose(seed), composer.compose(seed)
        assert np.array_equal(first.pixels, second.pixels) and np.array_equal(first.boxes, second.boxes)


def test_clutter_has_no_faces_and_is_determined_by_its_seed(composer):
    for seed in range(60):
        made = composer.clutter(seed, 160)
        assert max(made.pixels.shape[:2]) == 160 and made.pixels.dtype == np.uint8
        assert len(made.boxes) == len(made.points) == len(made.ignored) == 0
        assert np.array_equal(made.pixels, composer.clutter(seed, 160).pixels)


def test_decoys_may_hide_faces_and_are_not_faces(composer, monkeypatch):
    """A decoy that covers a face removes it from the required ones; a decoy beside a face leaves it unchanged."""
    faces = composition.PlacedFaces(np.array([[10.0, 10, 50, 50]]), np.zeros((1, 5, 2)), np.ones(1))
    black = np.zeros((320, 320, 3), np.uint8)
    shares = []
    for seed in range(60):
        image, left = composer._paste_decoys(np.random.default_rng(seed), black, faces)
        assert image.shape == black.shape and image.any() and not black.any()
        assert np.array_equal(left.boxes, faces.boxes)
        shares.append(left.visible[0])
        changed = image[10:50, 10:50].any(axis=2).mean()
        assert left.visible[0] >= 0 and (left.visible[0] == 1 or changed > 0)
    assert 0.2 < np.mean(np.array(shares) == 1) < 0.98


def test_boxes_lie_in_the_image_and_have_landmarks(composer):
    counts = []
    for seed in range(150):
        made = composer.compose(seed)
        height, width = made.pixels.shape[:2]
        assert made.pixels.dtype == np.uint8 and max(width, height) == composition.SIDE
        assert len(made.boxes) == len(made.points) == len(made.ignored)
        if len(made.boxes):
            assert made.boxes.min() >= 0 and (made.boxes[:, 2:] <= (width, height)).all()
            assert (made.boxes[:, 2:] - made.boxes[:, :2] >= 2).all()
        counts.append(len(made.boxes))
    assert max(counts) >= 3 and counts.count(0) >= 5


def test_the_box_of_a_turned_face_encloses_its_ellipse():
    random = np.random.default_rng(3)
    for _ in range(50):
        x, y, width, height = random.uniform(5, 80, 4)
        matrix = composition.similarity(
            random.uniform(0.2, 3),
            random.uniform(-45, 45),
            np.zeros(2),
            random.uniform(-9, 9, 2),
            random.random() < 0.5,
        )
        angles = np.linspace(0, 2 * np.pi, 2000)
        rim = np.stack([x + width / 2 * (1 + np.cos(angles)), y + height / 2 * (1 + np.sin(angles))], axis=1)
        rim = composition.move_points(rim, matrix)
        box = composition.move_boxes(np.array([[x, y, x + width, y + height]]), matrix)[0]
        assert np.allclose(box, [*rim.min(axis=0), *rim.max(axis=0)], atol=0.02)


def test_a_similarity_maps_the_source_to_the_target():
    matrix = composition.similarity(2, 30, np.array([3, 4]), np.array([50, 60]), True)
    assert np.allclose(composition.move_points(np.array([3.0, 4.0]), matrix), [50, 60])
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(-4)


def composed(*boxes: tuple, ignored: tuple = ()) -> Composition:
    count = len(boxes)
    flags = np.array([number in ignored for number in range(count)], bool)
    return Composition(
        np.zeros((320, 320, 3), np.uint8),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros((count, 5, 2), np.float32),
        flags,
    )


def test_every_face_is_learned_by_cells_of_its_size():
    for side, level in ((10, 8), (30, 8), (40, 16), (100, 32), (300, 32)):
        state, values = targets.assign(composed((7, 9, 7 + side, 9 + side)))
        seen = state == targets.FACE
        assert seen.any()
        assert level in set(targets.grid(composition.SIDE)[1][seen])
        assert (values[seen, :4] == (7, 9, 7 + side, 9 + side)).all()


def test_ignored_faces_are_neither_positive_nor_negative_targets():
    state, _ = targets.assign(composed((100, 100, 200, 200), ignored=(0,)))
    assert not (state == targets.FACE).any() and (state == targets.IGNORED).sum() > 100


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("box_w", "box_q", 1), "lacks the column 'box_w'"),
        (lambda text: text.replace(",110,100,40,40,", ",110,100,wide,40,", 1), r"line 2: box_w is 'wide'"),
        (lambda text: text.replace(",110,100,40,40,", ",110,100,0,40,", 1), "line 2: the face box is empty"),
        (lambda text: text.replace(",110,100,40,40,", ",410,100,40,40,", 1), "line 2: the face box lies outside"),
        (lambda text: text.replace("scenes/cam_00003", "scenes/gone", 1), r"scenes/gone\.png is listed"),
        (lambda text: text.split("\n")[0] + "\n", "lists no faces"),
    ],
)
def test_errors_in_the_scenes_table_are_reported_in_one_sentence(folder, tmp_path, change, words):
    (tmp_path / "scenes").symlink_to(folder / "scenes")
    (tmp_path / "scenes.csv").write_text(change((folder / "scenes.csv").read_text()))
    with pytest.raises(DataError, match=words):
        catalogue.read_scenes(tmp_path)


def test_missing_scenes_are_named(tmp_path):
    with pytest.raises(DataError, match=r"scenes\.csv is missing"):
        catalogue.read_scenes(tmp_path)


def test_an_unreadable_scene_is_named(folder, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    with pytest.raises(DataError, match=r"broken\.jpg is not a readable image"):
        catalogue.read_pixels(tmp_path, "broken.jpg")


def test_faces_occur_at_every_angle_and_many_upright(composer):
    """The angles are those of the landmarks; mirrored faces have their right and left landmarks exchanged."""
    angles = []
    for seed in range(300):
        for points in composer.compose(seed).points:
            along, across = turning.direction(points)
            angles.append(np.degrees(np.arctan2(across, along)))
    counts, _ = np.histogram(angles, bins=np.arange(-180, 181, 30))
    assert counts.min() > 0.01 * len(angles)
    assert (np.abs(angles) < 20).mean() > 0.35


@pytest.mark.parametrize("degrees", [0, 45, 90, 200, 345])
def test_a_scene_is_rotated_clockwise_for_measuring(composer, degrees):
    made = composer.rotated(composer.scenes[0], degrees)
    along, across = turning.direction(made.points[0])
    assert np.degrees(np.arctan2(across, along)) % 360 == pytest.approx(degrees, abs=0.01)


def test_the_box_of_a_turned_face_keeps_its_centre_and_diagonal():
    box = np.array([[10.0, 20.0, 40.0, 62.0]])
    for degrees in range(0, 360, 7):
        matrix = composition.similarity(1, degrees, np.array([25, 41]), np.array([25, 41]))
        x0, y0, x1, y1 = composition.move_boxes(box, matrix)[0]
        assert np.hypot(x1 - x0, y1 - y0) == pytest.approx(np.hypot(30, 42))
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((25, 41))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_a_turned_composition_keeps_its_faces(quarters, mirrored):
    """A face is a bright box with dark dots as landmarks; the numbers must match the pixels for both."""
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[10:40, 20:44] = 200
    points = np.array([[[25.5, 15.5], [36.5, 14.5], [31.5, 22.5], [27.5, 33.5], [38.5, 32.5]]], np.float32)
    for index, (x, y) in enumerate(points[0].astype(int)):
        pixels[y, x] = 10 * (index + 1)
    made = Composition(pixels, np.array([[20, 10, 44, 40]], np.float32), points, np.array([False]))
    turned = made.turned(quarters, mirrored)
    assert turned.pixels.shape == ((60, 90, 3) if quarters % 2 == 0 else (90, 60, 3))
    x0, y0, x1, y1 = turned.boxes[0].astype(int)
    assert (turned.pixels[y0:y1, x0:x1] > 0).all() and (turned.pixels > 0).sum() == 3 * 24 * 30
    found = [turned.pixels[int(y), int(x), 0] for x, y in turned.points[0]]
    # Mirroring exchanges right and left.
    assert found == ([20, 10, 30, 50, 40] if mirrored else [10, 20, 30, 40, 50])
    along, across = turning.direction(turned.points[0])
    assert round(np.degrees(np.arctan2(across, along)) / 90) % 4 == quarters
