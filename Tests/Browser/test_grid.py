"""Tests the grid of images and the dialogue that shows one of them, with the real service."""

import base64
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import sample
from support import images
from support.programs import ROOT
from support.waiting import wait_for

SAMPLE = ROOT / "Sources/Gateway/Resources/sample.jpg"


def names(page) -> list[str]:
    return list(page.run("return [...document.querySelectorAll('.tile-name')].map((name) => name.textContent)"))


def focused(page) -> str:
    return page.run("return document.activeElement.querySelector('.tile-name')?.textContent")


def choose_order(page, value: str) -> None:
    page.find(f"#order option[value={value}]").click()


@pytest.fixture
def filled(home, tmp_path):
    """Gives the page with nine images: seven are allowed, one has no face, one failed."""
    home.choose(*[images.small(tmp_path, f"{number}.jpg") for number in range(7)])
    home.choose(images.no_face(tmp_path), images.text(tmp_path))
    home.verdicts(8)
    home.wait(lambda: names(home)[:2] == ["gradient.png", "text.jpg"], "the flagged images at the front")
    return home


def test_flagged_images_come_first_and_the_order_can_be_changed(filled):
    assert filled.run("return document.getElementById('order').value") == "flagged"
    choose_order(filled, "newest")
    assert names(filled) == ["text.jpg", "gradient.png", *[f"{number}.jpg" for number in reversed(range(7))]]
    choose_order(filled, "name")
    assert names(filled) == [*[f"{number}.jpg" for number in range(7)], "gradient.png", "text.jpg"]


def test_filter_shows_the_images_of_one_kind_with_their_number(filled):
    numbers = {text.rsplit(" ", 1)[0]: text.rsplit(" ", 1)[1] for text in filled.texts("#filter label")}
    assert numbers == {"All": "9", "Block": "0", "Review": "1", "Allow": "7", "No face": "1", "Failed": "1"}
    for value, shown in (("failed", ["text.jpg"]), ("no_face", ["gradient.png"]), ("block", [])):
        filled.run("arguments[0].click()", filled.find(f"#filter input[value={value}]"))
        assert names(filled) == shown
    assert filled.find("#nothing-shown").is_displayed()


def test_thumbnails_are_small_and_released(filled):
    filled.run("""
        window.released = [];
        const revoke = URL.revokeObjectURL;
        URL.revokeObjectURL = (address) => { released.push(address); revoke.call(URL, address); };
    """)
    filled.wait(lambda: len(filled.all(".thumbnail img")) == 8, "eight thumbnails")
    sizes = filled.run("""
        return [...document.querySelectorAll(".thumbnail img")]
            .map((image) => [image.naturalWidth, image.naturalHeight]);
    """)
    assert all(width == height <= 320 for width, height in sizes)
    assert "No preview" in filled.find(".tile[data-state=failed]").text
    addresses = filled.run("return [...document.querySelectorAll('.thumbnail img')].map((image) => image.src)")
    filled.find("#clear").click()
    assert sorted(filled.run("return released")) == sorted(addresses)


