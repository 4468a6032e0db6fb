#!/usr/bin/env python3
"""Sends a service every request of exchanges.py, and records its answers, or compares them with the recorded ones.

    corpus.py record FILE [--bin FOLDER]
    corpus.py replay FILE [--bin FOLDER]

The router and the gateway are the real programs, the workers are scripts (workers.py). Whatever differs from run to run
is replaced: times, generated identifiers, epochs, and counts of current events. `replay` prints each difference, and
its exit status is 1 if there is one.
"""

import argparse
import contextlib
import json
import re
import struct
import sys
import tempfile
import time
from pathlib import Path

import exchanges
import workers
from support.client import Client
from support.cluster import GatewayCluster
from support.programs import built
from support.worker_protocol import FromRouter

PATIENCE = 20
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

WITH_EVIDENCE = ENSEMBLE | {
    "evidence": list(workers.EVIDENCE),
    "policies": {
        "default": {"review": 0.75, "block": 0.875, "no_face": "review"},
        "strict": {
            "review": 0.75,
            "block": 0.875,
            "no_face": "block",
            "clauses": [
                {
                    "if": {"provenance.claim": "ai_generated", "provenance.trust": ["trusted"]},
                    "at_least": "block",
                    "reason": "signed-ai",
                },
                {"if": {"provenance.claim": "ai_generated"}, "at_least": "review"},
                {"if": {"known.bank": "PRESS"}, "at_most": "allow"},
            ],
        },
    },
}

PASSED_OVER = ("date", "content-length")

WRITTEN = (("GET", "/"), ("GET", "/openapi.json"))
"""The exchanges whose answers are files of the repository, which change with it."""

