"""Tests the pages' modules by themselves, in the browser that runs them."""

import csv
import io

import pytest

from modules import run


def test_percentages_are_never_rounded_to_certainty(home):
    shares = [0, 0.0004, 0.001, 0.5, 0.9996, 1]
    texts = ["0.0 %", "< 0.1 %", "0.1 %", "50.0 %", "> 99.9 %", "100.0 %"]
    assert run(home, "words", "return args[0].map(it.percent)", shares) == texts


@pytest.mark.parametrize(("body", "header", "wait"), [('{"retry_after_ms": 250}', "1", 250), ("{}", "2", 2000)])
def test_busy_service_states_when_to_send_again(home, body, header, wait):
    """The router's milliseconds are more precise than the header field; the gateway refuses with the field alone."""
    problem = run(home, "api", "return it.Problem.of(429, args[0], args[1]).result.retry_after_ms", body, header)
    assert problem == wait


def test_durations_are_shown_in_a_suitable_unit(home):
    times = [0.04, 9.94, 12.4, 999, 1500, 61_000, 3_661_000, 90_000_000]
    texts = ["0.0 ms", "9.9 ms", "12 ms", "999 ms", "1.5 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]
    assert run(home, "words", "return args[0].map(it.duration)", times) == texts


def test_answer_is_ai_generated_from_one_half(home):
    answers = run(home, "words", "return args[0].map((share) => it.answer(share).word)", [0.25, 0.5, 0.75])
    assert answers == ["Real", "AI-generated", "AI-generated"]


@pytest.mark.parametrize(
    ("label", "probability", "action", "reasons", "told"),
    [
        ("real", 0.25, "allow", [], "Real: allow"),
        ("real", 0.25, "review", ["known"], "Real, likely: review"),
        ("ai_generated", 0.75, "allow", [], "AI-generated, likely: below review"),
        ("ai_generated", 0.75, "allow", ["evidence_missing"], "AI-generated, likely: below review"),
        # Evidence decided, not the threshold.
        ("ai_generated", 0.999, "allow", ["known"], "AI-generated, likely: allow"),
        ("ai_generated", 0.985, "review", [], "AI-generated, likely: review"),
        ("ai_generated", 0.999, "block", [], "AI-generated: block"),
        ("no_face", None, "review", [], "No face: review"),
    ],
)
def test_word_of_a_verdict_agrees_with_its_action(home, label, probability, action, reasons, told):
    verdict = {"label": label, "action": action, "reasons": reasons} | (
        {} if probability is None else {"ai_probability": probability}
    )
    assert run(home, "words", "return `${it.verdictWord(args[0])}: ${it.actionWord(args[0])}`", verdict) == told


# Fills a copy of the opened image's template with a result.
REPORT = """
    const root = document.getElementById("image-template").content.firstElementChild.cloneNode(true);
    it.showReport(root, { file: new File(["x"], "a.png"), state: "done", result: args[0] }, args[1]);
    const text = (selector) => root.querySelector(selector).textContent;
"""


@pytest.mark.parametrize(
    ("probability", "action", "told"),
    [(0.9, "allow", "below the threshold for a review, 98.0 %"), (0.985, "review", ""), (0.1, "allow", "")],
)
def test_allowed_ai_generated_image_states_the_reason(home, probability, action, told):
    result = {
        "verdict": {
            "label": "real" if probability < 0.5 else "ai_generated",
            "ai_probability": probability,
            "action": action,
            "policy": "default",
        },
        "image": {"format": "png", "width": 64, "height": 64, "sha256": "0"},
        "models": [{"name": "resnet", "status": 200, "ai_probability": probability}],
        "faces": [{"box": [8, 8, 32, 32], "ai_probability": probability, "models": {"resnet": probability}}],
        "faces_found": 1,
    }
    notes = run(home, "report", REPORT + "return text('.notes');", result, {"review": 0.98, "block": 0.995})
    assert (told in notes) if told else notes == ""


@pytest.mark.parametrize("animated", [True, False])
def test_animation_says_that_only_its_first_frame_was_analysed(home, animated):
    result = {
        "verdict": {"label": "no_face", "action": "review", "policy": "default"},
        "image": {"format": "webp", "animated": animated, "width": 64, "height": 64, "sha256": "0"},
        "models": [{"name": "resnet", "status": 200, "ai_probability": 0.5}],
        "faces": [],
        "faces_found": 0,
    }
    notes = run(home, "report", REPORT + "return text('.notes');", result)
    assert ("first frame" in notes) == animated


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            {"claim": "ai_generated", "trust": "untrusted", "generator": "Painter 3", "signer": "Painters Ltd"},
            "Says of itself: AI-generated, made with Painter 3, signed by Painters Ltd, chain not trusted.",
        ),
        ({"claim": "ai_edited", "trust": "trusted"}, "Says of itself: edited with AI, signed."),
        (
            {"claim": "captured", "trust": "broken", "signer": "A"},
            "Says of itself: captured by a camera, signature broken: changed after it was signed.",
        ),
        ({"claim": "ai_generated", "trust": "unsigned"}, "Says of itself: AI-generated, not signed."),
        ({"claim": "none", "trust": "unsigned"}, "Says nothing of itself."),
        ({"claim": "none", "trust": "trusted"}, "Says of itself: nothing of how it was made, signed."),
        (
            {"status": 503, "error": {"message": "no worker serves provenance"}},
            "Provenance: no worker serves provenance.",
        ),
        ({"kind": "known", "matches": []}, "In no bank of known images."),
        (
            {"kind": "known", "matches": [{"bank": "PRESS", "bank_kind": "allow", "distance": 4, "sha256": False}]},
            "Known image: PRESS (allow), distance 4.",
        ),
        ({"kind": "watermark"}, None),
    ],
)
def test_evidence_is_shown_in_words(home, entry, told):
    words = run(home, "words", "return it.evidenceWords(args[0])", {"kind": "provenance", "status": 200} | entry)
    assert words == ([told] if told else [])


