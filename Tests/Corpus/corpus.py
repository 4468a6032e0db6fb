#!/usr/bin/env python3
"""Asks a service everything in exchanges.py, and keeps the bytes of its answers, or compares them with those that were kept.

    corpus.py record FILE [--bin FOLDER]
    corpus.py replay FILE [--bin FOLDER]

The programs are real, the workers are scripts (workers.py). What differs from run to run is replaced: times, made identifiers,
epochs, counts of what is going on. `replay` prints each difference and ends with 1 if there is one.
"""

import argparse
import http.client
import json
import os
import re
import struct
import sys
import tempfile
import time
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Chaos"))
import exchanges
import wire
import workers
from cluster import Process, free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0
ENSEMBLE = {
    "schema": 1,
    "models": ["alpha", "beta"],
    "merge": [
        {"models": ["alpha"], "bias": 0.25, "weights": [1.0]},
        {"models": ["beta"], "bias": -0.25, "weights": [0.5]},
        {"models": ["alpha", "beta"], "bias": 0.125, "weights": [0.5, 0.75]},
    ],
    "policies": {
        "default": {"review": 0.5, "block": 0.75, "no_face": "review"},
        "strict": {"review": 0.125, "block": 0.25, "no_face": "block"},
    },
}

PASSED_OVER = ("date", "content-length")

WRITTEN = (("GET", "/"), ("GET", "/openapi.json"))
"""What is text of the repository, and changes with it."""

