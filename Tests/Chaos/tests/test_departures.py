"""Tests ZeroMQ clients that leave, that use a routing id twice or that probe, with the real router and workers."""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zmq

import images
import support.client
from support import zmtp
from support.cluster import Cluster
from support.processes import Process
from support.programs import built

BINARIES = built("debug")
PATIENCE = 20.0
JOBS = 40
# Sends `jobs` jobs and stays connected.
CLIENT = """
import sys, time, zmq
sys.path.insert(0, {folder!r})
import images
socket = zmq.Context().socket(zmq.DEALER)
socket.connect({endpoint!r})
for job in range({jobs}):
    socket.send_multipart([b"%d" % job, b"", b"BIFRONS1", {header!r}, images.image(job)])
time.sleep(600)
"""


class Client(support.client.Client):
    """One connection, which never reconnects, so that a client that was disconnected stays so."""

    def __init__(self, endpoint: str, **options):
        super().__init__(endpoint, options.pop("kind", zmq.DEALER), **{"reconnect_ivl": -1} | options)

    def send(self, number: int, image: bytes | None = None, **header) -> None:
        frames = support.client.request({"verb": "classify", "id": f"id-{number}", "budget_ms": 60_000} | header, image)
        self.socket.send_multipart(frames if self.socket.type == zmq.REQ else [b"%d" % number, b"", *frames])

    def receive(self, seconds: float = PATIENCE) -> dict | None:
        return json.loads(self.socket.recv_multipart()[-1]) if self.socket.poll(seconds * 1000) else None

    def ask(self, verb: str, **header) -> dict | None:
        self.send(0, verb=verb, **header)
        return self.receive()


class Service:
    """A cluster whose workers start only when a test asks for it. Until then, jobs wait."""

    def __init__(self, folder: Path, *options: str, curve: dict[str, bytes] | None = None):
        self.curve = curve or {}
        images.write_models(folder / "models")
        self.cluster = Cluster(folder, folder / "models", "--worker-wait=60s", *options, binaries=BINARIES)
        self.cluster.add_workers(images.POOLS, 1)
        self.clients: list[Client] = []
        self.cluster.router.start()
        # The router may not be listening yet.
        self.observer = self.client(reconnect_ivl=20)
        assert self.observer.ask("ping")["status"] == 200

    def client(self, **options) -> Client:
        self.clients.append(Client(self.cluster.endpoint, **self.curve, **options))
        return self.clients[-1]

    def status(self) -> dict:
        return self.observer.ask("status")

    def wait_until(self, is_so) -> dict:
        """Waits for a status for which `is_so` is true, and returns it."""
        end = time.monotonic() + PATIENCE
        while not is_so(status := self.status()):
            assert time.monotonic() < end, status
            time.sleep(0.02)
        return status

    def start_workers(self) -> None:
        for worker in self.cluster.workers.values():
            worker.start()

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.cluster.end()


@pytest.fixture
def serve(tmp_path):
    with contextlib.ExitStack() as stack:

        def start(*options: str, **keys) -> Service:
            service = Service(tmp_path, *options, **keys)
            stack.callback(service.close)
            return service

        yield start


def fill(service: Service, way: str, folder: Path):
    """Lets a client take all places in the queue, and returns a function that makes the client leave."""
    if way == "closes its socket":
        client = service.client()
        for job in range(JOBS):
            client.send(job, images.image(job))
        leave = client.close
    else:
        header = json.dumps({"verb": "classify", "budget_ms": 60_000}).encode()
        code = CLIENT.format(
            folder=str(Path(images.__file__).parent), endpoint=service.cluster.endpoint, jobs=JOBS, header=header
        )
        process = Process("client", [sys.executable, "-c", code], folder)
        process.start()
        leave = process.kill if way == "is killed" else process.end
    service.wait_until(lambda status: status["queue"]["jobs"] == JOBS)
    return leave


@pytest.mark.parametrize("way", ["closes its socket", "is killed", "ends"])
def test_jobs_of_a_client_that_disconnects_are_cancelled_and_free_their_places(serve, tmp_path, way):
    service = serve(f"--max-jobs={JOBS}")
    other = service.client()
    leave = fill(service, way, tmp_path)
    other.send(1, images.image(1000))
    assert (other.receive()["status"], service.status()["counters"]["cancelled"]) == (429, 0)
    leave()
    status = service.wait_until(lambda status: status["queue"]["jobs"] == 0)
    assert status["counters"]["cancelled"] == JOBS
    other.send(2, images.image(1000))
    service.start_workers()
    assert other.receive()["status"] == 200
    # No other job was computed.
    counts = {model["name"]: model["compute_ms"]["count"] for model in service.status()["models"]}
    assert counts == dict.fromkeys(images.POOLS, 1)


def test_jobs_of_connected_clients_are_answered_when_another_disconnects(serve):
    service = serve()
    leaver, stayer = service.client(), service.client()
    for job in range(JOBS):
        leaver.send(job, images.image(job))
        stayer.send(job, images.image(JOBS + job))
    service.wait_until(lambda status: status["queue"]["jobs"] == 2 * JOBS)
    leaver.close()
    service.wait_until(lambda status: status["queue"]["jobs"] == JOBS)
    service.start_workers()
    assert [stayer.receive()["status"] for _ in range(JOBS)] == [200] * JOBS


