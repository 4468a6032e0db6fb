"""Workers that answer according to a script, in the worker protocol: a locator, networks, and evidence workers.

The content of an image or a crop decides the answer. An image is text such as `faces 2` or `fail 415
image_unknown_format not an image`, and the first byte of a crop is the mark that the locator wrote there. After that,
an image may say `say ai_generated trusted` to the worker for provenance, or `late` or `complex`; and it is known to a
bank if it has the word `press`.
"""

import json
import struct
import threading
import time
from dataclasses import dataclass, field

import zmq

from support.worker_protocol import VERSION, FromRouter, FromWorker

SIDE = 2
"""Pixels of a crop's side."""

TIMINGS = struct.pack("<IIH", 100, 200, 1)
DIGEST = "sha256:" + "0" * 64


def text(value: str) -> bytes:
    return struct.pack("<H", len(value.encode())) + value.encode()


def specification(margin: float = 1.5) -> bytes:
    """Returns the specification of face crops with a margin, of `SIDE` pixels, for the current preprocessing."""
    return struct.pack("<BdHHH", 1, margin, SIDE, SIDE, 3)


EVIDENCE = ("provenance", "known")
"""The kinds of evidence, which are the names of the workers that find it."""


def hello(model: str, network: bool) -> bytes:
    worker, boot = f"{model}-1", int.from_bytes(model.encode()[:8], "little")
    role = b"\x01" + specification() if network else struct.pack("<BH", 0, 3)
    if model in EVIDENCE:
        role = b"\x02"
    metric = b"\x01" + text("roc_auc") + struct.pack("<d", 0.5)
    names = text(model) + text("1.0.0") + text(DIGEST) + text(worker)
    return bytes([VERSION, FromWorker.HELLO]) + role + names + struct.pack("<IQ", 8, boot) + metric + b"\x00"


