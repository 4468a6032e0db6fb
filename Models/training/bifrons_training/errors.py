"""Errors of the programs of this package: one sentence, exit status 1."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable


class TrainingError(Exception):
    """A failure that the user can act on: its message says what is wrong, where, and what to do, in one sentence."""


class DataError(TrainingError):
    """A fault in the data folder or in files derived from it."""


def program(main: Callable[[], int]) -> Callable[[], int]:
    """Wraps a program's `main` so that a `TrainingError` is printed and gives the exit status 1."""

    @functools.wraps(main)
    def run() -> int:
        try:
            return main()
        except TrainingError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1

    return run
