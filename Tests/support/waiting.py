"""Waiting with a time limit."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found | None], what: str, seconds: float, pause: float = 0.05) -> Found:
    """Calls `condition` until it returns something true, and returns that.

    Args:
        condition: What is waited for. It may raise an error to end the waiting.
        what: A description of what is waited for, for the error.
        seconds: The time limit.
        pause: The seconds between two calls.

    Raises:
        TimeoutError: If `condition` is not true within the time limit.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not seen within {seconds:g} s: {what}")
        time.sleep(pause)
    return found
