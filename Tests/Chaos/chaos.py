"""Breaks a real cluster for a while, according to a schedule that a seed decides, and checks every guarantee.

    python chaos.py --seconds 60 --seed 1

Routers, workers of both stages and clients are killed, stopped and restarted. All workers of a host pause at once.
Images kill the workers that read them, or the workers that score their crops. The network is cut, filtered, slowed down
and made to lose packets, and unknown peers send nonsense, while clients of all kinds work. Then everything is repaired,
the clients finish, and `checker.py` reads what they recorded. Exit status: 0 if every guarantee held; 1 if one was
broken, which is printed, and then the folder of all histories and logs is kept.
"""

import argparse
import heapq
import itertools
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import checker
import client
import hands
import history
import images
import ledger
import network
import schedule
from poison import Poison
from scanner import scanner
from support.client import Client, Document
from support.cluster import Cluster
from support.processes import Process
from support.programs import argument_parser

LAST_CLIENTS = client.LAST_WAIT + 20
# With these options, workers process several jobs at the same time on small machines, too.
OPTIONS = {images.LOCATOR: "--decode-threads=2"} | dict.fromkeys(images.MODELS, "--max-batch=64")


class Chaos:
    def __init__(self, options: argparse.Namespace, hosts: bool, folder: Path) -> None:
        self.options, self.folder = options, folder
        images.write_models(folder / "models")
        self.cluster = Cluster(
            folder, folder / "models", f"--journal={folder / 'journal'}", "--drain-time=2s", binaries=options.binaries
        )
        self.switchboard = network.Switchboard()
        self.links: dict[str, network.Link] = {}
        self.hosts: dict[str, network.Host] = {}
        self.choose = random.Random(options.seed)
        self.life = 0
        self.hands: checker.Hands = {}
        self.done: Counter[str] = Counter()
        self.decisions = 0
        self.poison = Poison(self.cluster.endpoint, folder / "poison.history", self.cluster.workers, lambda: self.life)
        for pool in images.POOLS:
            for number in range(options.workers):
                name = f"{pool}-{number}"
                address = self.connect(name, self.cluster.worker_port, hosts)
                worker = self.cluster.add_worker(pool, name, address, OPTIONS[pool], "--drain-time=2s")
                worker.words = self.at_home(name, worker.words)
                self.links[name].before = partial(self.poison.meets, name)
        self.groups = self.make_groups()
        self.clients: dict[str, Process] = {}
        self.histories: dict[str, list[Path]] = {}
        self.client_addresses: dict[str, str] = {}
        self.numbers = itertools.count(1)
        for number in range(options.clients):
            name = f"client-{number}"
            # Every other client runs on this host and connects directly to the router.
            far = number % 2 == 1
            self.client_addresses[name] = (
                self.connect(name, self.cluster.client_port, hosts) if far else f"127.0.0.1:{self.cluster.client_port}"
            )
            self.clients[name] = Process(name, [], folder)
            self.histories[name] = []
        self.scanner = scanner(self.cluster, options.seed)
        parties = {
            "worker": list(self.cluster.workers),
            "router": ["router"],
            "client": list(self.clients),
            "group": list(self.groups),
            "reader": list(images.POOLS),
            "linked": list(self.links),
        }
        self.faults = schedule.make(options.seed, options.seconds, options.gap, parties, hosts)

    def make_groups(self) -> dict[str, list[str]]:
        """Returns groups of workers whose simulated host can pause: those of one pool, one of each pool, and all."""
        groups = {"workers": list(self.cluster.workers)}
        for name in self.cluster.workers:
            groups.setdefault(images.pool_of(name), []).append(name)
            groups.setdefault(f"host-{name.rpartition('-')[2]}", []).append(name)
        return groups

    def connect(self, name: str, port: int, hosts: bool) -> str:
        """Gives a party a link to a port of the router and, with `hosts`, its own host. Returns the address to dial."""
        gateway = "127.0.0.1"
        if hosts:
            self.hosts[name] = network.Host(len(self.hosts) + 1)
            gateway = self.hosts[name].gateway
        self.links[name], port = self.switchboard.link(port, gateway)
        return f"{gateway}:{port}"

    def at_home(self, name: str, words: list[str]) -> list[str]:
        return self.hosts[name].command(words) if name in self.hosts else words

    def start_router(self) -> None:
        self.life += 1
        of_requests: dict[int, int] = {}
        for name in self.cluster.workers:
            # Tasks that are still on their way from the router's previous run are recorded in its own dictionary.
            self.links[name].images = of_requests
            self.links[name].hands = self.hands[self.life, name] = []
        self.cluster.router.start()

    def start_client(self, name: str) -> None:
        """Starts a client, which also looks for the jobs that were acknowledged to its predecessors."""
        number = next(self.numbers)
        path = self.folder / f"{name}.{number}.history"
        # The history must exist even if the client is killed before it writes a line.
        path.touch()
        endpoint, seed = f"tcp://{self.client_addresses[name]}", self.options.seed * 1000 + number
        words = client.command(endpoint, path, number, seed, self.options.window, self.histories[name])
        self.histories[name].append(path)
        self.clients[name].start(self.at_home(name, words))

    def processes(self, target: str) -> list[Process]:
        if target == "router":
            return [self.cluster.router]
        parties = {**self.cluster.workers, **self.clients}
        return [parties[name] for name in self.groups.get(target, [target])]

    def start(self, name: str) -> None:
        if name == "router":
            self.start_router()
        elif name in self.clients:
            self.start_client(name)
        else:
            self.cluster.workers[name].start()

    def begin(self, fault: schedule.Fault) -> None:
        self.done[fault.kind] += 1
        processes = self.processes(fault.target)
        match fault.kind:
            case "kill":
                processes[0].kill()
            case "stop" | "pause":
                for process in processes:
                    process.signal(signal.SIGSTOP)
            case "restart":
                processes[0].signal(signal.SIGTERM)
            case "poison":
                self.poison.send(self.groups[fault.target])
            case kind if kind in network.HOST_FAULTS:
                self.hosts[fault.target].harm(kind)
            case kind:
                self.links[fault.target].harm(kind)

    def undo(self, fault: schedule.Fault, starts: int) -> bool:
        """Undoes a fault and returns whether that is done. A process can only be started again once it has ended.

        `starts` is the number of its starts when the fault happened.
        """
        processes = self.processes(fault.target)
        match fault.kind:
            case "kill" | "restart":
                processes[0].signal(signal.SIGCONT)
                if processes[0].starts == starts:
                    if processes[0].is_running():
                        return False
                    self.start(fault.target)
            case "stop" | "pause":
                for process in processes:
                    process.signal(signal.SIGCONT)
            case "poison":
                pass
            case kind if kind in network.HOST_FAULTS:
                self.hosts[fault.target].heal()
            case _:
                self.links[fault.target].heal()
        return True

    def run(self) -> None:
        self.start_router()
        self.cluster.start()
        self.cluster.wait_until_served(self.options.workers)
        for name in self.clients:
            self.start_client(name)
        self.scanner.start()
        start = time.monotonic()
        undone: list[tuple[float, int, schedule.Fault, int]] = []
        order = itertools.count()
        faults = iter(self.faults)
        fault = next(faults, None)
        while fault or undone or self.poison.is_at_work() or time.monotonic() - start < self.options.seconds:
            now = time.monotonic() - start
            while not self.poison.fallen.empty():
                name, starts = self.poison.fallen.get()
                seconds = self.choose.uniform(*schedule.RESTART_SECONDS)
                heapq.heappush(undone, (now + seconds, next(order), schedule.Fault(now, "kill", name, seconds), starts))
            if fault and fault.second <= now:
                self.begin(fault)
                heapq.heappush(
                    undone, (now + fault.seconds, next(order), fault, self.processes(fault.target)[0].starts)
                )
                fault = next(faults, None)
                continue
            if undone and undone[0][0] <= now:
                _, _, last, starts = heapq.heappop(undone)
                if not self.undo(last, starts):
                    heapq.heappush(undone, (now + 0.1, next(order), last, starts))
                continue
            times = [fault.second] if fault else []
            times += [undone[0][0]] if undone else []
            time.sleep(max(0.0, min([*times, now + 0.5]) - now))
        self.poison.end()

    def assigned_hands(self) -> checker.Hands:
        for (_, name), some in self.hands.items():
            hands.assign(some, self.cluster.workers[name].lives)
        return self.hands

    def mend(self) -> None:
        self.scanner.end()
        for host in self.hosts.values():
            host.heal()
        for link in self.links.values():
            link.heal()
        for process in (self.cluster.router, *self.cluster.workers.values(), *self.clients.values()):
            process.signal(signal.SIGCONT)

    def finish(self) -> tuple[Document | None, list[str]]:
        """Lets the clients finish. Returns the answer to a last job, and the problems with how processes ended."""
        self.cluster.wait_until_served(self.options.workers)
        for process in self.clients.values():
            process.signal(signal.SIGTERM)
        problems = [
            f"{name} did not end of itself" for name, process in self.clients.items() if process.wait(LAST_CLIENTS) != 0
        ]
        with Client(self.cluster.endpoint) as asking:
            last = asking.ask({"verb": "classify"}, images.image(0))
            self.decisions, broken = ledger.check(asking, self.choose)
        problems += broken
        problems += [
            f"on its way to {name}: {text}" for name in self.cluster.workers for text in self.links[name].unreadable
        ]
        problems += [f"{name} ended with {code}" for name, code in self.cluster.end().items() if code != 0]
        return last, problems

    def kill(self) -> None:
        for process in (self.scanner, self.cluster.router, *self.cluster.workers.values(), *self.clients.values()):
            process.signal(signal.SIGKILL)


