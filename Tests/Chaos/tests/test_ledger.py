"""The ledger's check finds what is wrong with a ledger, and nothing else."""

import contextlib
import random
import sqlite3
from pathlib import Path

import images
import ledger
from support.client import Client
from support.cluster import Cluster
from support.programs import built

JOBS = 5


def test_a_changed_decision_is_found(tmp_path: Path) -> None:
    images.write_models(tmp_path / "models")
    journal = tmp_path / "journal.sqlite"
    cluster = Cluster(tmp_path, tmp_path / "models", f"--journal={journal}", binaries=built("debug"))
    cluster.add_workers(images.POOLS, 1)
    cluster.router.start()
    cluster.start()
    try:
        cluster.wait_until_served(1)
        with Client(cluster.endpoint) as client:
            for number in range(JOBS):
                answer = client.ask({"verb": "classify"}, images.image(number))
                assert answer is not None and answer["status"] == 200, answer
            assert ledger.check(client, random.Random(1)) == (JOBS, [])
    finally:
        cluster.end()
    with contextlib.closing(sqlite3.connect(journal)) as database, database:
        changed = "CAST(replace(body, '\"degraded\":false', '\"degraded\":true') AS BLOB)"
        database.execute(f"UPDATE decisions SET body = {changed} WHERE sequence = 3")
    cluster.router.start()
    try:
        with Client(cluster.endpoint) as client:
            checked, problems = ledger.check(client, random.Random(1))
    finally:
        cluster.end()
    assert checked == 2 and len(problems) == 1 and "does not have the hash" in problems[0], problems