CHANGING = [
    (r'"(queue_ms|compute_ms|total_ms|retry_after_ms)":[0-9.]+', r'"\1":0'),
    (r"the budget of [0-9]+ ms", "the budget of 0 ms"),
    (r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b", "TRACE"),
    (r"\b[0-9a-z]{8,14}-[0-9]+\b(?=[\"/]|$)", "MADE"),
    (r'(?<="decision":")[0-9a-f]{16}|(?<="head":")[0-9a-f]{64}', "MADE"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
]


def settled(answer: bytes, counting: bool) -> str:
    """Returns an answer without what differs from run to run. With `counting`, all numbers are replaced, too."""
    known = answer.decode("latin-1")
    for pattern, replacement in CHANGING:
        known = re.sub(pattern, replacement, known)
    if counting:
        known = re.sub(r"-?\b[0-9]+(\.[0-9]+)?(e-?[0-9]+)?\b", "0", known)
        # The lengths of histograms and of lists of statuses depend on the number of events.
        known = re.sub(r"0(,0)+", "0,…", known)
        known = re.sub(r'("0":0)(,"0":0)+', r"\1,…", known)
    return known


def metric_names(document: bytes) -> str:
    """Returns the comments of a document in Prometheus's text format, and each metric's name with its labels' names."""
    lines = document.decode().splitlines()
    samples = {re.sub(r'="[^"]*"', "", line.rsplit(" ", 1)[0]) for line in lines if not line.startswith("#")}
    return "\n".join([*(line for line in lines if line.startswith("#")), *sorted(samples)])


def shown(message: bytes) -> str:
    """Returns a router's message to a worker in hexadecimal, without its epoch and the remaining time."""
    frames: list[bytearray] = []
    at = 0
    while at < len(message):
        (size,) = struct.unpack_from("<I", message, at)
        frames.append(bytearray(message[at + 4 : at + 4 + size]))
        at += 4 + size
    first = frames[0]
    if first[1] == FromRouter.WELCOME:
        first[2:10] = bytes(8)
    elif first[1] in (FromRouter.LOCATE, FromRouter.SCORE, FromRouter.EXAMINE):
        first[11:15] = bytes(4)
    return " ".join(frame.hex() if len(frame) < 100 else f"{len(frame)} bytes" for frame in frames)


class Service(GatewayCluster):
    """A router with a journal, a gateway in front of it, and workers that are scripts."""

    def __init__(self, folder: Path, binaries: Path, ensemble: dict[str, object] = ENSEMBLE) -> None:
        (folder / "models").mkdir()
        (folder / "models/ensemble.json").write_text(json.dumps(ensemble))
        # The wait is long, so that no answer depends on the speed of the machine.
        router, gateway = [f"--journal={folder / 'journal'}"], ["--cors-origin=http://pages.example"]
        router.append("--evidence-wait=60s")
        super().__init__(router, gateway, folder / "models", (), binaries)
        self.scripts = [
            workers.Worker("locator", False, self.worker_endpoint),
            workers.Worker("alpha", True, self.worker_endpoint, logit=1.0),
            workers.Worker("beta", True, self.worker_endpoint, logit=-0.5),
        ]
        if "evidence" in ensemble:
            self.scripts += [workers.Worker(kind, False, self.worker_endpoint) for kind in workers.EVIDENCE]
        self._running = contextlib.ExitStack()

    def wait_until_ready(self) -> None:
        """Starts the scripts before it waits."""
        self._running.enter_context(workers.Workers(self.scripts))
        super().wait_until_ready()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._running.close()

    def ask_frames(self, frames: list[bytes]) -> list[bytes]:
        """Sends frames on a new connection and returns the frames of the reply."""
        with Client(self.endpoint) as client:
            client.socket.send_multipart(frames)
            if not client.socket.poll(PATIENCE * 1000):
                raise SystemExit(f"no reply within {PATIENCE} s to {frames}")
            return client.socket.recv_multipart()


def converse(binaries: Path) -> dict[str, list[str]]:
    """Returns all answers, by the name of the exchange."""
    with tempfile.TemporaryDirectory() as name, Service(Path(name), binaries) as service:
        found: dict[str, list[str]] = {}
        for title, frames in exchanges.ZEROMQ.items():
            counting = re.search(rb'"verb":"(status|history|events|drift)"', b"".join(frames)) is not None
            reply = service.ask_frames(frames)
            found[f"ZeroMQ: {title}"] = [settled(frame, counting) for frame in reply]
        for title, (method, path, given, sent) in exchanges.HTTP.items():
            asked = (method, path, {"Host": "bifrons.example", **given}, sent or None)
            status, fields, body = service.ask(*asked)
            end = time.monotonic() + PATIENCE
            while method == "GET" and status == 202 and time.monotonic() < end:  # The job is still being computed.
                status, fields, body = service.ask(*asked)
            kept = sorted(f"{name.lower()}: {value}" for name, value in fields if name.lower() not in PASSED_OVER)
            found[f"HTTP: {title}"] = [settled(part.encode(), False) for part in (str(status), *kept)]
            if path == "/metrics":
                found[f"HTTP: {title}"].append(metric_names(body))
            elif (method, path) not in WRITTEN:
                found[f"HTTP: {title}"].append(
                    settled(body, counting=path.startswith("/v1/status") or path == "/v1/drift")
                )
        for worker in service.scripts:
            found[f"worker protocol: {worker.model}"] = [shown(message) for message in worker.received]
    return found | converse_about_evidence(binaries)


def converse_about_evidence(binaries: Path) -> dict[str, list[str]]:
    """Returns the answers of a service with evidence workers, by the name of the exchange."""
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as name, Service(Path(name), binaries, WITH_EVIDENCE) as service:
        for title, frames in exchanges.EVIDENCE.items():
            reply = service.ask_frames(frames)
            found[f"evidence: {title}"] = [settled(frame, title == "status") for frame in reply]
        for worker in service.scripts:
            if worker.model in workers.EVIDENCE:
                found[f"worker protocol: {worker.model}"] = [shown(message) for message in worker.received]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Record or replay what a service answers.")
    parser.add_argument("what", choices=("record", "replay"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--bin", type=Path, default=built("debug"), help="the folder of the programs")
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
