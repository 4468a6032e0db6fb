"""Tests the modules of the grid by themselves: order, labels, and what a session keeps."""

import pytest

from modules import run


def job(number: int, name: str, **verdict) -> dict:
    state = {"state": "done", "result": {"verdict": verdict}} if verdict else {"state": "failed"}
    return {"number": number, "file": {"name": name}, **state}


JOBS = [
    job(1, "b10.jpg", label="real", ai_probability=0.1, action="allow"),
    job(2, "b9.jpg", label="no_face", action="review"),
    job(3, "a.jpg", label="ai_generated", ai_probability=0.9, action="review"),
    job(4, "c.jpg"),
    job(5, "d.jpg", label="ai_generated", ai_probability=0.7, action="allow"),
    job(6, "e.jpg", label="ai_generated", ai_probability=0.99, action="block"),
    {"number": 7, "file": {"name": "f.jpg"}, "state": "running"},
]


@pytest.mark.parametrize(
    ("filter", "order", "numbers"),
    [
        ("all", "flagged", [6, 3, 2, 4, 5, 1, 7]),
        ("all", "newest", [7, 6, 5, 4, 3, 2, 1]),
        ("all", "name", [3, 2, 1, 4, 5, 6, 7]),
        ("block", "flagged", [6]),
        ("review", "newest", [3, 2]),
        ("allow", "flagged", [5, 1]),
        ("no_face", "flagged", [2]),
        ("failed", "flagged", [4]),
    ],
)
def test_images_are_filtered_and_sorted(home, filter, order, numbers):
    script = "return it.arranged(args[0], args[1], args[2]).map(({ number }) => number)"
    assert run(home, "order", script, JOBS, filter, order) == numbers


def apart(one: dict, other: dict) -> bool:
    across = one["left"] + one["width"] <= other["left"] or other["left"] + other["width"] <= one["left"]
    return across or one["top"] + one["height"] <= other["top"] or other["top"] + other["height"] <= one["top"]


@pytest.mark.parametrize("step", [8, 30, 70, 160])
def test_labels_of_faces_never_overlap(home, step):
    """Twelve faces, the closer the smaller the step: each label is at its own face, and some are short or missing."""
    boxes = [{"left": 5 + step * (n % 4), "top": 5 + step * (n // 4), "width": 40, "height": 50} for n in range(12)]
    forms = [[{"width": 130, "height": 20}, {"width": 60, "height": 20}]] * 12
    area = {"width": 640, "height": 480}
    placed = run(home, "labels", "return it.placeLabels(args[0], args[1], args[2])", boxes, forms, area)
    found = [(box, label) for box, label in zip(boxes, placed, strict=True) if label]
    assert len(found) >= (12 if step >= 70 else 3)
    for index, (box, label) in enumerate(found):
        assert all(apart(label, other) for _, other in found[:index])
        assert label["left"] >= 0 and label["left"] + label["width"] <= area["width"]
        assert label["top"] >= 0 and label["top"] + label["height"] <= area["height"]
        grown = {side: box[side] - 1 for side in ("left", "top")} | {
            side: box[side] + 2 for side in ("width", "height")
        }
        assert not apart(label, grown)


def test_session_keeps_the_results_of_a_thousand_images(home):
    kept, stored, thumbnails = run(
        home,
        "session",
        """
        const faces = [{ box: [1, 2, 3, 4], ai_probability: 0.5, models: { resnet: 0.5 }, maps: { resnet: {} } }];
        for (let n = 0; n < 1005; n++) {
            it.remember({ name: `${n}.jpg`, bytes: 1, at: "now", thumbnail: "data:,", result: { faces, maps: {} } });
        }
        dispatchEvent(new Event("pagehide"));
        const stored = JSON.parse(sessionStorage.getItem("bifrons.history"));
        return [it.history().length, [stored.length, stored[0].name, stored[0].result],
            stored.filter(({ thumbnail }) => thumbnail).length];
    """,
    )
    assert kept == 1000 and thumbnails == 50
    face = {"box": [1, 2, 3, 4], "ai_probability": 0.5, "models": {"resnet": 0.5}}
    assert stored == [1000, "1004.jpg", {"faces": [face]}]
