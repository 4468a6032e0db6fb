"""The operator's page, with the real service behind it."""

import urllib.request

import pictures
from cluster import Cluster


def classify(cluster: Cluster, count: int = 1):
    body = pictures.portrait().read_bytes()
    for _ in range(count):
        request = urllib.request.Request(f"{cluster.address}/v1/classify", body, {"Content-Type": "image/jpeg"})
        assert urllib.request.urlopen(request, timeout=30).status == 200


def shown_scores(page) -> dict[str, str]:
    return dict(page.run("""
        const text = (cell) => cell.innerText;
        return [...document.querySelectorAll("#workers tr")].map(({ cells }) => [text(cells[0]), text(cells[4])]);
    """))


def test_report_is_live(page, cluster):
    page.open(f"{cluster.address}/status")
    page.wait_text("#headline", "All is well")
    assert [title.text for title in page.all("#models h3")] == ["resnet", "inception"]
    assert "sha256:" in page.find("#models .weights").text
    assert len(page.all("#tiles .spark")) == 6

    classify(cluster, 3)
    # What this page has seen, in the order of the page: verdicts of the last minutes come first.
    page.wait(lambda: page.find("#verdicts li[data-kind=real] b").text == "3", "three verdicts of real")
    status = cluster.status()
    scored = {worker["name"]: f"{worker['scored']:,}" for worker in status["workers"]}
    page.wait(lambda: shown_scores(page) == scored, "scores of the workers")
    assert f"{status['counters']['replies_by_status']['200']:,}" in page.find("#replies").text


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