def summary(chaos: Chaos, report: checker.Report, seconds: float) -> Document:
    return {
        "seconds": round(seconds),
        "seed": chaos.options.seed,
        "hosts": bool(chaos.hosts),
        "jobs": report.jobs,
        "requests": dict(report.submissions),
        "answers": dict(sorted(report.statuses.items())),
        "errors": dict(sorted(report.codes.items())),
        "lost_with_connections": report.lost_with_connections,
        "acknowledged": report.acknowledged,
        "found": report.found,
        "decisions": chaos.decisions,
        "handed_to_a_second_worker": report.second_tries,
        "quarantined": dict(report.quarantined),
        "convicted": dict(report.convicted),
        "lives_of_the_router": chaos.life,
        "starts_of_workers": sum(p.starts for p in chaos.cluster.workers.values()),
        "starts_of_clients": sum(p.starts for p in chaos.clients.values()),
        "faults": dict(sorted(chaos.done.items())),
    }


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gap", type=float, default=0.7, help="seconds between two faults, in the mean")
    parser.add_argument("--workers", type=int, default=2, help="locators, and workers of each model")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--window", type=int, default=32, help="requests that each client has in flight")
    parser.add_argument("--summary", type=Path, help="a file for the summary, as JSON")
    options = parser.parse_args()
    if not (options.binaries / "bifrons-router").exists():
        raise SystemExit(f"chaos: there is no bifrons-router in {options.binaries}; run: make build")
    hosts = network.enter_own_network()
    folder = Path(tempfile.mkdtemp(prefix="bifrons-chaos."))
    chaos = Chaos(options, hosts, folder)
    start = time.monotonic()
    try:
        chaos.run()
        chaos.mend()
        last, problems = chaos.finish()
    finally:
        chaos.kill()
    seconds = time.monotonic() - start
    paths = [path for paths in chaos.histories.values() for path in paths] + [chaos.poison.path]
    report = checker.check(map(history.read, paths), chaos.assigned_hands())
    if last is None or last["status"] != 200:
        problems.append(f"after all was mended a job was answered with {last}")
    text = json.dumps(summary(chaos, report, seconds), indent=2)
    print(text)
    if options.summary:
        options.summary.write_text(text + "\n")
    problems += report.violations
    for problem in problems[:20]:
        print(f"chaos: {problem}", file=sys.stderr)
    if problems:
        print(f"chaos: {len(problems)} broken promises; histories and logs are in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"chaos: all promises kept in {report.jobs} jobs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
