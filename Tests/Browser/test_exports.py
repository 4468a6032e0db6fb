"""Tests the exports of the page that classifies, with the real service."""

import csv
import json
import re

from support import images
from support.programs import ROOT


def exported(home, name: str) -> str:
    file = home.downloads / name
    home.run(f"document.getElementById('export-{file.suffix[1:]}').click()")
    # Chromium reserves the name with an empty file, and moves the download over it.
    home.wait(lambda: file.is_file() and file.stat().st_size > 0, f"download {name}")
    content = file.read_bytes().decode()
    file.unlink()
    return content


def test_exports_contain_every_result_of_the_session(home, tmp_path):
    home.choose(images.small(tmp_path, "=1+1.jpg"), images.text(tmp_path), images.no_face(tmp_path))
    home.wait(lambda: len(home.all("#history-rows tr")) == 3, "three rows of history")

    results = {result["file"]: result for result in json.loads(exported(home, "bifrons.json"))}
    assert results["=1+1.jpg"]["verdict"]["label"] == "real"
    assert results["text.jpg"]["error"]["code"] == "image_unknown_format"
    verdict = results["gradient.png"]["verdict"]
    assert (verdict["label"], verdict["action"], verdict["policy"]) == ("no_face", "review", "default")
    text = exported(home, "bifrons.csv")
    # The byte order mark tells Excel the encoding.
    assert text.startswith("\ufeff")
    rows = {row["file"]: row for row in csv.DictReader(text[1:].splitlines())}
    # The apostrophe makes a spreadsheet take the name for text and not for a formula.
    real = rows["'=1+1.jpg"]
    assert (
        real["result"] == real["face_result"] == "Real" and real["faces"] == real["faces_found"] == real["face"] == "1"
    )
    assert float(real["face_ai_probability"]) == float(real["ai_probability"]) < 0.5
    assert re.fullmatch(r"inception=0\.\d+ resnet=0\.\d+|resnet=0\.\d+ inception=0\.\d+", real["networks"])
    assert rows["text.jpg"]["status"] == "415" and rows["text.jpg"]["face"] == ""
    nothing = rows["gradient.png"]
    assert (nothing["result"], nothing["ai_probability"], nothing["action"]) == ("No face", "", "review")
    # The scores of the central square are there for information, but they are no verdict.
    assert nothing["face"] == nothing["face_result"] == "" and "resnet=0." in nothing["networks"]


def test_csv_has_a_row_for_each_face_and_the_documented_columns(home, tmp_path):
    home.choose(images.two_faces(tmp_path), images.text(tmp_path))
    home.wait(lambda: len(home.all("#history-rows tr")) == 2, "two rows of history")
    reader = csv.DictReader(exported(home, "bifrons.csv")[1:].splitlines())
    rows = [row for row in reader if row["file"] == "two.png"]
    assert [row["face"] for row in rows] == ["1", "2"] and rows[0]["sha256"] == rows[1]["sha256"]
    boxes = [[float(row[f"face_{side}"]) for side in ("x", "y", "width", "height")] for row in rows]
    assert abs(boxes[0][0] - boxes[1][0]) > 200 and all(60 < box[2] < 300 for box in boxes)
    described = (ROOT / "docs/http.md").read_text().split("## Exports of the page")[1].split("\n## ")[0]
    table = [line.split("|")[1] for line in described.splitlines() if line.startswith("| `")]
    assert reader.fieldnames == [name for cell in table for name in re.findall(r"`(\w+)`", cell)]
