"""Which jobs a worker had in hand when its process ended.

A job that comes back as quarantined was in the hands of two workers of one model that died of it. The harness knows when
each process ended, a link knows which connection carried which job and when it was closed: from these follows whether
the router had two deaths to tell of. A stopped process, and a connection that is cut, are no deaths.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

# For 3 s a router waits whether the worker of an ended connection comes back; and some slack.
REJOIN = 3.5
# How late the harness may note that a process ended which it did not kill.
NOTICED = 0.1


@dataclass(slots=True)
class Life:
    """Of a process. Seconds are of the monotonic clock."""

    start: float
    end: float = math.inf
    # The job whose picture killed it, if it was one.
    killer: int | None = None


@dataclass(slots=True)
class Hand:
    """One connection of a worker with the router, and the jobs that came on it."""

    opened: float
    closed: float = math.inf
    # The process that dialled it; None until it is known.
    life: Life | None = None
    jobs: array = field(default_factory=lambda: array("q"))
    seconds: array = field(default_factory=lambda: array("d"))

    def take(self, job: int, second: float) -> None:
        self.jobs.append(job)
        self.seconds.append(second)

    def handed(self, job: int) -> Iterator[float]:
        """When the job came, each time."""
        return (second for other, second in zip(self.jobs, self.seconds) if other == job)

    def is_of_the_dead(self) -> bool:
        """Whether its process had ended when it was closed, or did so while the router still waited for it."""
        return self.life is not None and self.life.end < math.inf and self.life.end <= self.closed + REJOIN


def assign(hands: list[Hand], lives: list[Life]) -> None:
    """Gives each connection of a worker the process that it is of. `lives` are in their order."""
    starts = [life.start for life in lives]
    for hand in hands:
        if place := bisect_right(starts, hand.opened):
            hand.life = lives[place - 1]


def has_two_deaths(job: int, answered: float, hands: list[Hand]) -> bool:
    """Whether two of these workers, all of one model, died with the job in hand, one after the other, before the answer.

    The second one has the job alone, so a picture that kills it is the job's own.
    """
    dead = [(hand, moment) for hand in hands if hand.is_of_the_dead() for moment in hand.handed(job)]
    return any(
        second.life is not first.life
        # Only when the first one's connection has ended the job goes to the second one.
        and first_moment <= first.closed <= second_moment
        and second.closed <= answered and second.life.end <= answered + NOTICED and second.life.killer in (None, job)
        for first, first_moment in dead for second, second_moment in dead)
