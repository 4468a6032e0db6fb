"""Measures how long a router takes for a page of a large decision ledger.

    python Benchmarks/ledger.py [--rows 10000000] [--folder FOLDER] [--pages 200]

Lets a router make the ledger's file, fills it with copies of a real decision (a kilobyte each, so ten million take some
13 GB), and asks the router for pages over ZeroMQ, with each filter: from random places, and for rare and frequent
values. The exit status is 1 if the 99th percentile of any filter exceeds 50 ms.
"""

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "Tests"))

from support.client import Client
from support.programs import MODELS, built

TENANTS, SUBJECTS, LIMIT, BOUND_MS = 1000, 100_000, 100, 50.0
FILL = """
INSERT INTO decisions
    (sequence, number, time, tenant, subject_type, subject_id, action, body, personal, salt, commitment, previous, hash)
WITH RECURSIVE rows(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM rows WHERE n < :last)
SELECT n, n, :now + n, 'tenant ' || (n * 7919 % :tenants), 'user', 'user ' || (n * 104729 % :subjects),
    CASE WHEN n % 10000 = 0 THEN 'block' WHEN n % 100 = 0 THEN 'review' ELSE 'allow' END,
    :body, :personal, zeroblob(16), zeroblob(32), zeroblob(32), zeroblob(32)
FROM rows
"""
BODY = json.dumps(
    {
        "action": "allow",
        "degraded": False,
        "evidence": [{"claim": "none", "kind": "provenance", "status": 200, "trust": "unsigned"}],
        "faces_found": 1,
        "format": "jpeg",
        "height": 900,
        "label": "real",
        "locator": {"digest": "sha256:" + "0" * 64, "name": "locator", "status": 200, "version": "1.1.0"},
        "merge": "sha256:" + "0" * 64,
        "models": [
            {"digest": "sha256:" + "0" * 64, "name": name, "status": 200, "version": "2.4.0"}
            for name in ("resnet", "inception")
        ],
        "policy": "default",
        "policy_digest": "sha256:" + "0" * 64,
        "policy_version": 1,
        "probability": "3f6a36e2eb1c432d",
        "reasons": [],
        "regions": [{"face": True, "logits": ["c1200000", "c0a00000"]}],
        "release": "0.1.0",
        "shadow": [],
        "width": 768,
    },
    separators=(",", ":"),
)
PERSONAL = json.dumps(
    {
        "boxes": [[312, 180, 240, 318]],
        "evidence": [],
        "request": "0193f0a2-7c1e-7cc0-9f00-000000000000",
        "sha256": "0" * 64,
        "subject": {"id": "user 1", "type": "user"},
    },
    separators=(",", ":"),
)


def router(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Starts a router with a journal in `folder`; returns the process and its endpoint."""
    endpoint = f"ipc://{folder}/clients"
    command = [built() / "bifrons-router", f"--models-folder={MODELS}", f"--journal={folder}", "--log-level=warning"]
    command += [f"--client-endpoint={endpoint}", f"--worker-endpoint=ipc://{folder}/workers"]
    process = subprocess.Popen([str(part) for part in command])
    with Client(endpoint) as client:
        client.ask({"verb": "ping"})
    return process, endpoint


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=60)


def fill(folder: Path, rows: int) -> None:
    """Writes `rows` decisions into the ledger in `folder`."""
    database = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    for first in range(1, rows + 1, 250_000):
        values: dict[str, object] = {
            "now": int(time.time() * 1000),
            "first": first,
            "last": min(rows, first + 249_999),
            "tenants": TENANTS,
            "subjects": SUBJECTS,
        }
        database.execute(FILL, values | {"body": BODY.encode(), "personal": PERSONAL.encode()})
    database.execute("UPDATE ledger SET sequence = ?", (rows,))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


QUERIES: dict[str, dict[str, object]] = {
    "no filter": {},
    "newest first": {"order": "newest"},
    "tenant": {"tenant": "tenant 17"},
    "subject": {"subject": {"type": "user", "id": "user 4711"}},
    "action, one in 10,000": {"action": "block"},
    "action, one in 100": {"action": "review"},
    "action, nearly all": {"action": "allow"},
    "tenant and action, all of the tenant's": {"tenant": "tenant 17", "action": "allow"},
    "tenant and action, none of the tenant's": {"tenant": "tenant 17", "action": "review"},
}


def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="decisions (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the file is made")
    parser.add_argument("--pages", type=int, default=200, help="pages of each filter (default: %(default)s)")
    options = parser.parse_args()
    choice, worst = random.Random(1), 0.0
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bifrons-ledger-") as name:
        folder = Path(name)
        stop(router(folder)[0])
        fill(folder, options.rows)
        size = (folder / "journal.sqlite").stat().st_size
        print(f"{options.rows:,} decisions, {size / 1e9:.1f} GB; pages of {LIMIT}, ms:")
        process, endpoint = router(folder)
        try:
            with Client(endpoint) as client:
                for title, query in QUERIES.items():
                    times = []
                    for _ in range(options.pages):
                        body = query | {"limit": LIMIT, "since": choice.randrange(1, options.rows)}
                        began = time.perf_counter()
                        answer = client.ask({"verb": "decisions"}, json.dumps(body).encode())
                        times.append((time.perf_counter() - began) * 1000)
                        if answer is None or answer["status"] != 200:
                            raise SystemExit(f"ledger: {answer}")
                    times.sort()
                    p99 = times[int(len(times) * 0.99) - 1]
                    worst = max(worst, p99)
                    p50 = statistics.median(times)
                    print(f"  {title}: p50 {p50:.1f}, p99 {p99:.1f}, max {times[-1]:.1f}", flush=True)
        finally:
            stop(process)
    print(f"{'kept' if worst <= BOUND_MS else 'NOT kept'}: at most {BOUND_MS:.0f} ms a page (p99)")
    return 0 if worst <= BOUND_MS else 1


if __name__ == "__main__":
    sys.exit(main())
