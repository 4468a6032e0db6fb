"""The load generators: they keep a number of jobs in flight for a time and check every answer.

HTTP is loaded by wrk, ZeroMQ by a DEALER socket. Both begin with nothing in flight, send the next job when an answer
arrives, and drop whatever is still in flight at the end.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from support.client import Client, Document, request
from support.load import percentile

PATIENCE = 60.0
HEADER: Document = {"verb": "classify", "budget_ms": 60_000}
BOUNDARY = "boundary-of-parts"
FOLDER = Path(__file__).resolve().parent


class LoadError(Exception):
    """An answer was wrong or did not arrive."""


@dataclass(frozen=True)
class Outcome:
    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float


class HTTPInterface:
    """A server's HTTP endpoint for one image: sent as the raw body, or as the form field `part` if that is given."""

    def __init__(self, url: str, answer_has: str, part: str | None = None) -> None:
        self.url, self._answer_has, self._part = url, answer_has, part

    def _body(self, image: bytes) -> tuple[bytes, str]:
        if self._part is None:
            return image, "image/jpeg"
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{self._part}"; filename="image.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()
        return body, f"multipart/form-data; boundary={BOUNDARY}"

    def ask(self, image: bytes) -> Document:
        """Sends one image and returns the answer. Raises `LoadError` if it is not a status 200 with a verdict."""
        body, kind = self._body(image)
        posted = urllib.request.Request(self.url, body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(posted, timeout=PATIENCE) as reply:
                status, text = reply.status, reply.read().decode()
        except (OSError, urllib.error.HTTPError) as error:
            detail = error.read().decode()[:300] if isinstance(error, urllib.error.HTTPError) else ""
            raise LoadError(f"{self.url}: {error} {detail}") from error
        if status != 200 or self._answer_has not in text:
            raise LoadError(f"{self.url} answers {status} {text[:300]}: expected status 200 with {self._answer_has}")
        document: Document = json.loads(text)
        return document

    def load(self, image: bytes, in_flight: int, seconds: int, folder: Path) -> Outcome:
        """Loads the server for `seconds` with `in_flight` connections. Raises `LoadError` for any wrong answer."""
        body, kind = self._body(image)
        file = folder / "body"
        file.write_bytes(body)
        done = subprocess.run(
            [
                "wrk",
                "--threads",
                "1",
                "--connections",
                str(in_flight),
                "--duration",
                f"{seconds}s",
                "--timeout",
                f"{PATIENCE:.0f}s",
                "--script",
                str(FOLDER / "load.lua"),
                self.url,
                "--",
                str(file),
                kind,
                self._answer_has,
            ],
            capture_output=True,
            text=True,
            timeout=seconds + 2 * PATIENCE,
        )
        if done.returncode != 0:
            raise LoadError(f"wrk ended with {done.returncode}: {done.stderr.strip()}")
        report = json.loads(done.stdout.strip().splitlines()[-1])
        if report["wrong"] or report["broken"]:
            raise LoadError(
                f"{self.url} with {in_flight} in flight: {report['answers']} answers, {report['wrong']} of them wrong, "
                f"{report['broken']} connections broken or timed out {done.stderr.strip()}"
            )
        return Outcome(report["answers"], report["answers"] / report["seconds"], report["p50_ms"], report["p99_ms"])


class ZeroMQInterface:
    """A router's client endpoint, reached over ZeroMQ."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def ask(self, image: bytes) -> Document:
        """Sends one image and returns the answer. Raises `LoadError` if it has no verdict."""
        with Client(self.endpoint) as client:
            client.send(HEADER, image)
            return self._take(client)[1]

    def load(self, image: bytes, in_flight: int, seconds: int, folder: Path) -> Outcome:
        """Loads the router for `seconds` with `in_flight` jobs; `folder` is unused. Raises `LoadError`."""
        job = request(HEADER, image)
        with Client(self.endpoint, sndhwm=0, rcvhwm=0) as client:
            start = time.perf_counter()
            begun: dict[int, float] = {}
            latencies: list[float] = []

            def submit() -> None:
                now = time.perf_counter()
                begun[client.send_frames(job)] = now

            for _ in range(in_flight):
                submit()
            while True:
                number, _ = self._take(client)
                now = time.perf_counter()
                if now >= start + seconds:
                    break
                latencies.append((now - begun.pop(number)) * 1000)
                submit()
        p50, p99 = (percentile(latencies, percent) if latencies else 0 for percent in (50, 99))
        return Outcome(len(latencies), len(latencies) / seconds, p50, p99)

    def _take(self, client: Client) -> tuple[int, Document]:
        """Receives the next answer; returns its job's number and its result. Raises `LoadError` without a verdict."""
        if not (reply := client.receive(PATIENCE)):
            raise LoadError(f"{self.endpoint} did not answer within {PATIENCE:.0f} s")
        result: Document = json.loads(reply[1])
        if result.get("status") != 200 or "label" not in result.get("verdict", {}):
            raise LoadError(f"{self.endpoint} answers {reply[1].decode()[:300]}")
        return reply[0], result
