"""Tests the page that classifies, with the real service."""

import re

from support import images
from support.cluster import GatewayCluster


def test_chosen_image_gets_a_verdict_with_each_networks_answer(home):
    home.choose(images.portrait())
    assert len(home.verdicts(1)) == 1
    assert re.fullmatch(r"grace_hopper\.jpg\nReal\nAI \d+\.\d %\nAllow", home.find(".tile").text)
    home.show("grace_hopper.jpg")
    assert home.find(".word").text == "Real"
    assert re.fullmatch(r"AI probability \d+\.\d %", home.find(".certainty").text)
    assert "allow" in home.find(".action").text.lower()
    rows = [row.text for row in home.all(".models tbody tr")]
    assert [row.split()[0] for row in rows] == ["resnet", "inception"]
    assert all("Real" in row and " %" in row and "ms" in row for row in rows)
    assert "JPEG · 512 × 600" in home.find(".facts").text
    assert "grace_hopper.jpg: Real: allow, AI probability" in home.run("return announcer.textContent")


def test_dropped_images_are_classified(home, tmp_path):
    home.drop(images.small(tmp_path), images.two_faces(tmp_path))
    home.verdicts(2)
    home.show("two.png")
    assert len(home.all("#viewer .box")) == 2
    assert "2 faces" in home.find("#viewer .notes").text


def test_pasted_image_is_classified(home, tmp_path):
    home.paste(images.small(tmp_path, "image.png"))
    home.verdicts(1)


def test_image_is_recognised_by_its_content_not_its_name(home, tmp_path):
    (tmp_path / "notes.txt").write_bytes(images.small(tmp_path).read_bytes())
    home.choose(tmp_path / "notes.txt")
    home.verdicts(1)


def test_many_images_all_get_a_verdict(home, tmp_path):
    files = [images.small(tmp_path, f"{number:02}.jpg") for number in range(12)]
    home.choose(*files)
    home.verdicts(len(files))
    home.wait_text("#summary", "12 real")


def test_at_most_four_requests_are_in_flight(home, tmp_path):
    home.run("""
        window.open_requests = 0;
        window.most_requests = 0;
        const send = XMLHttpRequest.prototype.send;
        XMLHttpRequest.prototype.send = function (body) {
            most_requests = Math.max(most_requests, ++open_requests);
            this.addEventListener("loadend", () => open_requests--);
            send.call(this, body);
        };
    """)
    home.choose(*[images.small(tmp_path, f"{number:02}.jpg") for number in range(12)])
    home.verdicts(12)
    assert home.run("return most_requests") == 4


def test_upload_shows_its_progress(home):
    home.devtools("Network.enable")
    home.devtools(
        "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=20_000
    )
    try:
        home.choose(images.portrait())
        home.wait(lambda: re.search(r"Uploading [1-9]\d? %", home.find(".tile").text), "part of an upload")
        home.show("grace_hopper.jpg")
        assert "Uploading" in home.find("#viewer .progress").text
    finally:
        home.devtools("Network.disable")
    home.verdicts(1)


def test_face_box_lies_on_the_upright_image(home, tmp_path):
    home.choose(images.portrait(), images.turned(tmp_path))
    home.verdicts(2)
    boxes = []
    for name in ("grace_hopper.jpg", "turned.jpg"):
        home.show(name)
        boxes.append(
            home.run("""
                const [image, box] = ["img", ".box"].map((part) =>
                    document.querySelector(`#viewer ${part}`).getBoundingClientRect());
                return [image.width / image.height, (box.x - image.x) / image.width, (box.y - image.y) / image.height];
            """)
        )
        home.close()
    # The face begins at 34 % of the width and 18 % of the height of the upright portrait, whatever its orientation.
    for shape, left, top in boxes:
        assert abs(shape - 512 / 600) < 0.02
        assert abs(left - 0.34) < 0.04 and abs(top - 0.18) < 0.04


def test_image_without_a_face_is_shown_as_such(home, tmp_path):
    home.choose(images.no_face(tmp_path))
    home.verdict("gradient.png")
    assert "No face was found" in home.find(".notes").text
    assert home.find(".word").text == "No face"
    assert home.find(".certainty").text == ""
    assert "review" in home.find("#viewer .action").text.lower()
    # Without a face there is no position on the scale, no table of networks and no colour of a verdict.
    assert not home.find(".measure").is_displayed()
    assert [row.split()[2:5] for row in home.texts(".models tbody tr")] == [["No", "face", "–"]] * 2
    colours = home.run("""
        const tone = (label) => {
            const mark = document.createElement("td");
            mark.dataset.label = label;
            document.body.append(mark);
            const { color } = getComputedStyle(mark);
            mark.remove();
            return color;
        };
        return [getComputedStyle(document.querySelector(".word")).color, tone("real"), tone("ai_generated")];
    """)
    assert len(set(colours)) == 3
    assert "1 without a face" in home.find("#summary").text
    assert "gradient.png: No face: review" in home.run("return announcer.textContent")
    home.find("details summary").click()
    assert "Middle of the image" in home.find("dl").text
    home.close()
    row = home.find("#history-rows tr").text
    assert "No face" in row and "review" in row.lower() and "%" not in row


