"""The tables of a run in Markdown."""

from figures import ALONE, BESIDE, Measurement, Rounds, Spread, Value, rate, spread
from promises import promises
from scenes import Scene
from systems import System

IN_FLIGHT = (1, 8, 32)


def number(value: float) -> str:
    """Formats a value with three significant digits."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(measured: Spread | None) -> str:
    """Formats the median, followed by the minimum and the maximum if they differ; "-" without a measurement."""
    if measured is None:
        return "-"
    if measured.least == measured.greatest:
        return number(measured.median)
    return f"{number(measured.median)} ({number(measured.least)} to {number(measured.greatest)})"


def _spread(measured: dict[int, Measurement], value: Value) -> Spread | None:
    return spread(value(m) for m in measured.values()) if measured else None


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(cells: list[str]) -> list[str]:
    return [_row(cells), "|" + "---|" * len(cells)]


def interface_rows(systems: list[System]) -> list[tuple[System, str, str]]:
    """Returns every interface of every system with the title of its row."""
    return [
        (system, interface, f"{system.title}, by {interface}") for system in systems for interface in system.interfaces
    ]


def scene_table(rounds: Rounds, systems: list[System], scene: Scene) -> list[str]:
    columns = [f"verdicts/s, {count} in flight" for count in IN_FLIGHT]
    lines = _head([scene.title, "looks at", *columns, "p50 ms, 1 in flight", "p99 ms, 1 in flight"])
    for system, interface, title in interface_rows(systems):
        loads = [rounds.of(system.name, interface, scene.name, count) for count in IN_FLIGHT]
        rates = [cell(_spread(load, rate)) for load in loads]
        single = loads[0]
        times = [cell(_spread(single, lambda m: m.p50_ms)), cell(_spread(single, lambda m: m.p99_ms))]
        lines.append(_row([title, system.looks_at, *rates, *times]))
    return lines


def promise_table(rounds: Rounds) -> list[str]:
    lines = _head(["Portrait, Bifrons over ZeroMQ", "measured", "promised", ""])
    for promise in promises(rounds):
        bound = f"at {'least' if promise.at_least else 'most'} {promise.bound:g}"
        lines.append(_row([promise.text, cell(promise.measured), bound, "kept" if promise.kept else "**not kept**"]))
    return lines


def tail_table(rounds: Rounds) -> list[str]:
    lines = _head(["Bifrons in f32 over ZeroMQ, portrait, one in flight", "p50 ms", "p99 ms"])
    for setting in (ALONE, BESIDE):
        measured = rounds.of("bifrons-f32", "ZeroMQ", "tails", 1, setting)
        lines.append(
            _row([setting, cell(_spread(measured, lambda m: m.p50_ms)), cell(_spread(measured, lambda m: m.p99_ms))])
        )
    return lines


def page(rounds: Rounds, systems: list[System], scenes: list[Scene], heading: str) -> str:
    """Returns the whole page; `heading` names the machine and the number of rounds."""
    scene_tables = [scene_table(rounds, systems, scene) for scene in scenes]
    parts = [[heading], *scene_tables, promise_table(rounds), tail_table(rounds)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"
