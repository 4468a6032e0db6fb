#!/usr/bin/env python3
"""Keeps a router busy for some seconds and tells as JSON how it answered:

    load.py ENDPOINT KEYS IMAGE SECONDS IN_FLIGHT [--durable]

A client as others would write it: pyzmq, a DEALER, the folder of keys with router.public and client.secret. With --durable
jobs are durable, with an idempotency key each, and one that has no answer after some seconds is sent again, as the router
may have died. SIGTERM ends the seconds early. Ends with status 1 unless every job was answered, and each with 200.
"""

import argparse
import collections
import json
import signal
import sys
import time
import uuid
from pathlib import Path

import zmq

PATIENCE = 30  # seconds that an answer may take
AGAIN = 5  # seconds after which a durable job is sent again


def connect(endpoint: str, keys: Path) -> zmq.Socket:
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    secret = (keys / "client.secret").read_text().strip().encode()
    socket.curve_serverkey = (keys / "router.public").read_text().strip().encode()
    socket.curve_publickey, socket.curve_secretkey = zmq.curve_public(secret), secret
    # Or a router that died without a word is waited for as long as TCP would, and one whose machine has gone is dialled so.
    socket.heartbeat_ivl, socket.heartbeat_timeout, socket.connect_timeout = 1000, 3000, 3000
    socket.connect(endpoint)
    return socket


def main() -> int:
    parser = argparse.ArgumentParser()
    for name, kind in (("endpoint", str), ("keys", Path), ("image", Path), ("seconds", float), ("in_flight", int)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--durable", action="store_true")
    options = parser.parse_args()
    picture = options.image.read_bytes()
    socket = connect(options.endpoint, options.keys)
    statuses, latencies, again = collections.Counter(), [], 0
    # When each was sent for the first and for the last time.
    pending: dict[str, list[float]] = {}

    def send(name: str) -> None:
        header = {"verb": "classify", "id": name, "budget_ms": PATIENCE * 1000, "require": "all"}
        if options.durable:
            header |= {"durable": True, "idempotency_key": name}
        socket.send_multipart([b"BIFRONS1", json.dumps(header).encode(), picture])

    def end(*_) -> None:
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
        if not socket.poll(200):
            continue
        result = json.loads(socket.recv_multipart()[-1])
        if options.durable and result["status"] == 503 and result["id"] in pending:
            # The router is back before its workers are.
            pending[result["id"]][1] = time.monotonic() - AGAIN + 0.5
            continue
        # Who sent a job twice may get its result twice.
        if times := pending.pop(result["id"], None):
            statuses[result["status"]] += 1
            latencies.append(1000 * (time.monotonic() - times[0]))
    answered = sum(statuses.values())
    latencies.sort()
    print(
        json.dumps(
            {
                "answered": answered,
                "unanswered": len(pending),
                "sent again": again,
                "statuses": statuses,
                "per_second": round(answered / (time.monotonic() - beginning), 1),
                "p99_ms": round(latencies[int(len(latencies) * 0.99)]) if latencies else None,
            }
        )
    )
    return 0 if answered and not pending and set(statuses) == {200} else 1


if __name__ == "__main__":
    sys.exit(main())
