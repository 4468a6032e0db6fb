"""Tests one image among good ones that kills each locator, or each worker of its crops, with the real programs."""

import json
import time
from functools import partial

import pytest

import checker
import hands
import history
import images
import network
from poison import Poison
from support.client import Client
from support.cluster import Cluster
from support.programs import built

WORKERS = 2
GOOD = 200
FIRST = 1000
PATIENCE = 40.0


@pytest.mark.parametrize("killed", images.POOLS)
def test_only_the_poison_image_is_quarantined(tmp_path, killed):
    images.write_models(tmp_path / "models")
    # Jobs that come while all workers of a pool are dead wait, too.
    cluster = Cluster(tmp_path, tmp_path / "models", "--worker-wait=20s", binaries=built("debug"))
    poison = Poison(cluster.endpoint, tmp_path / "history", cluster.workers, lambda: 1)
    switchboard = network.Switchboard()
    links = {}
    of_requests: dict[int, int] = {}
    for pool in images.POOLS:
        for number in range(WORKERS):
            name = f"{pool}-{number}"
            links[name], port = switchboard.link(cluster.worker_port)
            links[name].before, links[name].images = partial(poison.meets, name), of_requests
            cluster.add_worker(pool, name, f"127.0.0.1:{port}", "--max-batch=8")
    client = Client(cluster.endpoint)
    try:
        cluster.start()
        cluster.wait_until_served(WORKERS)
        for number in range(GOOD):
            if number == GOOD // 2:
                poison.send([name for name in cluster.workers if images.pool_of(name) == killed])
            header = {"verb": "classify", "budget_ms": 30_000, "require": "all"}
            client.send(header, images.image(FIRST + number))
        statuses = receive(client, poison, cluster)
    finally:
        client.close()
        cluster.end()
    assert {number: status for number, status in statuses.items() if status != 200} == {} and len(statuses) == GOOD
    poison.end()
    for name, link in links.items():
        hands.assign(link.hands, cluster.workers[name].lives)
    report = checker.check(
        [history.read(tmp_path / "history")], {(1, name): link.hands for name, link in links.items()}
    )
    assert (report.violations, report.convicted, report.statuses) == ([], {killed: 1}, {422: 1})
    assert [text for link in links.values() for text in link.unreadable] == []
    # Both workers died of this image, and no other worker died.
    deaths = [(name, life.killer) for name, worker in cluster.workers.items() for life in worker.lives if life.killer]
    assert [images.pool_of(name) for name, _ in deaths] == [killed] * 2 and len({job for _, job in deaths}) == 1


def receive(client: Client, poison: Poison, cluster: Cluster) -> dict[int, int]:
    """Returns the status of each good image. Restarts workers that died, as `bifrons up` does."""
    statuses: dict[int, int] = {}
    end = time.monotonic() + PATIENCE
    while (len(statuses) < GOOD or poison.is_at_work()) and time.monotonic() < end:
        if reply := client.receive(0.02):
            statuses[reply[0]] = json.loads(reply[1])["status"]
        while not poison.fallen.empty():
            name, _ = poison.fallen.get()
            cluster.workers[name].wait(10)
            cluster.workers[name].start()
    return statuses
