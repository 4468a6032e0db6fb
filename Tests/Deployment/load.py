#!/usr/bin/env python3
"""Keeps a router busy for some seconds, and prints as JSON how it answered.

    load.py ENDPOINT KEYS IMAGE SECONDS IN_FLIGHT [--durable]

The client is written as a user would write it, with pyzmq, a DEALER, and a folder of keys with router.public and
client.secret. With --durable, jobs are durable and have an idempotency key each; a job without an answer after some
seconds is sent again, since the router may have died. SIGTERM ends the load early. The exit status is 1 unless every
job was answered with 200.
"""

import argparse
import collections
import json
import signal
import sys
import time
import uuid
from pathlib import Path

from support.client import Client, Document, curve
from support.load import percentile

PATIENCE = 30  # the time limit for an answer, in seconds
AGAIN = 5  # the seconds after which a durable job is sent again


def main() -> int:
    parser = argparse.ArgumentParser()
    for name, kind in (("endpoint", str), ("keys", Path), ("image", Path), ("seconds", float), ("in_flight", int)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--durable", action="store_true")
    options = parser.parse_args()
    image = options.image.read_bytes()
    # Without these, TCP's long time limits would apply to a router that died silently, and to connecting to one that
    # is gone.
    heartbeats = {"heartbeat_ivl": 1000, "heartbeat_timeout": 3000, "connect_timeout": 3000}
    client = Client(options.endpoint, **heartbeats, **curve(options.keys, "client"))
    statuses: collections.Counter[int] = collections.Counter()
    latencies: list[float] = []
    again = 0
    # The times at which each job was first and last sent.
    pending: dict[str, list[float]] = {}

    def send(name: str) -> None:
        header: Document = {"verb": "classify", "id": name, "budget_ms": PATIENCE * 1000, "require": "all"}
        if options.durable:
            header |= {"durable": True, "idempotency_key": name}
        client.send(header, image)

    def end(*_: object) -> None:
        options.seconds = 0

    signal.signal(signal.SIGTERM, end)
    beginning = time.monotonic()
    while True:
        now = time.monotonic()
        while now < beginning + options.seconds and len(pending) < options.in_flight:
            name = str(uuid.uuid4())
            pending[name] = [now, now]
            send(name)
        if not pending or min(first for first, _ in pending.values()) < now - PATIENCE:
            break
        for name, times in pending.items():
            if options.durable and times[1] < now - AGAIN:
                times[1] = now
                again += 1
                send(name)
        if not (reply := client.receive(0.2)):
            continue
        result = json.loads(reply[1])
        if options.durable and result["status"] == 503 and result["id"] in pending:
            # The router is back before its workers, so the job is sent again soon.
            pending[result["id"]][1] = time.monotonic() - AGAIN + 0.5
            continue
        # A job that was sent twice may get two results.
        if result["id"] in pending:
            statuses[result["status"]] += 1
            latencies.append(1000 * (time.monotonic() - pending.pop(result["id"])[0]))
    answered = sum(statuses.values())
    print(
        json.dumps(
            {
                "answered": answered,
                "unanswered": len(pending),
                "sent again": again,
                "statuses": statuses,
                "per_second": round(answered / (time.monotonic() - beginning), 1),
                "p99_ms": round(percentile(latencies, 99)) if latencies else None,
            }
        )
    )
    return 0 if answered and not pending and set(statuses) == {200} else 1


if __name__ == "__main__":
    sys.exit(main())