def test_report_shows_the_evidence_and_what_its_absence_means(home):
    signer = "<b>Painters</b>"
    result = {
        "verdict": {
            "label": "real",
            "ai_probability": 0.1,
            "action": "review",
            "policy": "default",
            "reasons": ["provenance", "evidence_missing"],
        },
        "image": {"format": "png", "width": 64, "height": 64, "sha256": "0"},
        "models": [{"name": "resnet", "status": 200, "ai_probability": 0.1}],
        "faces": [],
        "faces_found": 0,
        "evidence": [
            {
                "kind": "provenance",
                "status": 200,
                "claim": "ai_generated",
                "trust": "untrusted",
                "source": "c2pa",
                "signer": signer,
                "validation": ["signingCredential.untrusted"],
                "digest": "ab",
            },
            {"kind": "known", "status": 408, "error": {"code": "evidence_late", "message": "it is late"}},
        ],
    }
    shown = run(
        home,
        "report",
        REPORT
        + """
        const hidden = () => root.querySelector(".evidence").hidden;
        const evidence = [...root.querySelectorAll(".evidence li")].map((item) => item.textContent);
        const first = [hidden(), evidence, text(".evidence p"), text(".notes"), text("dl")];
        const without = { ...args[0], evidence: undefined };
        it.showReport(root, { file: new File(["x"], "a.png"), state: "done", result: without });
        return [...first, hidden()];
    """,
        result,
    )
    hidden, evidence, absence, notes, details, hidden_without = shown
    assert (hidden, hidden_without) == (False, True)
    assert evidence == [
        f"Says of itself: AI-generated, signed by {signer}, chain not trusted.",
        "Known images: it is late.",
    ]
    assert "may be AI-generated all the same" in absence and "SynthID" in absence
    assert "Evidence decided the action: provenance." in notes
    assert "The policy asks for evidence that is missing." in notes
    assert "c2pa sha256:ab" in details and "signingCredential.untrusted" in details


