"""ZMTP 3.0 over plain sockets, for tests of peers that misbehave or fall silent, which libzmq never does."""

import socket

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE = 1


def frame(flags: int, content: bytes) -> bytes:
    """Returns a frame. Its size takes 8 bytes (flag 2) if one is too small."""
    if len(content) < 256:
        return bytes([flags, len(content)]) + content
    return bytes([flags | 2]) + len(content).to_bytes(8, "big") + content


# The READY command of a DEALER, which is its part of the handshake.
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
HANDSHAKE = GREETING + frame(4, READY)


def message(*frames: bytes) -> bytes:
    """Returns the frames of a message."""
    return b"".join(frame(MORE, content) for content in frames[:-1]) + frame(0, frames[-1])


def connect(endpoint: str) -> socket.socket:
    """Returns a connection to an endpoint (tcp or ipc) on which nothing has been sent."""
    transport, _, address = endpoint.partition("://")
    if transport == "tcp":
        host, _, port = address.rpartition(":")
        return socket.create_connection((host, int(port)))
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(address)
    return peer


def dealer(endpoint: str, patience: float = 20) -> socket.socket:
    """Returns a connection after its handshake. A message sent before the router's READY would end the connection."""
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
