"""How the programs of this package say what went wrong: one sentence, exit status 1."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable


class TrainingError(Exception):
    """What is wrong, where, and what to do, in one sentence."""


class DataError(TrainingError):
    """Of the data folder, or of what was made from it."""


def program(main: Callable[[], int]) -> Callable[[], int]:
    """A program's `main` that says a `TrainingError` and gives the exit status 1."""

    @functools.wraps(main)
    def run() -> int:
        try:
            return main()
        except TrainingError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return run
