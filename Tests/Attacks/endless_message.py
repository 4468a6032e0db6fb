"""Sends a router (ipc or tcp) one message that never ends, and prints how the router's memory grows.

    python endless_message.py ENDPOINT PID [MIB]

Every frame is within the router's limits and announces another one. It sends at most MIB (128) MiB, and less if the
router closes the connection.
"""

import sys

from support import zmtp
from support.processes import resident_bytes

FRAME = zmtp.frame(zmtp.MORE, bytes(1 << 20))


def main() -> None:
    endpoint, pid = sys.argv[1], sys.argv[2]
    frames = int(sys.argv[3]) if len(sys.argv) > 3 else 128
    before = resident_bytes(pid)
    sent = 0
    try:
        with zmtp.dealer(endpoint) as peer:
            for _ in range(frames):
                peer.sendall(FRAME)
                sent += 1
            grown = resident_bytes(pid) - before
    except (BrokenPipeError, ConnectionResetError):
        grown = resident_bytes(pid) - before
    print(f"{sent} MiB sent, {grown / 2**20:.0f} MiB grown", flush=True)


if __name__ == "__main__":
    main()
