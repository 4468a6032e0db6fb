"""Tests that everybody can use the pages: without a mouse, without sight, on a phone, in dark mode, with a token."""

import hashlib
import re

import pytest
from axe_core_python.selenium import Axe
from selenium.webdriver.common.keys import Keys

from support import images
from support.cluster import GatewayCluster


@pytest.fixture(params=["light", "dark"])
def scheme(request, page):
    page.scheme(request.param)
    return request.param


def open_filled_page(page, cluster, folder):
    """Gives the page with all of its content: verdicts, a problem, details and the history."""
    page.open(cluster.address)
    page.choose(images.two_faces(folder), images.no_face(folder), images.text(folder))
    page.verdicts(2)
    page.wait(lambda: len(page.all("#history-rows tr")) == 3, "three rows of history")


def open_image(page, name):
    """Opens an image with all of its details."""
    page.show(name)
    for details in page.shown("#viewer summary"):
        details.click()


def open_status_page(page, cluster):
    page.open(f"{cluster.address}/status")
    page.wait_text("#headline", "All is well")


def open_docs(page, cluster):
    page.open(f"{cluster.address}/docs")
    page.wait(lambda: page.shown("#reference"), "the description of the API")


def violations(page) -> list[str]:
    found = Axe().run(page.driver)["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def test_classify_page_breaks_no_accessibility_rule(page, cluster, scheme, tmp_path):
    page.open(cluster.address)
    assert violations(page) == []
    open_filled_page(page, cluster, tmp_path)
    assert violations(page) == []


@pytest.mark.parametrize("name", ["two.png", "gradient.png", "text.jpg"])
def test_opened_image_breaks_no_accessibility_rule(page, cluster, scheme, name, tmp_path):
    open_filled_page(page, cluster, tmp_path)
    open_image(page, name)
    assert violations(page) == []


def test_page_of_the_api_breaks_no_accessibility_rule(page, cluster, scheme):
    open_docs(page, cluster)
    assert violations(page) == []


def test_status_page_breaks_no_accessibility_rule(page, cluster, scheme):
    open_status_page(page, cluster)
    assert violations(page) == []


def test_dark_scheme_has_a_dark_background(home):
    def lightness() -> int:
        colour = home.find("body").value_of_css_property("background-color")
        return max(map(int, re.findall(r"\d+", colour)[:3]))

    assert lightness() > 200
    home.scheme("dark")
    assert lightness() < 60


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_wider_than_the_window(page, cluster, width, tmp_path):
    page.resize(width)
    open_filled_page(page, cluster, tmp_path)
    page.choose(images.small(tmp_path, f"{'a_very_long_name' * 8}.jpg"))
    page.verdicts(3)
    assert page.overflow() <= 0
    for name in ("two.png", images.small(tmp_path, f"{'a_very_long_name' * 8}.jpg").name):
        open_image(page, name)
        assert page.run("return viewer.scrollWidth - viewer.clientWidth") <= 0
        page.close()
    open_docs(page, cluster)
    assert page.overflow() <= 0
    open_status_page(page, cluster)
    assert page.overflow() <= 0


def test_everything_can_be_done_with_the_keyboard_alone(home, tmp_path):
    home.tab_to("#files")
    # A test cannot operate the system's file dialogue, so it checks only that the dialogue would open.
    home.run("files.addEventListener('click', (event) => { event.preventDefault(); window.asked = true; })")
    home.press(Keys.SPACE)
    assert home.run("return window.asked")
    home.choose(images.portrait())
    home.verdicts(1)

    home.tab_to(".tile")
    home.press(Keys.ENTER)
    home.wait(lambda: home.shown("#viewer .overlay-controls"), "the opened image")
    home.tab_to("#viewer .choice input:checked")
    home.press(Keys.ARROW_RIGHT)
    assert home.find("#viewer .choice input[value=inception]").is_selected()
    home.tab_to(".slider input")
    home.press(Keys.HOME)
    assert home.find(".stage canvas").value_of_css_property("opacity") == "0"
    home.tab_to("summary")
    home.press(Keys.ENTER)
    assert home.find("details").get_attribute("open") is not None
    home.close()
    assert home.run("return document.activeElement.className") == "tile"

    # In the page's order, the button Clear comes before the images.
    home.run("results.focus()")
    home.tab_to("#clear")
    home.press(Keys.ENTER)
    assert home.all(".image") == []
    assert home.run("return document.activeElement.id") == "files"
    home.tab_to("#forget")
    home.press(Keys.ENTER)
    assert not home.find("#history").is_displayed()


def test_every_focusable_element_shows_its_focus(page, cluster, tmp_path):
    open_filled_page(page, cluster, tmp_path)
    assert unseen_focus(page, "body") == []
    open_image(page, "two.png")
    assert unseen_focus(page, "#viewer") == []


def unseen_focus(page, part) -> list[str]:
    return page.run(
        """
        return [...document.querySelector(arguments[0]).querySelectorAll(
            "a[href], button, input, select, summary, [tabindex='0']")]
            .filter((target) => target.checkVisibility())
            .filter((target) => {
                target.focus({ focusVisible: true });
                // What cannot be seen itself shows it on what stands beside it.
                const ring = target.matches("input[type=file], input[type=radio]")
                    ? target.parentElement.querySelector("input:focus + label .button, input:focus + span") : target;
                return getComputedStyle(ring).outlineStyle === "none";
            })
            .map((target) => target.outerHTML);
        """,
        part,
    )


def test_verdict_is_not_conveyed_by_colour_alone(page, cluster, tmp_path):
    open_filled_page(page, cluster, tmp_path)
    open_image(page, "two.png")
    words = (".tile-word", ".tile .action", "#history-rows td[data-label]")
    for part in (*words, ".word", "#viewer .action", ".models td[data-label]"):
        assert {element.text.strip() for element in page.shown(part)}.isdisjoint({""}), part


def test_motion_is_reduced_on_request(home):
    home.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert home.find("#drop").value_of_css_property("transition-property") in ("none", "all")
    assert home.find("#drop").value_of_css_property("transition-duration") == "0s"


def test_token_is_requested_and_kept_for_the_session(page, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text(f"tests {hashlib.sha256(b'open sesame').hexdigest()}\n")
    with GatewayCluster(gateway=("--tokens", str(tokens))) as cluster:
        page.open(cluster.address)
        page.wait_text("#service", "A token is needed")
        page.choose(images.small(tmp_path))
        assert "A token is needed" in page.problem().text
        page.close()
        page.find("#token").send_keys("wrong", Keys.ENTER)
        page.wait_text("#token-form", "does not know this token")
        page.find("#token").clear()
        page.find("#token").send_keys("open sesame", Keys.ENTER)
        page.verdicts(1)
        page.wait_text("#service", "2 networks ready")
        page.open(f"{cluster.address}/status")
        page.wait_text("#headline", "All is well")
