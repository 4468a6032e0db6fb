"""Where the programs of this folder work, and how they begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from data import PixelCache, read_catalogue
from locating import Locator

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = REPOSITORY / "Models"
DEFAULT_WORK = REPOSITORY / ".cache" / "training"


def open_cache(data: Path, work: Path, models: Path = MODELS) -> PixelCache:
    """The data folder, checked, and its pictures decoded in `work`. Raises `DataError` for whatever is wrong with it."""
    return PixelCache(data, work / "pixels", read_catalogue(data), Locator(models / "locator"))


def keep_freed_memory() -> None:
    """Starts this program anew with glibc told to keep freed memory: giving it back at each step costs a third."""
    settings = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
    if any(name not in os.environ for name in settings):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**settings, **os.environ})


def train_side_by_side(runs: list[list[str]], at_once: int) -> bool:
    """Runs `train.py` with each list of arguments, so many at a time, each on its share of the cores.

    Whether all went well; after one that did not, no more are begun. None outlives this program.
    """
    share = max(1, (os.cpu_count() or 2) // at_once)
    program = str(Path(__file__).with_name("train.py"))
    command = [sys.executable, program, f"--threads={share}", f"--workers={max(1, share - 1)}"]
    for start in range(0, len(runs), at_once):
        started = [subprocess.Popen([*command, *arguments]) for arguments in runs[start : start + at_once]]
        try:
            if any([process.wait() != 0 for process in started]):
                return False
        finally:
            for process in started:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
    return True
