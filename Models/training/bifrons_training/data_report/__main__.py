"""Shows what the training data is, and what it gives away besides the faces: one HTML page that needs nothing else.

    python -m bifrons_training.data_report --data FOLDER --out FILE.html [--findings FILE.json] [--without-images]

The page holds small copies of research pictures: it is for those who may see them, and never to be published.
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

# The page.


@program
def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Show what the training data is and what it gives away.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--out", type=Path, required=True, help="the page to write; its numbers go beside it as JSON")
    parser.add_argument(
        "--findings", type=Path, help="write the findings, which the models' cards repeat, here as well"
    )
    parser.add_argument("--without-images", action="store_true", help="leave the samples out")
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
