"""Tests the page for reviews: one image at a time, with the keyboard alone."""

import json

import pytest
from axe_core_python.selenium import Axe

from support import images
from support.cluster import GatewayCluster

POLICY = {"review": 0, "block": 1, "sample": 0, "blind": 1}


@pytest.fixture(scope="module")
def reviewing(tmp_path_factory):
    """A service that keeps decisions and the images of those that a person should look at."""
    journal = tmp_path_factory.mktemp("journal")
    with GatewayCluster([f"--journal={journal}", "--review-bytes=50MiB"]) as running:
        yield running


def put(cluster, policy):
    """Makes a policy decide from now on."""
    status, _, body = cluster.ask("PUT", "/v1/policies/default", {}, json.dumps(policy).encode())
    assert status == 201
    version = json.dumps({"version": json.loads(body)["version"]}).encode()
    assert cluster.ask("POST", "/v1/policies/default/activate", {}, version)[0] == 200


def waiting(cluster) -> list[str]:
    """Returns the ids of the decisions that wait for a review."""
    return [each["decision"]["id"] for each in json.loads(cluster.ask("GET", "/v1/reviews")[2])["reviews"]]


@pytest.fixture
def review(request, page, reviewing, tmp_path):
    """Gives the page with the first of two images to review; blind, unless the test is marked otherwise."""
    for decision in waiting(reviewing):
        status, _, body = reviewing.ask("GET", f"/v1/decisions/{decision}")
        assert status == 200, body
        appealed = {"appealId": decision, "actionedItem": {"id": decision}}
        # An appeal ends the lease that an earlier test has left.
        assert reviewing.ask("POST", "/v1/appeals", {}, json.dumps(appealed).encode())[0] == 204
        reviewing.ask("POST", f"/v1/reviews/{decision}", {}, b'{"outcome": "unsure"}')
    put(reviewing, {**POLICY, "blind": getattr(request, "param", 1)})
    for make in (images.two_faces, images.no_face):
        assert reviewing.classify(make(tmp_path).read_bytes()) == 200
    page.open(f"{reviewing.address}/review")
    page.wait(lambda: page.run("return document.querySelector('.stage img')?.naturalWidth > 0"), "a picture")
    return page


def filter_of(page) -> str:
    return str(page.run("return getComputedStyle(document.querySelector('.stage img')).filter"))


def test_the_picture_is_blurred_and_grey_until_asked_for(review):
    assert "blur" in filter_of(review)
    assert "grayscale(1)" in filter_of(review)
    review.press("v")
    assert filter_of(review) == "none"
    review.press("v")
    assert "blur" in filter_of(review)
    review.press("+")
    assert review.find(".zoom-factor").text == "150 %"


def test_a_blind_review_shows_what_the_networks_say_only_after_the_answer(review):
    assert review.shown("#recorded") == []
    assert review.shown(".report") == []
    assert not any("probability" in text for text in review.texts("main"))
    review.press("g")
    review.wait_text("#message", "Your answer is stored")
    review.wait(lambda: review.shown(".report .word"), "the verdict")
    assert review.shown("#recorded")
    assert any("ai generated" in text for text in review.texts("#recorded-facts dd"))


@pytest.mark.parametrize("review", [0], indirect=True)
def test_another_review_shows_the_decision_at_once(review):
    assert review.shown("#recorded")
    assert review.shown(".report") == []


def test_the_keyboard_alone_answers_skips_takes_back_and_goes_on(review, reviewing):
    first = review.find("#review-title").text
    assert len(waiting(reviewing)) == 2
    review.press("s")
    review.wait(lambda: review.find("#review-title").text not in (first, "Image"), "another image")
    review.press("r")
    review.wait_text("#message", "Your answer is stored")
    assert len(waiting(reviewing)) == 1
    review.press("z")
    review.wait_text("#message", "Your answer is taken back")
    assert len(waiting(reviewing)) == 2
    review.press("u")
    review.wait_text("#message", "Your answer is stored")
    review.wait(lambda: not review.run("return document.activeElement === document.body"), "a focus")
    review.press("\ue007")
    review.wait(lambda: review.find("#review-title").text == first, "the skipped image")
    review.press("n")
    review.wait(lambda: waiting(reviewing) == [], "two answers")
    review.wait_text("#message", "Your answer is stored")
    review.wait(lambda: review.shown("#go-on"), "the button for the next image")
    review.run("document.getElementById('go-on').click()")
    review.wait_text("#message", "No image waits for a review")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_breaks_no_accessibility_rule(review, scheme):
    review.scheme(scheme)
    for _ in range(2):
        found = Axe().run(review.driver)["violations"]
        assert [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]] == []
        review.press("g")
        review.wait(lambda: review.shown(".report .word"), "the verdict")


def test_the_page_fits_a_phone(review):
    review.resize(360)
    review.press("g")
    review.wait(lambda: review.shown(".report .word"), "the verdict")
    assert review.overflow() <= 0


def test_a_picture_that_is_not_kept_is_said_to_be_missing(page, tmp_path_factory, tmp_path):
    with GatewayCluster([f"--journal={tmp_path_factory.mktemp('journal')}"]) as cluster:
        put(cluster, POLICY)
        assert cluster.classify(images.two_faces(tmp_path).read_bytes()) == 200
        page.open(f"{cluster.address}/review")
        page.wait_text("#image", "not kept here")
        page.press("r")
        page.wait_text("#message", "Your answer is stored")
        assert page.shown("#recorded")
