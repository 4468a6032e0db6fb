"""The jobs that a worker had in flight when its process ended.

A job may only be quarantined if two workers died while they had it in flight in the same step: two locators, or two
workers of one model. The harness knows when each process ended, and a link knows which connection carried which job and
when it was closed. From these it follows whether the router saw two deaths. A stopped process or a cut connection is
not a death.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import wire
from support.processes import Life
from support.worker_protocol import STEP_BITS

# For 3 s, a router waits for the worker of an ended connection to come back. The rest is tolerance.
REJOIN = 3.5
# The largest delay, in seconds, with which the harness notes the end of a process that it did not kill.
NOTICED = 0.1


@dataclass(slots=True)
class Hand:
    """One connection between a worker and the router, with the tasks that came on it."""

    opened: float
    closed: float = math.inf
    # The process that opened the connection; None until it is known.
    life: Life | None = None
    # The job whose image each request has, by the router's request number. All connections during one run of the router
    # share this dictionary, because only a locator's task shows the image.
    images: dict[int, int] = field(default_factory=dict)
    numbers: "array[int]" = field(default_factory=lambda: array("Q"))
    attempts: "array[int]" = field(default_factory=lambda: array("B"))
    seconds: "array[float]" = field(default_factory=lambda: array("d"))

    def take(self, task: wire.Task, second: float) -> None:
        self.numbers.append(task.job)
        self.attempts.append(task.attempt)
        self.seconds.append(second)

    def job(self, number: int) -> int | None:
        """Returns the job whose image a task is about; None if unknown."""
        return self.images.get(number >> STEP_BITS)

    def handed(self, job: int) -> Iterator[tuple[int, float]]:
        """Returns the tasks about a job's image, with the times at which they came."""
        tasks = zip(self.numbers, self.seconds, strict=False)
        return ((number, second) for number, second in tasks if self.job(number) == job)

    def death(self) -> Life | None:
        """Returns the worker's process if it ended before the connection, or while the router still waited for it."""
        return self.life if self.life and self.life.end < math.inf and self.life.end <= self.closed + REJOIN else None


def assign(hands: list[Hand], lives: list[Life]) -> None:
    """Assigns the process to each connection of a worker. `lives` is in order of time."""
    starts = [life.start for life in lives]
    for hand in hands:
        if place := bisect_right(starts, hand.opened):
            hand.life = lives[place - 1]


def has_two_deaths(job: int, answered: float, hands: list[Hand]) -> bool:
    """Returns whether two of these workers (all locators, or all of one model) died with the job before the answer.

    Both must have died in the same step of the same request, one after the other. The second worker gets the job alone,
    so only the job itself can have killed it.
    """
    dead = [(hand, life, *entry) for hand in hands if (life := hand.death()) for entry in hand.handed(job)]
    return any(
        second_life is not first_life
        and second_number == first_number
        # The job goes to the second worker only after the connection of the first has ended.
        and first_moment <= first.closed <= second_moment
        and second.closed <= answered
        and second_life.end <= answered + NOTICED
        and second_life.killer in (None, job)
        for first, first_life, first_number, first_moment in dead
        for second, second_life, second_number, second_moment in dead
    )
