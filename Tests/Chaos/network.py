"""The network between the parties: links that record, delay and cut connections, and hosts that are network namespaces.

Where the system allows namespaces (as root, or as a user with user namespaces), the harness runs in one, and each
remote party has a host of its own behind a virtual cable. The faults in `HOST_FAULTS` then affect real packets.
Elsewhere, only the faults of `Link` exist.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import images
import wire
from hands import Hand

INSIDE = "BIFRONS_CHAOS_INSIDE"
RATE = "256kbit"
HOST_FAULTS = ("link_down", "drop_in", "drop_out", "loss", "reset", "bandwidth")
LINK_FAULTS = ("delay", "cut")
DELAY = 0.05


def enter_own_network() -> bool:
    """Starts this program again in a network namespace. Returns whether it already runs in one."""
    if INSIDE in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        # `ip netns` keeps its names here. The mount is private, because the mount namespace is.
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
        return True
    unshare = ["unshare", "--net", "--mount"] + (["--user", "--map-root-user"] if os.getuid() else [])
    if (
        not all(map(shutil.which, ("unshare", "ip", "tc", "nft")))
        or subprocess.run([*unshare, "true"], capture_output=True).returncode
    ):
        print("chaos: no network namespaces here: links are delayed and cut, and packets are not touched", flush=True)
        return False
    os.environ[INSIDE] = "1"
    os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


class Host:
    """A network namespace, connected to the harness by a virtual cable."""

    def __init__(self, number: int) -> None:
        self.name, self.cable = f"host{number}", f"cable{number}"
        self.gateway, self.address = f"10.77.{number}.1", f"10.77.{number}.2"
        self._do(f"ip netns add {self.name}")
        self._do(f"ip link add {self.cable} type veth peer name eth0 netns {self.name}")
        self._do(f"ip address add {self.gateway}/24 dev {self.cable}")
        self._do(f"ip link set {self.cable} up")
        self._inside("ip link set lo up")
        self._inside(f"ip address add {self.address}/24 dev eth0")
        self._inside("ip link set eth0 up")
        self._inside("nft add table ip chaos")
        for chain, hook in (("in", "input"), ("out", "output")):
            self._inside(f"nft add chain ip chaos {chain} {{ type filter hook {hook} priority 0 ; }}")

    def command(self, words: list[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    def harm(self, fault: str) -> None:
        match fault:
            case "link_down":
                self._do(f"ip link set {self.cable} down")
            case "drop_in" | "drop_out":
                self._inside(f"nft add rule ip chaos {fault.removeprefix('drop_')} drop")
            case "loss":
                for chain in ("in", "out"):
                    self._inside(f"nft add rule ip chaos {chain} numgen random mod 100 < 30 drop")
            case "reset":
                for chain in ("in", "out"):
                    self._inside(f"nft add rule ip chaos {chain} meta l4proto tcp reject with tcp reset")
            case "bandwidth":
                limit = f"root tbf rate {RATE} burst 32kbit latency 400ms"
                self._do(f"tc qdisc replace dev {self.cable} {limit}")
                self._inside(f"tc qdisc replace dev eth0 {limit}")

    def heal(self) -> None:
        self._inside("nft flush table ip chaos")
        self._do(f"ip link set {self.cable} up")
        for do, device in ((self._do, self.cable), (self._inside, "eth0")):
            do(f"tc qdisc delete dev {device} root", check=False)

    def _inside(self, command: str, check: bool = True) -> None:
        self._do(" ".join(self.command([command])), check)

    @staticmethod
    def _do(command: str, check: bool = True) -> None:
        done = subprocess.run(command.split(), capture_output=True, text=True)
        if check and done.returncode:
            raise SystemExit(f"chaos: {command}: {done.stderr.strip()}")


class Link:
    """Forwards TCP connections to a port of this host, and records the tasks that the router sends."""

    def __init__(self, switchboard: "Switchboard", target: int) -> None:
        self._switchboard, self._target = switchboard, target
        self._delay = 0.0
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        # Both are replaced at each start of the router. All links share the images of one run.
        self.hands: list[Hand] = []
        self.images: dict[int, int] = {}
        # Called with each job whose image or crops arrive, before they are forwarded.
        self.before: Callable[[int, Hand], None] = lambda job, hand: None
        # Received data that does not follow the worker protocol.
        self.unreadable: list[str] = []

    async def _listen(self, address: str) -> int:
        server = await asyncio.start_server(self._serve, address, 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        onward = None
        hand = Hand(time.monotonic())
        try:
            if self._is_cut:
                return
            from_target, onward = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(onward)
            hand.images = self.images
            self.hands.append(hand)
            ways = [self._pass(reader, onward, None), self._pass(from_target, writer, self._watch(hand))]
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        except OSError:
            pass
        finally:
            # The end is noted before the router can see it.
            hand.closed = min(hand.closed, time.monotonic())
            for end in filter(None, (writer, onward)):
                self._writers.discard(end)
                end.transport.abort()

    def _watch(self, hand: Hand) -> wire.Watch:
        def take(task: wire.Task) -> None:
            hand.take(task, time.monotonic())

        def see(task: wire.Task, data: bytes) -> None:
            if task.is_locating and (mark := images.MARK.search(data)):
                hand.images[task.request] = int(mark[1])
            if (job := hand.job(task.job)) is not None:
                self.before(job, hand)

        return wire.Watch(take, see)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: wire.Watch | None) -> None:
        try:
            while data := await reader.read(1 << 16):
                if watch:
                    try:
                        watch(data)
                    except wire.Unreadable as error:
                        self.unreadable.append(str(error))
                        watch = None
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    def harm(self, fault: str) -> None:
        self._switchboard.call(self._harm, fault)

    def heal(self) -> None:
        self._switchboard.call(self._harm, None)

    def _harm(self, fault: str | None) -> None:
        self._delay = DELAY if fault == "delay" else 0.0
        self._is_cut = fault == "cut"
        if self._is_cut:
            now = time.monotonic()
            for hand in self.hands:
                hand.closed = min(hand.closed, now)
            for writer in list(self._writers):
                writer.transport.abort()


class Switchboard:
    """The thread on which all links run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="links", daemon=True).start()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)

    def link(self, target: int, address: str = "127.0.0.1") -> tuple[Link, int]:
        """Creates a link to a port of this host. Returns the link and the port of `address` on which it listens."""
        link = Link(self, target)
        return link, asyncio.run_coroutine_threadsafe(link._listen(address), self._loop).result(timeout=10)
