"""The page and the chart of a run, made from invented measurements."""

import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

import chart
import tables
from figures import Measurement, Rounds, Spread
from scenes import Scene
from systems import known

SCENES = [Scene("portrait", "Portrait", 1, b""), Scene("group", "Group of nine", 9, b"")]


def a_run(rates: dict[str, float]) -> Rounds:
    """Returns three rounds; the second is 10 % faster than the first and the third 10 % slower."""
    return Rounds(
        Measurement(number, system.name, interface, scene.name, in_flight, rates[system.name] * factor, 20, 30, 100)
        for number, factor in enumerate((1, 1.1, 0.9))
        for system in known(["f32"])
        if system.name in rates
        for interface in system.interfaces
        for scene in SCENES
        for in_flight in tables.IN_FLIGHT
    )


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (None, "-"),
        (Spread(1.234, 1.234, 1.234), "1.23"),
        (Spread(43.84, 43.84, 43.84), "43.8"),
        (Spread(123.4, 99.96, 150.2), "123 (100.0 to 150)"),
        (Spread(0.5, 0.25, 1), "0.50 (0.25 to 1.00)"),
    ],
)
def test_cell_has_the_median_and_the_spread(measured, expected):
    assert tables.cell(measured) == expected


def test_page_says_which_region_each_system_scores_and_shows_losses():
    rates = {"bifrons-f32": 40.0, "mosec": 80.0, "litserve": 84.0, "mosec-locating": 40.0}
    page = tables.page(a_run(rates), known(["f32"]), SCENES, "Two cores")
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page.splitlines()}
    assert "| every face | 40.0 (36.0 to 44.0) |" in rows["Bifrons, f32, by ZeroMQ"]
    assert "| the centre | 80.0 (72.0 to 88.0) |" in rows["mosec, by HTTP"]
    assert "| every face |" in rows["mosec with our locator, by HTTP"]
    assert "0.48" in page and "at least 1 | **not kept** |" in page


def test_page_has_a_dash_for_what_was_not_measured():
    page = tables.page(a_run({"mosec": 80}), known(["f32"]), SCENES, "Two cores")
    assert "| Flask, the original's networks, by HTTP | all of it, shrunk | - | - | - | - | - |" in page


def test_every_row_has_as_many_cells_as_the_header():
    page = tables.page(a_run({"bifrons-f32": 40, "mosec": 80}), known(["f32"]), SCENES, "Two cores")
    for table in page.split("\n\n")[1:]:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_chart_is_reproducible_and_has_a_transparent_background(tmp_path: Path):
    rounds = a_run({"bifrons-f32": 40, "mosec": 80})
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        chart.draw(rounds, known(["f32"]), SCENES, path)
    assert first.read_bytes() == second.read_bytes()
    assert xml.parse(first).getroot().tag.endswith("svg")
    assert "fill: #ffffff" not in first.read_text()
