"""The chart of a run: each system's verdicts per second for each scene, with the spread over the rounds."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from figures import Rounds, rate, spread
from scenes import Scene
from systems import System
from tables import interface_rows, number

# Legible on white and on near-black alike.
INK = "#7d7d7d"
OURS, LOCATES, OTHERS = "#2f81d6", "#c9762b", "#8a8f98"
IN_FLIGHT = 32


def colour(system: System) -> str:
    if system.name.startswith("bifrons"):
        return OURS
    return LOCATES if system.finds_faces else OTHERS


def draw(rounds: Rounds, systems: list[System], scenes: list[Scene], path: Path) -> None:
    """Writes a chart as an SVG with a transparent background; equal measurements give equal bytes."""
    rows = interface_rows(systems)
    with pyplot.rc_context(
        {
            "svg.hashsalt": "peers",
            "font.size": 9,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    ):
        figure, axes = pyplot.subplots(
            1, len(scenes), figsize=(11, 0.42 * len(rows) + 1.2), layout="constrained", sharey=True, squeeze=False
        )
        for axis, scene in zip(axes[0], scenes, strict=True):
            axis.set(title=scene.title, xlabel=f"verdicts a second, {IN_FLIGHT} in flight")
            for place, (system, interface, _) in enumerate(rows):
                measured = rounds.of(system.name, interface, scene.name, IN_FLIGHT)
                if not measured:
                    continue
                value = spread(rate(m) for m in measured.values())
                reach = [[value.median - value.least], [value.greatest - value.median]]
                axis.barh(place, value.median, color=colour(system), xerr=reach, ecolor=INK, capsize=2)
                axis.text(value.greatest, place, f"  {number(value.median)}", va="center")
            axis.margins(x=0.2)
            axis.spines[["top", "right"]].set_visible(False)
        titles = [title + ("" if system.finds_faces else " *") for system, _, title in rows]
        axes[0][0].set_yticks(range(len(rows)), titles)
        axes[0][0].invert_yaxis()
        figure.supxlabel("* finds no faces: mosec and LitServe score the centre, Flask the shrunk image", fontsize=8)
        figure.savefig(path, transparent=True, metadata={"Date": None})
        pyplot.close(figure)