CHANGING = [
    (r'"(queue_ms|compute_ms|total_ms|retry_after_ms)":[0-9.]+', r'"\1":0'),
    (r"the budget of [0-9]+ ms", "the budget of 0 ms"),
    (r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b", "TRACE"),
    (r"\b[0-9a-z]{8,14}-[0-9]+\b(?=[\"/]|$)", "MADE"),
    (r"ipc://[^ \"]*/client", "ENDPOINT"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
]


def settled(answer: bytes, counting: bool) -> str:
    """An answer without what differs from run to run; of one that counts what is going on, without all numbers."""
    known = answer.decode("latin-1")
    for pattern, replacement in CHANGING:
        known = re.sub(pattern, replacement, known)
    if counting:
        known = re.sub(r"-?\b[0-9]+(\.[0-9]+)?(e-?[0-9]+)?\b", "0", known)
        # Histograms and lists of statuses have as many entries as there was to count.
        known = re.sub(r"0(,0)+", "0,…", known)
        known = re.sub(r'("0":0)(,"0":0)+', r"\1,…", known)
    return known


def metric_names(document: bytes) -> str:
    """The comments of a document in Prometheus's text format, and each metric's name with those of its labels."""
    lines = document.decode().splitlines()
    samples = {re.sub(r'="[^"]*"', "", line.rsplit(" ", 1)[0]) for line in lines if not line.startswith("#")}
    return "\n".join([*(line for line in lines if line.startswith("#")), *sorted(samples)])


def told(message: bytes) -> str:
    """A router's message to a worker in hexadecimal, without its epoch and the time that is left."""
    frames, at = [], 0
    while at < len(message):
        (size,) = struct.unpack_from("<I", message, at)
        frames.append(bytearray(message[at + 4 : at + 4 + size]))
        at += 4 + size
    first = frames[0]
    if first[1] == workers.WELCOME:
        first[2:10] = bytes(8)
    elif first[1] in (wire.LOCATE, wire.SCORE):
        first[11:15] = bytes(4)
    return " ".join(frame.hex() if len(frame) < 100 else f"{len(frame)} bytes" for frame in frames)


class Service:
    """A router with a journal, a gateway in front of it, and workers that are scripts."""

    def __init__(self, folder: Path, binaries: Path):
        (folder / "models").mkdir()
        (folder / "models/ensemble.json").write_text(json.dumps(ENSEMBLE))
        self.client, worker = f"ipc://{folder}/client", f"ipc://{folder}/worker"
        self.port = free_port()
        parent = f"--exit-with-parent={os.getpid()}"
        self.router = Process(
            "router",
            [
                str(binaries / "bifrons-router"),
                f"--models-folder={folder}/models",
                f"--client-endpoint={self.client}",
                f"--worker-endpoint={worker}",
                f"--journal={folder}/journal",
                parent,
            ],
            folder,
        )
        self.gateway = Process(
            "gateway",
            [
                str(binaries / "bifrons-gateway"),
                f"--router={self.client}",
                f"--http-port={self.port}",
                "--cors-origin=http://pages.example",
                parent,
            ],
            folder,
        )
        self.workers = [
            workers.Worker("locator", False, worker),
            workers.Worker("alpha", True, worker, logit=1.0),
            workers.Worker("beta", True, worker, logit=-0.5),
        ]

    def __enter__(self) -> "Service":
        self.router.start()
        self.gateway.start()
        self._scripts = workers.Workers(self.workers)
        self._scripts.__enter__()
        end = time.monotonic() + PATIENCE
        while self.http("GET", "/readyz", {}, b"")[0] != 200:
            if time.monotonic() > end:
                raise SystemExit(f"the gateway is not ready after {PATIENCE:.0f} s: see {self.gateway.log}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_) -> None:
        self.gateway.end()
        self.router.end()
        self._scripts.__exit__()

    def http(
        self, method: str, path: str, fields: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, fields and body of an answer; 0 and nothing if the gateway does not listen yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body or None, {"Host": "bifrons.example", **fields})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except ConnectionRefusedError:
            return 0, [], b""
        finally:
            connection.close()

    def ask(self, context: zmq.Context, frames: list[bytes]) -> list[bytes]:
        """The frames of a reply."""
        with context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.connect(self.client)
            socket.send_multipart(frames)
            if not socket.poll(PATIENCE * 1000):
                raise SystemExit(f"no reply within {PATIENCE:.0f} s to {frames}")
            return socket.recv_multipart()


def converse(binaries: Path) -> dict[str, object]:
    """All answers, by exchange."""
    with tempfile.TemporaryDirectory() as name, zmq.Context() as context, Service(Path(name), binaries) as service:
        found: dict[str, object] = {}
        for title, frames in exchanges.ZEROMQ.items():
            counting = b'"verb":"status"' in b"".join(frames)
            reply = service.ask(context, frames)
            found[f"ZeroMQ: {title}"] = [settled(frame, counting) for frame in reply]
        for title, request in exchanges.HTTP.items():
            status, fields, body = service.http(*request)
            end = time.monotonic() + PATIENCE
            while request[0] == "GET" and status == 202 and time.monotonic() < end:  # The job is being computed.
                status, fields, body = service.http(*request)
            kept = sorted(f"{name.lower()}: {value}" for name, value in fields if name.lower() not in PASSED_OVER)
            found[f"HTTP: {title}"] = [settled(part.encode(), False) for part in (str(status), *kept)]
            if request[1] == "/metrics":
                found[f"HTTP: {title}"].append(metric_names(body))
            elif (request[0], request[1]) not in WRITTEN:
                found[f"HTTP: {title}"].append(settled(body, counting=request[1] == "/v1/status"))
        for worker in service.workers:
            found[f"worker protocol: {worker.model}"] = [told(message) for message in worker.told]
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Record or replay what a service answers.")
    parser.add_argument("what", choices=("record", "replay"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--bin", type=Path, default=ROOT / ".build/debug", help="the folder of the programs")
    options = parser.parse_args()
    found = converse(options.bin)
    if options.what == "record":
        options.file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return 0
    known = json.loads(options.file.read_text(encoding="utf-8"))
    different = [title for title in {**known, **found} if known.get(title) != found.get(title)]
    for title in different:
        print(f"{title}:\n  was {known.get(title)}\n  is  {found.get(title)}")
    print(f"{len(found)} exchanges, {len(different)} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
