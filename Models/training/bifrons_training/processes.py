"""The processes in which trainings run."""

from __future__ import annotations

import os
import subprocess
import sys


def keep_freed_memory() -> None:
    """Restarts this program so that glibc keeps freed memory: returning it at each step costs a third of the time."""
    settings = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
    if any(name not in os.environ for name in settings):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**settings, **os.environ})


def train_side_by_side(runs: list[list[str]], at_once: int) -> bool:
    """Runs `training.train` with each list of arguments, `at_once` at a time, each with its share of the cores.

    Returns whether all succeeded. After a failure no more are started. No training outlives this program.
    """
    share = max(1, (os.cpu_count() or 2) // at_once)
    module = "bifrons_training.training.train"
    command = [sys.executable, "-m", module, f"--threads={share}", f"--workers={max(1, share - 1)}"]
    for start in range(0, len(runs), at_once):
        started = [subprocess.Popen([*command, *arguments]) for arguments in runs[start : start + at_once]]
        try:
            statuses = [process.wait() for process in started]
            if any(statuses):
                return False
        finally:
            for process in started:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
    return True
