"""The entry point, run as a user runs it."""

import subprocess
import sys
from pathlib import Path


def test_entry_point_says_one_sentence_and_fails(tmp_path):
    script = Path(__file__).resolve().parents[2] / "make_models.py"
    done = subprocess.run(
        [sys.executable, script, "--data", tmp_path / "nowhere", "--work", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: the data folder")
