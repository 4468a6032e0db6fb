"""A router's messages to a worker, byte by byte, according to docs/protocol.md and the specification of ZMTP 3.1."""

GREETING = bytes.fromhex("ff 00000000000000 01 7f 03 01") + b"NULL".ljust(20, b"\0") + bytes(1 + 31)
READY = bytes.fromhex("04 29") + b"\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0"
START = GREETING + READY
PING = bytes.fromhex("04 07") + b"\x04PING\0\0"

WELCOME = bytes.fromhex("00 0e 0541 ebe9d5e60f782b49 f4010000")
PONG = bytes.fromhex("00 0a 0543 ebe9d5e60f782b49")
RESYNC = bytes.fromhex("00 02 0544")
BYE = bytes.fromhex("00 09 0545 0400") + b"over" + b"\1"


def last(body: bytes) -> bytes:
    """Returns the last frame of a message."""
    if len(body) < 256:
        return b"\x00" + bytes([len(body)]) + body
    return b"\x02" + len(body).to_bytes(8, "big") + body


def locate(request: int, image: bytes, attempt: int = 1) -> bytes:
    """Returns a LOCATE for crops of 8 x 8 pixels of the central square, preprocessing 3, with 5000 ms left."""
    number = (request * 16).to_bytes(8, "little")
    message = b"\x05\x42" + number + bytes([attempt]) + bytes.fromhex("88130000 01 00 0800 0800 0300")
    assert len(message) == 23
    return b"\x01\x17" + message + last(image)


def score(request: int, step: int, crops: bytes = bytes(192), attempt: int = 1) -> bytes:
    number = (request * 16 + step).to_bytes(8, "little")
    return b"\x01\x0f\x05\x46" + number + bytes([attempt]) + bytes.fromhex("88130000") + last(crops)
