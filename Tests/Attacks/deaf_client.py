"""Asks a router (ipc or tcp) without end and never reads a reply, and prints what the router's memory does.

    python deaf_client.py ENDPOINT PID [REQUESTS]

The replies are as dear as a client can make them: each echoes an envelope that is as long as it may be. REQUESTS
(30000) are sent.
"""

import sys

from support import zmtp
from support.processes import resident_bytes

# Of all its frames, the delimiter has no bytes.
ENVELOPE = bytes(4096)
REQUEST = zmtp.message(ENVELOPE, b"", b"BIFRONS1", b'{"verb":"ping"}')
STEPS = 5


def main() -> None:
    endpoint, pid = sys.argv[1], sys.argv[2]
    requests = int(sys.argv[3]) if len(sys.argv) > 3 else 30_000
    before = resident_bytes(pid)
    with zmtp.dealer(endpoint) as peer:
        for step in range(1, STEPS + 1):
            for _ in range(requests // STEPS):
                peer.sendall(REQUEST)
            grown = resident_bytes(pid) - before
            print(f"{requests // STEPS * step} requests sent, {grown / 2**20:.0f} MiB grown", flush=True)


if __name__ == "__main__":
    main()
