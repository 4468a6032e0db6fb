"""The schedule of faults: which, to whom and when. It is the same for the same seed."""

import random
from dataclasses import dataclass

import network

# The relative frequencies of faults. A pause stops all workers of a group at the same moment, as a paused host would. A
# poison is an image that kills each locator that receives it, or each worker of a model that receives its crops.
PROCESS_FAULTS = {
    "worker": {"kill": 6, "stop": 5, "restart": 2},
    "router": {"kill": 2, "stop": 1, "restart": 1},
    "client": {"kill": 2, "stop": 2},
    "group": {"pause": 3},
    "reader": {"poison": 3},
}
# Shorter than the heartbeat interval, between that and the time of loss, and longer.
STOP_SECONDS = (0.05, 4.0)
PAUSE_SECONDS = (0.5, 6.0)
NETWORK_SECONDS = (0.3, 5.0)
RESTART_SECONDS = (0.0, 1.0)
SPANS = {"kill": RESTART_SECONDS, "restart": RESTART_SECONDS, "stop": STOP_SECONDS, "pause": PAUSE_SECONDS}


@dataclass(frozen=True)
class Fault:
    """`second` counts from the start. After `seconds`, the fault is undone: continued, healed or started again."""

    second: float
    kind: str
    target: str
    seconds: float


def make(seed: int, seconds: float, gap: float, parties: dict[str, list[str]], hosts: bool) -> list[Fault]:
    """Returns faults for a time of `seconds`, on average `gap` seconds apart.

    `parties` names the workers, routers, clients and groups of workers. Under `reader` are the workers that an image
    can kill, and under `linked` the parties whose link can be harmed.
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
