#!/usr/bin/env python3
"""Keeps a router busy for some seconds and tells as JSON how it answered.

    load.py ENDPOINT KEYS IMAGE SECONDS IN_FLIGHT [--durable]

A client as others would write it: pyzmq, a DEALER, the folder of keys with router.public and client.secret. With
--durable jobs are durable, with an idempotency key each, and one that has no answer after some seconds is sent again,
as the router may have died. SIGTERM ends the seconds early. Ends with status 1 unless every job was answered, and each
with 200.
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

PATIENCE = 30  # seconds that an answer may take
AGAIN = 5  # seconds after which a durable job is sent again


def main() -> int:
    parser = argparse.ArgumentParser()
    for name, kind in (("endpoint", str), ("keys", Path), ("image", Path), ("seconds", float), ("in_flight", int)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--durable", action="store_true")
    options = parser.parse_args()
    image = options.image.read_bytes()
    # Or a router that died without a word is waited for as long as TCP would, and one that is gone is dialled so.
    heartbeats = {"heartbeat_ivl": 1000, "heartbeat_timeout": 3000, "connect_timeout": 3000}
    client = Client(options.endpoint, **heartbeats, **curve(options.keys, "client"))
    statuses: collections.Counter[int] = collections.Counter()
    latencies: list[float] = []
    again = 0
    # When each was sent for the first and for the last time.
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
            # The router is back before its workers are.
            pending[result["id"]][1] = time.monotonic() - AGAIN + 0.5
            continue
        # Who sent a job twice may get its result twice.
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
