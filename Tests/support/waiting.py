"""Waiting with a bound."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found | None], what: str, seconds: float, pause: float = 0.05) -> Found:
    """What `condition` gives as soon as that is true.

    Args:
        condition: asked again and again; may raise to end the waiting.
        what: what is waited for, named by the error.
        seconds: how long at most.
        pause: seconds between two looks.

    Raises:
        TimeoutError: if it is not true within that time.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not seen within {seconds:g} s: {what}")
        time.sleep(pause)
    return found
