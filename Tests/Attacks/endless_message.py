"""Streams one message that never ends to a router's endpoint (ipc), and prints what the router's memory does.

    python endless_message.py ENDPOINT PID [MIB]

Plain ZMTP 3.0 by hand: libzmq itself sends no message before its last frame is there. Every frame is within the router's
limits and says that another one follows. At most MIB (128) are sent.
"""

import socket
import sys

FRAME = 1 << 20


def resident_mib(pid: str) -> float:
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"there is no process {pid}")


def main() -> None:
    endpoint, pid = sys.argv[1].removeprefix("ipc://"), sys.argv[2]
    frames = int(sys.argv[3]) if len(sys.argv) > 3 else 128
    before = resident_mib(pid)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(endpoint)
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
        ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
        sent = 0
        try:
            peer.sendall(greeting + b"\x04" + bytes([len(ready)]) + ready)
            for _ in range(frames):
                # More follows (1), the size has 8 bytes (2).
                peer.sendall(b"\x03" + FRAME.to_bytes(8, "big") + bytes(FRAME))
                sent += 1
        except (BrokenPipeError, ConnectionResetError):
            pass
        print(f"{sent} MiB sent, {resident_mib(pid) - before:.0f} MiB grown", flush=True)


if __name__ == "__main__":
    main()
