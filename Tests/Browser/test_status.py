"""Tests the operator's page, with the real service."""

import json
import re
from typing import Any

import pytest
from PIL import Image

from support import images
from support.cluster import GatewayCluster


def drift(cluster: GatewayCluster) -> Any:
    """Returns the router's report on drift."""
    return json.loads(cluster.ask("GET", "/v1/drift")[2])


def test_status_page_updates_live(page, cluster):
    page.open(f"{cluster.address}/status")
    page.wait_text("#headline", "All is well")
    assert page.texts("#models h3") == ["resnet", "inception", "locator"]
    assert all("sha256:" in weights for weights in page.texts("#models .weights"))
    assert len(page.texts("#tiles .tile")) == 7

    for _ in range(3):
        assert cluster.classify(images.portrait().read_bytes()) == 200
    # The page first shows what it has seen itself, then what the router has counted.
    page.wait(lambda: page.texts("#verdicts li[data-kind=real] b")[0] == "3", "three verdicts of real")
    assert any("No face" in text for text in page.texts("#verdicts li[data-kind=none]"))
    rows = {worker["name"]: f"{worker['scored']:,}" for worker in cluster.status()["workers"]}
    page.wait(
        lambda: dict(zip(page.texts("#workers th"), page.texts("#workers td:nth-child(6)"), strict=False)) == rows,
        str(rows),
    )
    assert "200 answered" in page.texts("#replies")[0]


def test_lost_router_is_reported_and_its_return_is_detected(page):
    with GatewayCluster() as cluster:
        page.open(f"{cluster.address}/status")
        page.wait_text("#headline", "All is well")
        cluster.router.end()
        page.wait_text("#headline", "No router answers")
        assert "The report below is from" in page.find("#subline").text
        assert "stale" in page.find("#report").get_attribute("class")
        cluster.router.start()
        page.wait_text("#headline", "All is well")
        assert "stale" not in page.find("#report").get_attribute("class")


def test_network_without_a_worker_is_named(page):
    with GatewayCluster() as cluster:
        page.open(f"{cluster.address}/status")
        page.wait_text("#headline", "All is well")
        cluster.workers["inception"].end()
        page.wait_text("#headline", "Unavailable: inception")
        page.wait_text(".network[data-tone=bad]", "No worker serves it.")


def test_missing_locator_is_reported(page):
    with GatewayCluster() as cluster:
        page.open(f"{cluster.address}/status")
        page.wait_text("#headline", "All is well")
        cluster.workers["locator"].end()
        page.wait_text("#headline", "Locator unavailable")
        page.wait_text(".network[data-tone=bad]", "No worker serves it.")
        page.open(cluster.address)
        page.wait_text("#service", "Unavailable: locator")


def test_charts_of_the_day_come_from_the_router(page, cluster):
    assert cluster.classify(images.portrait().read_bytes()) == 200
    for _ in range(2):  # The second time in a page that has seen nothing itself.
        page.open(f"{cluster.address}/status")
        page.wait(lambda: len(page.texts("#day-tiles .tile")) == 8, "five charts, and one for each model")
        note = page.texts("#day-tiles .note")[0]
        total = sum(int(word) for word in note.replace(",", " ").split() if word.isdigit())
        assert total == sum(cluster.status()["verdicts"]["by_action"].values())
    assert "Fewest workers: locator" in page.texts("#day-tiles h3")
    page.wait(lambda: page.texts("#drift-images tr"), "the images of the day")
    # Other tests of this cluster may have sent other formats.
    assert re.search(r"jpeg \d+\.\d %", page.texts("#drift-images tr")[0])


def test_events_are_listed_once(page):
    with GatewayCluster() as cluster:
        page.open(f"{cluster.address}/status")
        page.wait(lambda: page.texts("#event-rows th") == 3 * ["Worker joined"], "the workers' events")
        lost = cluster.status()["workers"][0]["name"]
        cluster.workers[cluster.status()["workers"][0]["model"]].kill()
        page.wait(lambda: len(page.texts("#event-rows tr")) >= 4, "the lost worker's event")
        assert page.texts("#event-rows th")[0] == "Worker lost"
        assert page.texts("#event-rows td:last-child")[0] == lost


def test_jobs_over_their_budgets_are_not_well(page):
    with GatewayCluster() as cluster:
        page.open(f"{cluster.address}/status")
        page.wait_text("#headline", "All is well")
        for _ in range(3):
            answer = cluster.ask("POST", "/v1/classify?budget_ms=1", body=images.portrait().read_bytes())
            assert answer[0] == 408
        page.wait_text("#headline", "Too slow")


def test_index_of_drift_is_shown_from_the_minimum_of_faces_on(page):
    with GatewayCluster() as cluster:
        # The same face again and again is certainly not what the networks were calibrated on.
        crowd = images.face(1024, 1200).resize((256, 300))
        sheet = Image.new("RGB", (4 * 256, 4 * 300))
        for number in range(16):
            sheet.paste(crowd, (number % 4 * 256, number // 4 * 300))
        while min((model["faces"] for model in drift(cluster)["models"]), default=0) < 500:
            answer = cluster.ask("POST", "/v1/classify?budget_ms=30000", body=images.jpeg(sheet, 90))
            assert answer[0] == 200
        indices = {model["model"]: model["psi"] for model in drift(cluster)["models"]}
        assert set(indices) == {"resnet", "inception"}
        assert min(indices.values()) > 0.25
        page.open(f"{cluster.address}/status")
        page.wait(lambda: len(page.texts("#drift-models tr")) == 2, "both networks")
        assert all("much" in row for row in page.texts("#drift-models tr"))
        metrics = cluster.ask("GET", "/metrics")[2].decode()
        for model, psi in indices.items():
            found = re.search(
                rf'^bifrons_drift_psi{{model="{model}",version="[\d.]+",tenant=""}} (\S+)$', metrics, re.M
            )
            assert found and float(found[1]) == pytest.approx(psi, abs=1e-6)
