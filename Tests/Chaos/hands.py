"""Which jobs a worker had in hand when its process ended.

A job that comes back as quarantined was in the hands of two workers that died of it in the same step: two locators, or
two workers of one model. The harness knows when each process ended, a link knows which connection carried which job and
when it was closed: from these follows whether the router had two deaths to tell of. A stopped process, and a connection
that is cut, are no deaths.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import wire
from support.processes import Life
from support.worker_protocol import STEP_BITS

# For 3 s a router waits whether the worker of an ended connection comes back; and some slack.
REJOIN = 3.5
# How late the harness may note that a process ended which it did not kill.
NOTICED = 0.1


@dataclass(slots=True)
class Hand:
    """One connection of a worker with the router, and the tasks that came on it."""

    opened: float
    closed: float = math.inf
    # The process that dialled it; None until it is known.
    life: Life | None = None
    # Whose image each request has, by the router's number of the request: the same for all connections of one life of
    # the router. Only a locator's task shows it.
    images: dict[int, int] = field(default_factory=dict)
    numbers: "array[int]" = field(default_factory=lambda: array("Q"))
    attempts: "array[int]" = field(default_factory=lambda: array("B"))
    seconds: "array[float]" = field(default_factory=lambda: array("d"))

    def take(self, task: wire.Task, second: float) -> None:
        self.numbers.append(task.job)
        self.attempts.append(task.attempt)
        self.seconds.append(second)

    def job(self, number: int) -> int | None:
        """Whose image a task is about."""
        return self.images.get(number >> STEP_BITS)

    def handed(self, job: int) -> Iterator[tuple[int, float]]:
        """The tasks about a job's image, and when they came."""
        tasks = zip(self.numbers, self.seconds, strict=False)
        return ((number, second) for number, second in tasks if self.job(number) == job)

    def death(self) -> Life | None:
        """Its process, if that had ended when it was closed, or did so while the router still waited for it."""
        return self.life if self.life and self.life.end < math.inf and self.life.end <= self.closed + REJOIN else None


def assign(hands: list[Hand], lives: list[Life]) -> None:
    """Gives each connection of a worker the process that it is of. `lives` are in their order."""
    starts = [life.start for life in lives]
    for hand in hands:
        if place := bisect_right(starts, hand.opened):
            hand.life = lives[place - 1]


def has_two_deaths(job: int, answered: float, hands: list[Hand]) -> bool:
    """Whether two of these workers, all locators or all of one model, died with the job in hand before the answer.

    That is in the same step of the same request, one after the other. The second one has the job alone, so what kills
    it is the job's own.
    """
    dead = [(hand, life, *entry) for hand in hands if (life := hand.death()) for entry in hand.handed(job)]
    return any(
        second_life is not first_life
        and second_number == first_number
        # Only when the first one's connection has ended the job goes to the second one.
        and first_moment <= first.closed <= second_moment
        and second.closed <= answered
        and second_life.end <= answered + NOTICED
        and second_life.killer in (None, job)
        for first, first_life, first_number, first_moment in dead
        for second, second_life, second_number, second_moment in dead
    )
