"""What is done to whom and when: the same for the same seed."""

import random
from dataclasses import dataclass

import network

# How often each is chosen, against the others. A whole host pauses: all of a group are stopped at the same moment. A
# poison is an image that kills each locator that it meets, or each worker of a model that meets its crops.
PROCESS_FAULTS = {
    "worker": {"kill": 6, "stop": 5, "restart": 2},
    "router": {"kill": 2, "stop": 1, "restart": 1},
    "client": {"kill": 2, "stop": 2},
    "group": {"pause": 3},
    "reader": {"poison": 3},
}
# Below the heartbeat, between heartbeat and loss, and beyond.
STOP_SECONDS = (0.05, 4.0)
PAUSE_SECONDS = (0.5, 6.0)
NETWORK_SECONDS = (0.3, 5.0)
RESTART_SECONDS = (0.0, 1.0)
SPANS = {"kill": RESTART_SECONDS, "restart": RESTART_SECONDS, "stop": STOP_SECONDS, "pause": PAUSE_SECONDS}


@dataclass(frozen=True)
class Fault:
    """`second`: from the start. `seconds`: until it is undone: continued, healed, or started again."""

    second: float
    kind: str
    target: str
    seconds: float


def make(seed: int, seconds: float, gap: float, parties: dict[str, list[str]], hosts: bool) -> list[Fault]:
    """Faults for so many seconds, `gap` seconds apart in the mean.

    `parties` names the workers, routers and clients, groups of workers, under `reader` those that an image kills, and
    under `linked` those whose link can be harmed.
    """
    choose = random.Random(seed)
    choices = [
        (kind, name, weight / len(parties[role]))
        for role, kinds in PROCESS_FAULTS.items()
        for kind, weight in kinds.items()
        for name in parties[role]
    ]
    kinds = network.LINK_FAULTS + (network.HOST_FAULTS if hosts else ())
    choices += [(kind, name, 1.5 / len(parties["linked"])) for kind in kinds for name in parties["linked"]]
    faults = []
    second = choose.expovariate(1 / gap)
    while second < seconds:
        kind, target, _ = choose.choices(choices, [weight for *_, weight in choices])[0]
        faults.append(Fault(second, kind, target, choose.uniform(*SPANS.get(kind, NETWORK_SECONDS))))
        second += choose.expovariate(1 / gap)
    return faults
