"""The data report on a synthetic folder: it finds planted shortcuts, and the equalisation removes some of them."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bifrons_training.data.catalogue import read_catalogue
from bifrons_training.data_report import equalisation, image_statistics, measuring, shortcut_probe, summary

HEAD = "path,split,label,source,generator,group,box_x,box_y,box_w,box_h"


def face(random: np.random.Generator) -> Image.Image:
    """Returns a face-like blob of coarse noise, alike in both classes."""
    cells = random.integers(40, 216, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((100, 100), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Returns a folder with two sources per class. The generated ones have a black backdrop: the shortcut."""
    folder = tmp_path_factory.mktemp("faces")
    rows, random = [], np.random.default_rng(4)
    for label in ("real", "ai_generated"):
        for source in (f"{label}_a", f"{label}_b"):
            for number in range(36):
                split = "val" if number % 6 == 0 else "train"
                backdrop = (0, 0, 0) if label == "ai_generated" else tuple(int(v) for v in random.integers(60, 200, 3))
                image = Image.new("RGB", (160, 160), backdrop)
                image.paste(face(random), (30, 30))
                path = f"{split}/{label}/{source}_{number:05}.jpg"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                image.save(folder / path, quality=89)
                rows.append(f"{path},{split},{label},{source},,{number},30,30,100,100")
    # The same image in both splits and in both classes, once as identical bytes and once recompressed.
    original = folder / rows[1].split(",")[0]
    for path, copy in (("val/real/copy.jpg", "real"), ("train/ai_generated/copy.jpg", "ai_generated")):
        if copy == "real":
            (folder / path).write_bytes(original.read_bytes())
        else:
            Image.open(original).save(folder / path, quality=70)
        rows.append(f"{path},{path.split('/')[0]},{copy},copies,,{copy},30,30,100,100")
    (folder / "faces.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def report(folder) -> dict:
    faces = read_catalogue(folder)
    return summary.make_report(faces, measuring.measure_all(folder, faces, measuring.read_boxes(folder)))


def test_the_probe_finds_planted_shortcuts_and_equalisation_removes_them(report):
    before, after = (np.array(report["probe"][when]["auc"]) for when in ("before", "after"))
    assert before.shape == after.shape == (2, 2)
    assert before.min() > 0.9
    assert np.median(after) < 0.7


def test_copies_across_splits_and_classes_are_found(report):
    pairs = {(pair["first"], pair["second"]): pair for pair in report["duplicates"]}
    assert len(pairs) == 3
    assert sum(pair["exact"] for pair in pairs.values()) == 1
    assert sum(pair["across_splits"] for pair in pairs.values()) == 2
    assert sum(pair["across_classes"] for pair in pairs.values()) == 2


def test_the_report_has_a_row_per_source_and_findings_with_numbers(report):
    rows = {row["source"]: row for row in report["sources"]}
    assert rows["real_a"]["train"] == 30 and rows["real_a"]["val"] == 6
    assert rows["real_b"]["face_share"] == 0.625 and rows["real_b"]["jpeg_quality"] == 89
    assert any("3 pairs" in text and "2 of them" in text for text in report["findings"])
    assert any("ROC AUC" in text for text in report["findings"])


def test_the_command_writes_one_self_contained_page(folder, tmp_path, run_module):
    out, told = tmp_path / "deep" / "page.html", tmp_path / "findings.json"
    words = ["--data", folder, "--out", out, "--findings", told]
    done = run_module("bifrons_training.data_report", *words)
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    assert "real_a" in text and 'src="data:image/png' in text and "http" not in text.replace("http-equiv", "")
    assert "data:image/jpeg" in text
    assert json.loads(told.read_text())["findings"] == json.loads(out.with_suffix(".json").read_text())["findings"]
    done = run_module("bifrons_training.data_report", *words, "--without-images")
    assert done.returncode == 0 and "data:image/jpeg" not in out.read_text()


def test_unreadable_images_are_all_named(folder, tmp_path, run_module):
    rows = (folder / "faces.csv").read_text().splitlines()
    for row in rows[1:]:
        path = row.split(",")[0]
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((folder / path).read_bytes())
    (tmp_path / "faces.csv").write_text("\n".join(rows) + "\n")
    bad = [row.split(",")[0] for row in rows[3:5]]
    for path in bad:
        (tmp_path / path).write_bytes(b"\xff\xd8\xff no more")
    done = run_module("bifrons_training.data_report", "--data", tmp_path, "--out", tmp_path / "page.html")
    assert done.returncode == 1 and done.stderr.startswith("error: these are not readable images")
    assert all(path in done.stderr for path in bad)


def test_a_missing_folder_is_reported_in_one_sentence(tmp_path, run_module):
    done = run_module("bifrons_training.data_report", "--data", tmp_path / "no", "--out", tmp_path / "page.html")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "does not exist" in done.stderr


def test_equalised_faces_have_equal_size_and_framing():
    image = Image.new("RGB", (300, 200), "black")
    image.paste("white", (100, 50, 160, 110))
    pixels = equalisation.equalise(image, (100, 50, 60, 60))
    assert pixels.shape == (96, 96, 3) and pixels[4:-4, 4:-4].min() > 250
    assert equalisation.equalise(image, None).shape == (96, 96, 3)


def test_the_jpeg_grid_of_an_earlier_compression_is_located():
    cells = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    packed = io.BytesIO()
    Image.fromarray(cells).resize((200, 200), Image.Resampling.BICUBIC).save(packed, "JPEG", quality=10)
    shifted = np.asarray(Image.open(packed).convert("L"), dtype=float)[3:, 3:]
    assert int(image_statistics.grid_steps(shifted).argmax()) == 5


def test_the_probe_is_at_chance_level_without_differences():
    random = np.random.default_rng(2)
    names = [str(n) for n in range(200)]
    value = shortcut_probe.probe(random.normal(size=(200, 15)), random.normal(size=(200, 15)), names, names)
    assert 0.4 < value < 0.6
