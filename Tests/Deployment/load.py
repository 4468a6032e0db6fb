#!/usr/bin/env python3
"""Keeps a router busy for some seconds and tells as JSON how it answered: load.py ENDPOINT KEYS IMAGE SECONDS IN_FLIGHT

A client as others would write it: pyzmq, a DEALER, the folder of keys with router.public and client.secret. Ends with
status 1 unless every job was answered, and each with 200.
"""

import collections
import json
import sys
import time
from pathlib import Path

import zmq

PATIENCE = 30  # seconds that an answer may take


def connect(endpoint: str, keys: Path) -> zmq.Socket:
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    secret = (keys / "client.secret").read_text().strip().encode()
    socket.curve_serverkey = (keys / "router.public").read_text().strip().encode()
    socket.curve_publickey, socket.curve_secretkey = zmq.curve_public(secret), secret
    socket.connect(endpoint)
    return socket


def main() -> int:
    endpoint, keys, image, seconds, in_flight = sys.argv[1:]
    picture = Path(image).read_bytes()
    socket = connect(endpoint, Path(keys))
    header = json.dumps({"verb": "classify", "budget_ms": PATIENCE * 1000, "require": "all"}).encode()
    statuses, latencies, pending = collections.Counter(), [], 0
    beginning = time.monotonic()
    while True:
        if time.monotonic() < beginning + float(seconds):
            while pending < int(in_flight):
                socket.send_multipart([b"BIFRONS1", header, picture])
                pending += 1
        if not pending:
            break
        if not socket.poll(PATIENCE * 1000):
            break
        result = json.loads(socket.recv_multipart()[-1])
        statuses[result["status"]] += 1
        latencies.append(result.get("total_ms", 0))
        pending -= 1
    answered = sum(statuses.values())
    latencies.sort()
    print(json.dumps({
        "answered": answered, "unanswered": pending, "statuses": statuses,
        "per_second": round(answered / (time.monotonic() - beginning), 1),
        "p99_ms": latencies[int(len(latencies) * 0.99)] if latencies else None,
    }))
    return 0 if answered and not pending and set(statuses) == {200} else 1


if __name__ == "__main__":
    sys.exit(main())
