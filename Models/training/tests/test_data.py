"""The data check: whatever is wrong is told in one sentence before anything is trained."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data

HEAD = "path,split,label,source,generator,group"
ROWS = [
    "train/real/a.jpg,train,real,cam,,g1",
    "train/real/b.jpg,train,real,cam,,g2",
    "train/ai_generated/a.jpg,train,ai_generated,gan,GAN,g1",
    "val/real/a.jpg,val,real,cam,,g3",
    "val/ai_generated/a.jpg,val,ai_generated,gan,GAN,g4",
]


def lay_out(folder: Path, rows: list[str]) -> Path:
    """A data folder of tiny pictures."""
    for row in rows:
        file = folder / row.split(",")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((9, 12, 3), len(row), dtype=np.uint8)).save(file)
    (folder / "faces.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    return folder


def test_good_folder_is_read_and_decoded_once(tmp_path):
    faces = data.read_catalogue(lay_out(tmp_path / "faces", ROWS))
    assert [face.label for face in faces] == [0, 0, 1, 0, 1]
    cache = data.PixelCache(tmp_path / "faces", tmp_path / "cache", faces)
    assert cache.image(2).size == (12, 9)
    written = (tmp_path / "cache" / "pixels.bin").stat().st_mtime_ns
    data.PixelCache(tmp_path / "faces", tmp_path / "cache", faces)
    assert (tmp_path / "cache" / "pixels.bin").stat().st_mtime_ns == written


def test_missing_folder_and_missing_table(tmp_path):
    with pytest.raises(data.DataError, match="does not exist"):
        data.read_catalogue(tmp_path / "nowhere")
    with pytest.raises(data.DataError, match=r"faces\.csv is missing"):
        data.read_catalogue(tmp_path)


def test_missing_picture_is_named(tmp_path):
    (lay_out(tmp_path, ROWS) / "train/real/b.jpg").unlink()
    with pytest.raises(data.DataError, match=r"train/real/b\.jpg"):
        data.read_catalogue(tmp_path)


def test_unreadable_picture_is_named(tmp_path):
    (lay_out(tmp_path / "faces", ROWS) / "val/real/a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    faces = data.read_catalogue(tmp_path / "faces")
    with pytest.raises(data.DataError, match=r"val/real/a\.jpg"):
        data.PixelCache(tmp_path / "faces", tmp_path / "cache", faces)


def test_group_in_two_splits_is_refused(tmp_path):
    with pytest.raises(data.DataError, match="both splits"):
        data.read_catalogue(lay_out(tmp_path, [*ROWS, "val/real/c.jpg,val,real,cam,,g1"]))


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("x.jpg,test,real,cam,,g", "split"),
        ("x.jpg,val,fake,cam,,g", "label"),
        ("x.jpg,val,real,cam,,", "group"),
    ],
)
def test_bad_line_is_named_by_number(tmp_path, row, word):
    with pytest.raises(data.DataError, match=f"line 7.*{word}"):
        data.read_catalogue(lay_out(tmp_path, [*ROWS, row]))


def test_split_without_a_class_is_refused(tmp_path):
    with pytest.raises(data.DataError, match="no ai_generated picture in the split 'val'"):
        data.read_catalogue(lay_out(tmp_path, ROWS[:-1]))


def test_calibration_groups_are_whole_and_stable():
    faces = [data.Face(f"{i}.jpg", "train", i % 2, "cam", "", f"g{i // 4}") for i in range(4000)]
    splits = data.Splits.of(faces)
    groups = [{faces[i].group for i in part} for part in (splits.train, splits.calibration)]
    assert not groups[0] & groups[1]
    assert 0.08 < len(splits.calibration) / len(faces) < 0.16
    assert splits == data.Splits.of(faces)
