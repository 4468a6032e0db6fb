"""The operator's page, with the real service behind it."""

import urllib.request

import pictures
from cluster import Cluster


def classify(cluster: Cluster, count: int = 1):
    body = pictures.portrait().read_bytes()
    for _ in range(count):
        request = urllib.request.Request(f"{cluster.address}/v1/classify", body, {"Content-Type": "image/jpeg"})
        assert urllib.request.urlopen(request, timeout=30).status == 200


def test_report_is_live(page, cluster):
    page.open(f"{cluster.address}/status")
    page.wait_text("#headline", "All is well")
    assert page.texts("#models h3") == ["resnet", "inception", "locator"]
    assert all("sha256:" in weights for weights in page.texts("#models .weights"))
    assert len(page.texts("#tiles .tile")) == 7

    classify(cluster, 3)
    # What this page has seen comes before what the router has.
    page.wait(lambda: page.texts("#verdicts li[data-kind=real] b")[0] == "3", "three verdicts of real")
    assert any("No face" in text for text in page.texts("#verdicts li[data-kind=none]"))
    rows = {worker["name"]: f"{worker['scored']:,}" for worker in cluster.status()["workers"]}
    page.wait(lambda: dict(zip(page.texts("#workers th"), page.texts("#workers td:nth-child(5)"))) == rows, str(rows))
    assert "200 answered" in page.texts("#replies")[0]


def test_router_that_is_down_is_said_plainly_and_its_return_is_noticed(page):
    with Cluster() as cluster:
        page.open(f"{cluster.address}/status")
        page.wait_text("#headline", "All is well")
        cluster.stop_router()
        page.wait_text("#headline", "No router answers")
        assert "What stands below is from" in page.find("#subline").text
        assert "stale" in page.find("#report").get_attribute("class")
        cluster.start_router()
        page.wait_text("#headline", "All is well")
        assert "stale" not in page.find("#report").get_attribute("class")


def test_network_without_a_worker_is_named(page):
    with Cluster() as cluster:
        page.open(f"{cluster.address}/status")
        page.wait_text("#headline", "All is well")
        cluster.stop_worker("inception")
        page.wait_text("#headline", "Without inception")
        page.wait_text(".network[data-tone=bad]", "No worker serves it.")


def test_cluster_without_a_locator_opens_no_picture(page):
    with Cluster() as cluster:
        page.open(f"{cluster.address}/status")
        page.wait_text("#headline", "All is well")
        cluster.stop_worker("locator")
        page.wait_text("#headline", "Without the locator")
        page.wait_text(".network[data-tone=bad]", "No worker serves it.")
        page.open(cluster.address)
        page.wait_text("#service", "Without locator")
