"""Describes the training data and the shortcuts that it offers besides the faces, in one self-contained HTML page.

    python -m bifrons_training.data_report --data FOLDER --out FILE.html [--findings FILE.json] [--without-images]

The page contains small copies of research images: show it only to people who may see them, and never publish it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bifrons_training.data.catalogue import read_catalogue
from bifrons_training.data_report.measuring import measure_all, read_boxes
from bifrons_training.data_report.page import page
from bifrons_training.data_report.summary import make_report
from bifrons_training.errors import program
from bifrons_training.files import write_text


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Describe the training data and the shortcuts that it offers.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--out", type=Path, required=True, help="the page to write; its numbers go beside it as JSON")
    parser.add_argument("--findings", type=Path, help="a JSON file for the findings, which the model cards repeat")
    parser.add_argument("--without-images", action="store_true", help="leave out the sample images")
    options = parser.parse_args()
    faces = read_catalogue(options.data)
    measured = measure_all(options.data, faces, read_boxes(options.data))
    report = make_report(faces, measured)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.out, page(options.data, faces, measured, report, not options.without_images))
    write_text(options.out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    if options.findings:
        write_text(options.findings, json.dumps({"findings": report["findings"]}, indent=2) + "\n")
    print("\n".join(report["findings"]))
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
