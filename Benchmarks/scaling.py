"""Plots the CSV file that `bifrons-benchmarks scaling --csv FILE` writes.

python Benchmarks/scaling.py FILE docs/images/scaling.png
"""

import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def draw(rows: list[dict[str, float]], path: Path) -> None:
    figure, (speed, tail) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for routers in sorted({row["routers"] for row in rows}):
        line = [row for row in rows if row["routers"] == routers]
        workers = [row["workers"] for row in line]
        label = f"{routers:.0f} router{'s' if routers > 1 else ''}"
        speed.plot(workers, [row["jobs_per_second"] for row in line], marker=".", label=label)
        tail.plot(workers, [row["open_p99_ms"] for row in line], marker=".", label=label)
    for axis, title in (speed, "verdicts per second, saturated"), (tail, "p99 at 70 % of that load, ms"):
        axis.set(xscale="log", yscale="log", xlabel="workers of each kind", title=title)
        axis.grid(alpha=0.3)
    speed.legend()
    figure.savefig(path, dpi=100)


def main() -> None:
    source, path = sys.argv[1:]
    with open(source, newline="") as file:
        draw([{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)], Path(path))


if __name__ == "__main__":
    main()