def test_csv_escapes_special_characters_and_formulas(home):
    names = ['a,"b"\n.jpg', "=cmd()", "-1", "plain.jpg"]
    text = run(
        home,
        "export",
        """
        const result = { status: 415, error: { code: "image_unknown_format", message: "no" } };
        return it.csv(args[0].map((name) => ({ name, bytes: 1, at: "now", result })));
    """,
        names,
    )
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    assert [row["file"] for row in rows] == ['a,"b"\n.jpg', "'=cmd()", "'-1", "plain.jpg"]


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b"\0\0\0\x18ftypheic", None),
        (b"\0\0\0\x1cftypavif", None),
        (b"\0\0\0\x20ftypisom", "video"),
        (b"RIFF\1\2\3\4WEBPVP8 ", None),
        (b"GIF89a", None),
        (b"%PDF-1.7", "PDF"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"", None),
        (b"anything", None),
    ],
)
def test_only_known_unsupported_formats_are_refused(home, head, format):
    found = run(home, "formats", "return it.unreadableFormat(new Blob([new Uint8Array(args[0])]))", list(head))
    assert found == format


# Reports, one second apart: a counter grows by 2, and a histogram gets one value per second between 10 and 20.
REPORTS = """
    const samples = new it.Samples();
    const report = (second, uptime = second) => ({
        router: { uptime_s: uptime }, count: 2 * second,
        histogram: { bounds: [10, 20], counts: [5, 5 + second], count: 5 + second, sum: 15 * second },
    });
    const start = 1e12;
    const add = (second, uptime) => samples.add(report(second, uptime), start + 1000 * second);
"""


def test_rates_and_quantiles_cover_the_last_seconds(home):
    rate, quantile, growth = run(
        home,
        "samples",
        REPORTS
        + """
        for (let second = 0; second <= 60; second++) add(second);
        return [samples.rates(({ count }) => count).at(-1).value,
            samples.quantiles(({ histogram }) => histogram, 0.5).at(-1).value, samples.growth(({ count }) => count)];
    """,
    )
    assert (rate, quantile, growth) == (2, 15, 120)


def test_samples_are_kept_for_five_minutes(home):
    assert (
        run(
            home,
            "samples",
            REPORTS
            + """
        for (let second = 0; second <= 400; second++) add(second);
        return samples.growth(({ count }) => count);
    """,
        )
        == 600
    )


def test_samples_start_again_after_a_restart_of_the_router(home):
    assert (
        run(
            home,
            "samples",
            REPORTS
            + """
        for (let second = 100; second <= 110; second++) add(second);
        add(111, 0);
        return samples.series(({ count }) => count).length;
    """,
        )
        == 1
    )


@pytest.mark.parametrize(("turned", "corner"), [(None, 0), (90, 1), (180, 3), (-90, 2)])
def test_heat_map_is_drawn_with_the_rotation_of_its_face(home, turned, corner):
    """The strongest cell is the crop's top left one. The image's corners are counted row by row."""
    face = {"maps": {"m": {"square": [0, 0, 100, 100], "width": 2, "height": 2, "data": "/wAAAA=="}}}
    covers = run(
        home,
        "overlay",
        """
        const canvas = document.createElement("canvas");
        it.drawHeat(canvas, { image: { width: 100, height: 100 }, faces: [args[0]] }, "m");
        // One reading: the browser complains of several.
        const { data } = canvas.getContext("2d").getImageData(0, 0, 640, 640);
        return [[80, 80], [560, 80], [80, 560], [560, 560]].map(([x, y]) => data[4 * (640 * y + x) + 3]);
    """,
        face | ({"turned": turned} if turned else {}),
    )
    assert covers.index(max(covers)) == corner and max(covers) > 200


def test_angles_are_shown_in_whole_degrees(home):
    assert run(home, "words", "return args[0].map(it.degrees)", [90, -47.3, 180]) == ["90°", "-47°", "180°"]
