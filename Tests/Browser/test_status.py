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
    before = cluster.status()["workers"][0]["scored"]
    classify(cluster, 3)
    page.wait(lambda: any(row.text.split()[-3:-2] or str(before + 3) in row.text for row in page.all("#workers tr")),
              "scores of the workers")
    page.wait_text("#replies", "200")
    assert [title.text for title in page.all("#models h3")] == ["resnet", "inception"]
    assert "sha256:" in page.find("#models .weights").text
    assert page.find("#verdicts li[data-kind=real] b").text >= "3"
    assert len(page.all("#tiles .spark")) == 6


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
        inception = next(program for program in cluster.programs if "inception" in program.said())
        cluster.programs.remove(inception)
        inception.stop()
        page.wait_text("#headline", "Without inception")
        page.wait_text(".network[data-tone=bad]", "No worker serves it.")
