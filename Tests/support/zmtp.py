"""Plain ZMTP 3.0 by hand, because libzmq itself neither misbehaves nor falls silent."""

import socket

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE = 1


def frame(flags: int, content: bytes) -> bytes:
    """A frame, with a size of 8 bytes (flag 2) if it needs one."""
    if len(content) < 256:
        return bytes([flags, len(content)]) + content
    return bytes([flags | 2]) + len(content).to_bytes(8, "big") + content


# What a DEALER says of itself, and its part in the handshake.
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
HANDSHAKE = GREETING + frame(4, READY)


def message(*frames: bytes) -> bytes:
    """The frames of a message."""
    return b"".join(frame(MORE, content) for content in frames[:-1]) + frame(0, frames[-1])


def connect(endpoint: str) -> socket.socket:
    """A connection with an endpoint (tcp or ipc) on which nothing was said."""
    transport, _, address = endpoint.partition("://")
    if transport == "tcp":
        host, _, port = address.rpartition(":")
        return socket.create_connection((host, int(port)))
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(address)
    return peer


def dealer(endpoint: str, patience: float = 20) -> socket.socket:
    """A connection whose handshake is done: a message before the router's READY would end it."""
    peer = connect(endpoint)
    peer.settimeout(patience)
    peer.sendall(HANDSHAKE)
    received = b""
    while b"READY" not in received:
        data = peer.recv(4096)
        if not data:
            raise ConnectionResetError("the connection ended within the handshake")
        received += data
    return peer