def test_answers_reach_their_clients_while_others_connect_and_disconnect(serve):
    service = serve()
    stayer = service.client()
    jobs = 300
    for job in range(jobs):
        leaver = service.client()
        leaver.socket.linger = 1000
        leaver.send(job, images.image(jobs + job))
        stayer.send(job, images.image(job))
        # The connection may end before or after its job is read, and while others' jobs are read.
        leaver.context.destroy()
        service.clients.remove(leaver)
    # If a newer connection already has the descriptor of an ended one, a job may be attributed to the newer one.
    service.wait_until(lambda status: status["queue"]["jobs"] <= jobs * 1.1)
    service.start_workers()
    for _ in range(jobs):
        result = stayer.receive()
        job = int(result["id"].removeprefix("id-"))
        assert (result["status"], result["image"]["sha256"]) == (200, images.digest(job))
    service.wait_until(lambda status: status["queue"]["jobs"] == 0)


def test_a_job_that_another_client_waits_for_continues(serve):
    service = serve()
    leaver, stayer = service.client(), service.client()
    leaver.send(1, images.image(1), idempotency_key="shared")
    service.wait_until(lambda status: status["queue"]["jobs"] == 1)
    stayer.send(2, images.image(1), idempotency_key="shared")
    service.wait_until(lambda status: status["counters"]["deduplicated"] == 1)
    leaver.close()
    service.start_workers()
    assert stayer.receive()["status"] == 200


def test_a_durable_job_of_a_client_that_disconnects_is_computed_and_found(serve, tmp_path):
    service = serve(f"--journal={tmp_path / 'journal'}")
    leaver = service.client()
    leaver.send(1, images.image(1))
    leaver.send(2, images.image(2), durable=True)
    leaver.send(3, images.image(3), durable=True, wait=False)
    assert leaver.receive()["status"] == 202
    service.wait_until(lambda status: status["journal"]["unfinished"] == 2)
    leaver.close()
    status = service.wait_until(lambda status: status["queue"]["jobs"] == 2)
    assert status["counters"]["cancelled"] == 1
    service.start_workers()
    service.wait_until(lambda status: status["journal"]["unfinished"] == 0)
    for number in (2, 3):
        result = service.observer.ask("fetch", id=f"id-{number}")
        assert (result["status"], result["image"]["sha256"]) == (200, images.digest(number))


@pytest.mark.parametrize("kind", [zmq.DEALER, zmq.REQ])
def test_a_probe_gets_no_answer(serve, kind):
    service = serve()
    before = service.status()["counters"]
    client = service.client(kind=kind, probe_router=1)
    # Answers come in the order of the requests, so an answer to the probe would come first.
    for _ in range(2):
        assert client.ask("ping") == {"id": "id-0", "status": 200}
    after = service.status()["counters"]
    assert after["malformed_requests"] == before["malformed_requests"]
    assert after["replies_by_status"] == {}
    assert after["reports"] >= before["reports"] + 2


def test_the_newer_of_two_clients_with_one_routing_id_takes_over(serve):
    service = serve()
    older = service.client(routing_id=b"twin")
    assert older.ask("ping")["status"] == 200
    older.send(1, images.image(1))
    service.wait_until(lambda status: status["queue"]["jobs"] == 1)
    newer = service.client(routing_id=b"twin")
    assert newer.ask("ping")["status"] == 200
    # The jobs that the older client waits for are cancelled with it.
    older.close()
    service.wait_until(lambda status: status["queue"]["jobs"] == 0)
    newer.send(2, images.image(2))
    service.start_workers()
    result = newer.receive()
    assert (result["id"], result["status"], result["image"]["sha256"]) == ("id-2", 200, images.digest(2))
    assert newer.receive(0.5) is None


PING = zmtp.message(b"BIFRONS1", b'{"verb":"ping"}')


def raw_client(endpoint: str, routing_id: bytes) -> socket.socket:
    """Returns a connection that has sent a routing id, byte by byte, and has received an answer to a ping."""
    peer = zmtp.connect(endpoint)
    peer.settimeout(PATIENCE)
    ready = zmtp.READY + b"\x08Identity" + struct.pack(">I", len(routing_id)) + routing_id
    peer.sendall(zmtp.GREETING + zmtp.frame(4, ready))
    read_until(peer, b"Identity")
    peer.sendall(PING)
    read_until(peer, b'"status":200')
    return peer


def read_until(peer: socket.socket, end: bytes) -> None:
    seen = b""
    while end not in seen:
        seen += (data := peer.recv(1 << 16))
        assert data


def test_the_router_survives_displaced_connections_that_keep_sending_and_reset(serve):
    service = serve()
    peers = [raw_client(service.cluster.endpoint, b"twin") for _ in range(3)]
    for peer in peers:
        peer.sendall(PING * 5000)
    for peer in peers:
        # The connection ends with a reset, without an orderly close.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    # This is longer than the ten-second interval of libzmq's housekeeping.
    end = time.monotonic() + 12
    while time.monotonic() < end:
        assert service.cluster.router.is_running()
        assert service.observer.ask("ping")["status"] == 200
        time.sleep(0.1)


def test_with_keys_the_first_of_two_clients_with_one_routing_id_stays(serve, tmp_path):
    keys = tmp_path / "keys"
    subprocess.run([str(BINARIES / "bifrons"), "keygen", str(keys)], check=True, capture_output=True)
    service = serve(f"--keys={keys}", curve=support.client.curve(keys, "operator"))
    first = service.client(routing_id=b"twin")
    assert first.ask("ping")["status"] == 200
    second = service.client(routing_id=b"twin")
    second.send(1, verb="ping")
    assert second.receive(0.5) is None
    assert first.ask("ping")["status"] == 200
    first.close()
    # A client that connects after the first has gone gets the routing id.
    end = time.monotonic() + PATIENCE
    while True:
        third = service.client(routing_id=b"twin")
        third.send(1, verb="ping")
        if answer := third.receive(0.5):
            break
        third.close()
        assert time.monotonic() < end
    assert answer["status"] == 200