@dataclass
class Worker:
    """One worker, its connection, and the messages that the router sent it."""

    model: str
    network: bool
    endpoint: str
    logit: float = 0.0
    received: list[bytes] = field(default_factory=list)
    """The router's messages, except PONGs. The length of each frame precedes it."""
    epoch: int = 0
    progress: int = 0
    ready: threading.Event = field(default_factory=threading.Event)

    def connect(self, context: zmq.SyncContext) -> zmq.SyncSocket:
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(self.endpoint)
        self.socket.send(hello(self.model, self.network))
        return self.socket

    def receive(self) -> None:
        frames = self.socket.recv_multipart()
        kind = frames[0][1]
        if kind == FromRouter.PONG:
            return
        self.received.append(b"".join(struct.pack("<I", len(frame)) + frame for frame in frames))
        # This is the epoch in a WELCOME, and the job's number in a task.
        number = int.from_bytes(frames[0][2:10], "little")
        if kind == FromRouter.WELCOME:
            self.epoch = number
            self.ready.set()
        elif kind == FromRouter.LOCATE:
            self._locate(number, frames[0][15:], frames[1])
        elif kind == FromRouter.SCORE:
            self._score(number, frames[1])
        elif kind == FromRouter.EXAMINE:
            self._examine(number, frames[1].decode("latin-1").split())

    def beat(self) -> None:
        if self.epoch:
            self.progress += 1  # A worker that makes no progress counts as hung.
            self.socket.send(bytes([VERSION, FromWorker.PING]) + struct.pack("<QIQ", self.epoch, 0, self.progress))

    def _fail(self, job: int, words: list[str]) -> None:
        status, code, message = words
        frame = struct.pack("<QQH", self.epoch, job, int(status)) + text(code) + text(message)
        self.socket.send(bytes([VERSION, FromWorker.FAIL]) + frame)

    def _locate(self, job: int, wanted: bytes, image: bytes) -> None:
        words = image.decode("latin-1").split(" ", 1)
        if words[0] == "fail":
            return self._fail(job, words[1].split(" ", 2))
        if words[0] != "faces":
            return  # The worker does not answer, so the job's budget ends.
        count, _, marks = words[1].partition(" ")
        faces, found = min(int(count), 16), int(count)
        boxes = [struct.pack("<iiii", 10 * number, 20, 30, 40 - number) for number in range(faces)]
        crops = max(faces, 1)
        head = struct.pack("<QQB", self.epoch, job, faces)
        head += b"".join(box + struct.pack("<h", 450 if number == 1 else 0) for number, box in enumerate(boxes))
        head += struct.pack("<HBBII", found, 0, 0, 512, 600) + bytes(range(32)) + wanted[:1]
        pixels = bytearray(3 * SIDE * SIDE * crops)
        pixels[:: 3 * SIDE * SIDE] = (marks.encode().ljust(crops, b"a"))[:crops]
        for _ in range(wanted[0]):
            head += bytes([crops]) + b"".join(boxes or [struct.pack("<iiii", 0, 0, 512, 512)])
        self.socket.send_multipart([bytes([VERSION, FromWorker.CROPS]) + head + TIMINGS, *[bytes(pixels)] * wanted[0]])

    def _examine(self, job: int, words: list[str]) -> None:
        report: dict[str, object] = {"kind": self.model}
        if self.model == "known":
            match = {"bank": "PRESS", "bank_kind": "allow", "distance": 4, "item": 17, "sha256": False}
            report |= {"quality": 97, "matches": [match] if "press" in words else []}
        elif "late" in words:
            return  # The worker does not answer, so the job's budget ends.
        elif "complex" in words:
            return self._fail(job, ["422", "evidence_too_complex", "the script says so"])
        else:
            claim, trust = words[words.index("say") + 1 :][:2] if "say" in words else ("none", "unsigned")
            report |= {"claim": claim, "trust": trust, "validation": [], "synthid": "not_checked"}
            if trust != "unsigned":
                report |= {"source": "c2pa", "generator": 'a "model"', "signer": "its maker", "digest": "0f" * 32}
                report["validation"] = ["claimSignature.validated", "assertion.dataHash.match"]
        head = struct.pack("<QQ", self.epoch, job)
        self.socket.send(bytes([VERSION, FromWorker.EVIDENCE]) + head + text(json.dumps(report)) + TIMINGS)

    def _score(self, job: int, crops: bytes) -> None:
        marks = crops[:: 3 * SIDE * SIDE]
        if self.model[0].upper().encode() in marks:
            return self._fail(job, ["503", "inference_failed", "the script says so"])
        if b"s" in marks:
            return None  # The worker does not answer, so the job's budget ends.
        answers = b"".join(
            struct.pack("<fBB", self.logit + (mark - ord("a")) / 4, 2, 1) + bytes([mark, 255 - mark]) for mark in marks
        )
        head = struct.pack("<QQB", self.epoch, job, len(marks))
        return self.socket.send(bytes([VERSION, FromWorker.SCORE]) + head + answers + TIMINGS)


class Workers:
    """The workers of one service, which run in one thread of their own."""

    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Workers":
        self._thread.start()
        for worker in self._workers:
            if not worker.ready.wait(20):
                raise SystemExit(f"the router did not welcome the worker of {worker.model} within 20 s")
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(20)

    def _run(self) -> None:
        context, poller = zmq.Context(), zmq.Poller()
        by_socket = {}
        for worker in self._workers:  # One by one, because the router lists them in the order of arrival.
            socket = worker.connect(context)
            by_socket[socket] = worker
            poller.register(socket, zmq.POLLIN)
            if socket.poll(20_000):
                worker.receive()
        next_beat = 0.0
        while not self._end.is_set():
            for socket, _ in poller.poll(100):
                by_socket[socket].receive()
            if time.monotonic() > next_beat:
                next_beat = time.monotonic() + 0.2
                for worker in self._workers:
                    worker.beat()
        context.destroy(0)