def test_arrow_keys_move_in_the_grid_and_enter_opens_an_image(filled):
    choose_order(filled, "name")
    filled.tab_to(".tile")
    # Six columns in a window of 1200 pixels.
    filled.press(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert focused(filled) == "2.jpg"
    filled.press(Keys.ARROW_DOWN)
    assert focused(filled) == "text.jpg"
    filled.press(Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert focused(filled) == "1.jpg"
    filled.press(Keys.ENTER)
    assert filled.texts("#viewer-title") == ["1.jpg"] and filled.texts("#viewer-position") == ["2 of 9"]
    filled.press(Keys.ARROW_RIGHT)
    assert filled.texts("#viewer-title") == ["2.jpg"]
    filled.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert filled.texts("#viewer-title") == ["text.jpg"]
    # The focus returns to the image that was seen last.
    filled.close()
    assert focused(filled) == "text.jpg"
    filled.press(Keys.DELETE)
    assert "text.jpg" not in names(filled) and focused(filled) == "gradient.png"


def test_only_one_tile_is_in_the_tab_order(filled):
    assert filled.run("return document.querySelectorAll('.tile[tabindex=\"0\"]').length") == 1


def test_focus_stays_with_its_image_when_others_are_added(filled, tmp_path):
    filled.tab_to(".tile")
    filled.press(Keys.END)
    before = focused(filled)
    filled.choose(images.two_faces(tmp_path))
    filled.verdicts(9)
    filled.wait(lambda: len(names(filled)) == 10, "ten images")
    assert focused(filled) == before


def test_removing_the_opened_image_shows_the_next_one(filled):
    filled.show("gradient.png")
    filled.find("#remove").click()
    assert filled.texts("#viewer-title") == ["text.jpg"] and filled.texts("#viewer-position") == ["1 of 8"]
    # The choice of heat maps is not shown twice.
    filled.press(Keys.ARROW_RIGHT)
    filled.find("#remove").click()
    filled.wait(lambda: len(filled.all("#viewer .choice input")) == 3, "nothing and two networks to choose from")


def test_picture_is_zoomed_with_buttons_the_wheel_and_keys(home, tmp_path):
    home.choose(images.two_faces(tmp_path))
    home.verdict("two.png")

    def width() -> float:
        return home.run("return document.querySelector('.stage').getBoundingClientRect().width")

    whole = width()
    home.find(".zoom-in").click()
    assert abs(width() / whole - 1.5) < 0.01 and home.find(".zoom-factor").text == "150 %"
    home.press("+")
    assert abs(width() / whole - 2.25) < 0.01
    home.press("-", "-")
    assert abs(width() / whole - 1) < 0.01
    # The point under the wheel stays in its place.
    left, moved = home.run("""
        const [pane, box] = [".pane", ".box"].map((part) => document.querySelector(`#viewer ${part}`));
        const at = () => box.getBoundingClientRect().left;
        const before = at();
        const { top } = box.getBoundingClientRect();
        const point = { clientX: before, clientY: top, deltaY: -100, cancelable: true, bubbles: true };
        for (let turn = 0; turn < 3; turn++) pane.dispatchEvent(new WheelEvent("wheel", point));
        return [before, at()];
    """)
    assert width() > 1.7 * whole and abs(left - moved) < 2
    home.press("0")
    assert abs(width() / whole - 1) < 0.01
    home.find(".zoom-out").click()
    assert abs(width() / whole - 1) < 0.01


def test_enlarged_picture_is_moved_with_the_mouse(home, tmp_path):
    home.choose(images.two_faces(tmp_path))
    home.verdict("two.png")
    home.press("+", "+", "+")
    place = "const { scrollLeft, scrollTop } = document.querySelector('.pane'); return [scrollLeft, scrollTop]"
    left, top = home.run(place)
    pane = home.find(".pane")
    ActionChains(home.driver).move_to_element(pane).click_and_hold().move_by_offset(-60, 0).release().perform()
    assert home.run(place) == [left + 60, top]


def group(folder: Path) -> Path:
    """Writes an image of fifteen small faces close to each other."""
    with Image.open(images.portrait()) as portrait:
        face = portrait.resize((200, 234))
    image = Image.new("RGB", (1000, 720))
    for number in range(15):
        image.paste(face, (200 * (number % 5), 240 * (number // 5)))
    image.save(folder / "group.jpg", quality=90)
    return folder / "group.jpg"


@pytest.mark.parametrize("width", [1200, 360])
def test_labels_of_many_faces_do_not_collide(home, width, tmp_path):
    home.resize(width)
    home.choose(group(tmp_path))
    home.verdict("group.jpg")
    collisions = """
        const boxes = [...document.querySelectorAll("#viewer .label")].map((label) => label.getBoundingClientRect());
        return [boxes.length, boxes.flatMap((one, index) => boxes.slice(0, index).filter((other) =>
            one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom))];
    """
    home.wait(lambda: home.run(collisions)[0] > 5, "labels")
    assert home.run(collisions)[1] == []
    # Enlarged, there is room for all of them.
    home.press("+", "+", "+")
    assert home.run(collisions) == [len(home.all("#viewer .box")), []]


def test_scale_says_what_it_is_of(home):
    home.choose(images.portrait())
    home.verdict("grace_hopper.jpg")
    assert home.find(".scale-title").text == "Probability that it is AI-generated"


def test_sample_is_small_and_drawn_by_its_script():
    assert SAMPLE.stat().st_size < 100_000
    with Image.open(SAMPLE) as shipped:
        drawn = sample.draw()
        assert shipped.size == drawn.size
        pairs = zip(shipped.convert("RGB").tobytes(), drawn.tobytes(), strict=True)
        assert sum(abs(one - other) for one, other in pairs) / len(drawn.tobytes()) < 3


def test_sample_is_classified(home):
    home.find("#sample").click()
    home.verdict("drawn-portrait.jpg")
    assert len(home.all("#viewer .box")) == 1


@pytest.mark.parametrize(
    "text", ["https://example.org/face.jpg", " www.example.org/a.png\n", "data:image/png;base64,AA"]
)
def test_pasted_address_is_not_fetched_and_the_page_says_why(home, text):
    home.paste_text(text)
    assert home.find("#refusal").text == "Bifrons fetches nothing: paste or drop the image itself."
    assert home.all(".tile") == []
    home.paste(images.portrait())
    assert not home.find("#refusal").is_displayed()
    home.verdicts(1)


def test_dropped_address_is_not_fetched_and_the_page_says_why(home):
    home.drop_address("https://example.org/face.jpg")
    assert "Bifrons fetches nothing" in home.find("#refusal").text


def test_other_pasted_text_is_ignored(home):
    home.paste_text("Good morning")
    assert not home.find("#refusal").is_displayed()


# Gives the page more than a thousand files at once, which no test could hand over one by one. Every eighth is an image;
# the service refuses the others quickly. Notes when each answer came.
THOUSAND = """
    const [content] = arguments;
    window.answeredAt = [];
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (body) {
        this.addEventListener("loadend", () => answeredAt.push(performance.now()));
        send.call(this, body);
    };
    const bytes = Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0));
    const data = new DataTransfer();
    for (let number = 0; number < 1002; number++) {
        const parts = number % 8 === 0 ? [bytes, `${number}`] : ["not an image"];
        data.items.add(new File(parts, `${number}.jpg`, { type: "image/jpeg" }));
    }
    document.getElementById("drop").dispatchEvent(
        new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
"""


def test_a_thousand_images_do_not_slow_the_page_down(home, tmp_path):
    home.run(THOUSAND, base64.b64encode(images.small(tmp_path).read_bytes()).decode())
    assert "2 were left out" in home.find("#refusal").text
    home.wait_text("#summary", "waiting")
    wait_for(lambda: home.run("return answeredAt.length") == 1000, "a thousand answers", 180)
    times = home.run("return answeredAt")
    assert times[-1] - times[-201] < 2 * (times[200] - times[0]) + 2000
    home.wait_text("#summary", "125 real · 875 failed")
    home.wait_text("#history-rest", "950 older results")
    assert home.run("return document.querySelector('#images').getBoundingClientRect().height") < 45_000
    # What is outside the window is not laid out, so that moving stays quick.
    home.tab_to(".tile")
    home.press(Keys.END)
    assert focused(home) == names(home)[-1]
