"""The validation of the data folder: any fault gives one sentence before any training."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bifrons_training.data.catalogue import SEALED, TRAINED_BEFORE, WATCHED, Face, family, read_catalogue
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.data.splits import Splits
from bifrons_training.errors import DataError
from bifrons_training.preprocessing.turning import UPRIGHT

HEAD = "path,split,label,source,generator,group"
ROWS = [
    "train/real/a.jpg,train,real,cam,,g1",
    "train/real/b.jpg,train,real,cam,,g2",
    "train/ai_generated/a.jpg,train,ai_generated,gan,GAN,g1",
    "val/real/a.jpg,val,real,cam,,g3",
    "val/ai_generated/a.jpg,val,ai_generated,gan,GAN,g4",
]


def lay_out(folder: Path, rows: list[str]) -> Path:
    """Writes a data folder of tiny images."""
    for row in rows:
        file = folder / row.split(",")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((9, 12, 3), len(row), dtype=np.uint8)).save(file)
    (folder / "faces.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    return folder


class Finder:
    """Finds one face in every image that is wider than high."""

    digest = "of a test"

    def stances(self, decoded):
        return [((2, 3, 4, 5), UPRIGHT)] if decoded.width > decoded.height else []


def test_good_folder_is_read_and_decoded_once(tmp_path):
    faces = read_catalogue(lay_out(tmp_path / "faces", ROWS))
    assert [face.label for face in faces] == [0, 0, 1, 0, 1]
    cache = PixelCache(tmp_path / "faces", tmp_path / "cache", faces, Finder())
    assert cache.image(2).size == (12, 9)
    written = (tmp_path / "cache" / "pixels.bin").stat().st_mtime_ns
    PixelCache(tmp_path / "faces", tmp_path / "cache", faces, Finder())
    assert (tmp_path / "cache" / "pixels.bin").stat().st_mtime_ns == written


def test_generated_faces_of_another_folder_are_added_and_change_the_cache(tmp_path):
    folder = lay_out(tmp_path / "faces", ROWS)
    made = lay_out(tmp_path / "made", ["train/ai_generated/n.png,train,ai_generated,made,Made,n"])
    faces = read_catalogue(folder, [made])
    assert [face.source for face in faces] == ["cam", "cam", "gan", "cam", "gan", "made"]
    alone = PixelCache(folder, tmp_path / "cache", faces[:-1], Finder())
    joined = PixelCache(folder, tmp_path / "cache", faces, Finder())
    assert joined.identity != alone.identity
    assert np.array_equal(joined.image(5), Image.open(made / "train/ai_generated/n.png"))
    assert faces[5] in [faces[p] for p in Splits.of(faces).train + Splits.of(faces).calibration]
    with pytest.raises(DataError, match="no real image"):
        read_catalogue(made)


def test_crops_are_of_the_largest_face_or_the_central_square(tmp_path):
    faces = read_catalogue(lay_out(tmp_path / "faces", ROWS))
    Image.new("RGB", (9, 12)).save(tmp_path / "faces" / faces[1].path)
    cache = PixelCache(tmp_path / "faces", tmp_path / "cache", faces, Finder())
    assert cache.has_face(0) and not cache.has_face(1)
    assert cache.crop(0) == ((0.0, 1.0, 8.0), UPRIGHT)
    assert cache.crop(1) == ((0.0, 1.5, 9.0), UPRIGHT)
    assert cache.inputs([0, 1], 96).shape == (2, 96, 96, 3)


def test_another_locator_invalidates_the_cached_faces(tmp_path):
    faces = read_catalogue(lay_out(tmp_path / "faces", ROWS))
    PixelCache(tmp_path / "faces", tmp_path / "cache", faces, Finder())
    other = Finder()
    other.digest, other.stances = "of another", lambda decoded: []
    assert not PixelCache(tmp_path / "faces", tmp_path / "cache", faces, other).has_face(0)


def test_missing_folder_and_missing_table_are_reported(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_catalogue(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"faces\.csv is missing"):
        read_catalogue(tmp_path)


def test_missing_image_is_named(tmp_path):
    (lay_out(tmp_path, ROWS) / "train/real/b.jpg").unlink()
    with pytest.raises(DataError, match=r"train/real/b\.jpg"):
        read_catalogue(tmp_path)


def test_unreadable_image_is_named(tmp_path):
    (lay_out(tmp_path / "faces", ROWS) / "val/real/a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    faces = read_catalogue(tmp_path / "faces")
    with pytest.raises(DataError, match=r"val/real/a\.jpg"):
        PixelCache(tmp_path / "faces", tmp_path / "cache", faces, Finder())


def test_group_in_two_splits_is_refused(tmp_path):
    with pytest.raises(DataError, match="both splits"):
        read_catalogue(lay_out(tmp_path, [*ROWS, "val/real/c.jpg,val,real,cam,,g1"]))


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("x.jpg,test,real,cam,,g", "split"),
        ("x.jpg,val,fake,cam,,g", "label"),
        ("x.jpg,val,real,cam,,", "group"),
        ("val/real/x.jpg,val,ai_generated,gan,,g", "folder says real in val"),
        ("train/real/x.jpg,val,real,cam,,g", "folder says real in train"),
    ],
)
def test_bad_line_is_named_by_number(tmp_path, row, word):
    with pytest.raises(DataError, match=f"line 7.*{word}"):
        read_catalogue(lay_out(tmp_path, [*ROWS, row]))


def test_split_without_a_class_is_refused(tmp_path):
    with pytest.raises(DataError, match="no ai_generated image in the split 'val'"):
        read_catalogue(lay_out(tmp_path, ROWS[:-1]))


def test_calibration_groups_are_whole_and_stable():
    faces = [Face(f"{i}.jpg", "train", i % 2, "cam", "", f"g{i // 4}") for i in range(4000)]
    splits = Splits.of(faces)
    groups = [{faces[i].group for i in part} for part in (splits.train, splits.calibration)]
    assert not groups[0] & groups[1]
    assert 0.08 < len(splits.calibration) / len(faces) < 0.16
    assert splits == Splits.of(faces)


def test_families_are_left_out_whole_and_watched_sources_never_train():
    def face(number, label, source, generator="", split="train"):
        return Face(f"{number}.jpg", split, label, source, generator, f"g{number}")

    faces = [
        *(face(n, 0, ("mebeauty", "deepshield_unsplash")[n % 2]) for n in range(40)),
        *(face(n, 0, "congress_us") for n in range(40, 60)),
        *(face(n, 1, "sfhq_t2i", ("FLUX1dev", "SDXL")[n % 2]) for n in range(60, 100)),
        face(100, 1, "sfhq_t2i", "FLUX1dev", "val"),
    ]
    splits = Splits.of(faces, ("unsplash", "FLUX"))
    assert splits.left_out == [*range(40), *range(60, 100, 2), 100]
    assert splits.watched == list(range(40, 60))
    assert all(family(faces[p]) == "SDXL" for p in splits.train + splits.calibration)
    assert not splits.validation and not Splits.of(faces).left_out


def test_sealed_sources_are_in_no_other_part_and_watched_ones_do_not_train():
    sources = ("cam", *SEALED, *WATCHED)
    faces = [
        Face(f"{n}.jpg", ("train", "val")[n % 5 == 0], n % 2, sources[n % len(sources)], "", f"g{n}")
        for n in range(900)
    ]
    faces.append(Face("both.jpg", "train", 1, SEALED[0], WATCHED[-1], "both"))
    splits = Splits.of(faces)
    parts = (splits.train, splits.calibration, splits.validation, splits.watched, splits.sealed)
    assert sorted(p for part in parts for p in part) == list(range(len(faces)))
    assert {faces[p].source for p in splits.sealed} == set(SEALED)
    assert {faces[p].source for p in splits.watched} == set(WATCHED)
    assert not set(SEALED) & set(WATCHED) and set(TRAINED_BEFORE) <= {*SEALED, *WATCHED}


def test_age_and_original_size_are_read_and_do_not_change_the_cache(tmp_path):
    folder = lay_out(tmp_path, ROWS)
    plain = read_catalogue(folder)
    ends = [",312,351,76", ",,,", ",90,80,", ",300,300,5", ",300,300,"]
    lines = [row + end for row, end in zip(ROWS, ends, strict=True)]
    (folder / "faces.csv").write_text("\n".join([f"{HEAD},original_width,original_height,age", *lines]) + "\n")
    faces = read_catalogue(folder)
    assert [(face.age, face.original) for face in faces] == [(76, 312), (None, None), (None, 80), (5, 300), (None, 300)]
    assert list(map(repr, faces)) == list(map(repr, plain))
