"""Tests the operator's page, with the real service."""

from support import images
from support.cluster import GatewayCluster


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
