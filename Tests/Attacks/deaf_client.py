"""Sends a router (ipc or tcp) requests without reading any reply, and prints how the router's memory grows.

    python deaf_client.py ENDPOINT PID [REQUESTS]

The replies cost the router as much as a client can make them cost: each echoes an envelope of the greatest length. It
sends REQUESTS (30000) requests.
"""

import sys

from support import zmtp
from support.processes import resident_bytes

# The delimiter is the only empty frame, so the envelope has the greatest length.
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