def test_broken_file_gets_an_explanation_beside_its_image(home, tmp_path):
    for make, words in ((images.truncated, "damaged"), (images.text, "Not a supported image")):
        home.choose(make(tmp_path))
        assert words in home.problem().text
        assert not home.find(".problem .again").is_displayed()
        home.close()
        home.find("#clear").click()


def test_too_large_file_gets_an_explanation(home, tmp_path):
    home.choose(images.large(tmp_path))
    assert "too large" in home.problem().text.lower()


def test_file_in_an_unsupported_format_is_not_sent(home, tmp_path):
    home.choose(images.video(tmp_path))
    assert "video" in home.problem().text
    sent = home.run("return performance.getEntriesByType('resource').map(({ name }) => name)")
    assert not any("/v1/classify" in name for name in sent)


def test_bad_file_does_not_affect_the_verdicts_of_others(home, tmp_path):
    home.choose(images.text(tmp_path), images.small(tmp_path))
    home.verdicts(1)
    home.problem()
    home.wait_text("#summary", "1 real · 1 failed")


def move_slider(page, value: int):
    page.run(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        page.find(".slider input"),
        value,
    )


def test_overlay_shows_the_chosen_networks_heat_map_at_the_chosen_opacity(home):
    home.choose(images.portrait())
    home.verdict("grace_hopper.jpg")

    def drawn() -> list[int]:
        """Returns how much is drawn in each quarter of the image: top left, top right, bottom left, bottom right."""
        return home.run("""
            const canvas = document.querySelector(".stage canvas");
            const { width, height } = canvas;
            const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0);
            const cover = (x, y) => copy.getImageData(x, y, width / 2, height / 2).data
                .reduce((sum, value, index) => (index % 4 === 3 ? sum + value : sum), 0);
            return [cover(0, 0), cover(width / 2, 0), cover(0, height / 2), cover(width / 2, height / 2)];
        """)

    resnet = drawn()
    assert all(quarter > 0 for quarter in resnet)
    home.find(".choice input[value=inception]").click()
    assert drawn() != resnet
    move_slider(home, 20)
    assert home.find(".stage canvas").value_of_css_property("opacity") == "0.2"
    home.find(".choice input[value=nothing]").click()
    assert not home.find(".stage canvas").is_displayed()


def test_history_survives_a_reload_and_is_deleted_on_request(home, cluster, tmp_path):
    home.choose(images.small(tmp_path), images.text(tmp_path))
    home.wait(lambda: len(home.all("#history-rows tr")) == 2, "two rows of history")
    home.open(cluster.address)
    rows = "\n".join(row.text for row in home.all("#history-rows tr"))
    assert "small.jpg Real" in rows.replace("\n", " ") and "text.jpg" in rows
    assert home.find("#history-rows img").get_attribute("src").startswith("data:image/jpeg")
    assert home.all(".image") == []
    home.find("#forget").click()
    assert not home.find("#history").is_displayed()


def test_clear_removes_the_images_and_keeps_the_history(home, tmp_path):
    home.choose(images.small(tmp_path))
    home.verdicts(1)
    home.find("#clear").click()
    assert home.all(".image") == []
    assert not home.find("#results").is_displayed()
    home.wait(lambda: home.shown("#history"), "the history")


def test_lost_router_is_explained_and_its_return_is_detected(page, tmp_path):
    with GatewayCluster() as cluster:
        page.open(cluster.address)
        page.wait_text("#service", "2 networks ready")
        cluster.router.end()
        page.choose(images.small(tmp_path))
        assert "service is unavailable" in page.problem().text
        page.wait_text("#service", "No router answers")
        cluster.router.start()
        page.wait_text("#service", "2 networks ready")
        page.find(".problem .again").click()
        page.verdicts(1)
        # The opened image shows its verdict, too.
        page.wait_text("#viewer .word", "Real")


def test_lost_gateway_is_explained(page, tmp_path):
    with GatewayCluster() as cluster:
        page.open(cluster.address)
        cluster.gateway.end()
        page.choose(images.small(tmp_path))
        assert "gateway does not answer" in page.problem().text
        page.wait_text("#service", "No gateway")


def test_verdict_without_one_of_the_networks_names_it(page):
    with GatewayCluster() as cluster:
        cluster.workers["inception"].end()
        page.open(cluster.address)
        page.wait_text("#service", "Unavailable: inception")
        page.choose(images.portrait())
        page.verdict("grace_hopper.jpg")
        assert "No score from inception: " in page.find(".notes").text
        assert len(page.all(".models td[data-label]")) == 1


def test_refused_images_are_retried_until_the_service_answers(page, tmp_path):
    with GatewayCluster(router=("--max-jobs", "1")) as cluster:
        page.open(cluster.address)
        page.choose(*[images.small(tmp_path, f"{number}.jpg") for number in range(6)])
        page.verdicts(6)
        assert cluster.status()["counters"]["rejected"] > 0
