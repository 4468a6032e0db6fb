"""What is concluded about sources that trained none of the models."""

import numpy as np
import pytest

from bifrons_training.data.catalogue import TRAINED_BEFORE, Face
from bifrons_training.evaluation import metrics, report_strangers, strangers


def face(number, label, source, age=None, original=None):
    return Face(f"{number}.jpg", "train", label, source, "", f"g{number}", age, original)


def test_numbers_over_sealed_sources_are_without_those_that_trained_before():
    draw = np.random.default_rng(0)
    faces = [face(n, n % 2, ("all_ages", "sg2ada")[n % 2]) for n in range(200)]
    faces += [face(200 + n, 0, TRAINED_BEFORE[1]) for n in range(50)]
    labels = np.array([f.label for f in faces])
    logits = draw.normal(2.0 * labels - 1, 1)
    logits[200:] = -9
    found = strangers.measure_sealed(faces, {"one": logits}, {"one": {"review": 0.9, "block": 0.99}})
    one = found["scorers"]["one"]
    assert (found["real"], found["generated"]) == (100, 100)
    assert one["roc_auc"] == pytest.approx(metrics.roc_auc(labels[:200], logits[:200]), abs=1e-4)
    assert one["roc_auc_with_all"] > one["roc_auc"]
    assert one["roc_auc_95"][0] < one["roc_auc"] < one["roc_auc_95"][1]
    real = metrics.sigmoid(logits[:200])[labels[:200] == 0]
    assert one["review"]["false_positives"] == pytest.approx((real >= 0.9).mean())
    assert found["sources"]["all_ages, real"] == {
        "n": 100,
        "called_generated": {"one": pytest.approx((real >= 0.5).mean(), abs=1e-4)},
    }
    assert f"| {TRAINED_BEFORE[1]}, real | 50 | 0.0 % |" in report_strangers.sealed_text({"sealed": found})


def test_a_kind_of_face_is_worse_only_beyond_twice_the_standard_error():
    faces = [face(n, 0, "all_ages", age=8 if n < 100 else 30, original=300) for n in range(400)]
    faces += [face(400 + n, 0, "congress_us", original=200) for n in range(100)]
    logits = np.full(500, -1.0)
    logits[:30] = 1  # 30 % of the children, 5 % of the adults, 10 % of the others
    logits[100:115] = 1
    logits[400:410] = 1
    kinds = strangers.measure_kinds(faces, np.arange(500) < 10, {"one": logits})
    assert kinds["aged 0 to 12"] == {
        "n": 100,
        "called_generated": {"one": 0.3},
        "otherwise": {"one": 0.05},
        "worse": ["one"],
    }
    assert kinds["aged 20 to 39"]["worse"] == kinds["originals of 160 to 255 px"]["worse"] == []
    assert "monochrome" not in kinds  # Ten faces tell nothing.
    assert not strangers.is_worse(0.1, 0.05, 100, 100) and strangers.is_worse(0.1, 0.05, 1000, 1000)


def test_the_card_names_weak_kinds_and_changes():
    same = {"called_generated": {"one": 0.3}, "otherwise": {"one": 0.05}}
    found = {
        "kinds": {"aged 0 to 12": {**same, "worse": ["one"]}, "monochrome": {**same, "worse": []}},
        "changed": {"real": 400},
        "conditions": {
            c: {"one": {"false_positives": s}} for c, s in (("as it is", 0.05), ("blur", 0.06), ("noise", 0.3))
        },
    }
    weak = report_strangers.weak_kinds(found, "one")
    assert weak == ["aged 0 to 12 (30.0 % instead of 5.0 %)", "noise (30.0 % instead of 5.0 %)"]


def test_monochrome_images_may_have_small_differences_between_channels():
    grey = np.random.default_rng(1).integers(0, 200, (20, 20, 1), np.uint8).repeat(3, axis=2)
    assert strangers.is_monochrome(grey)
    grey[..., 0] += 5
    assert strangers.is_monochrome(grey)
    grey[:2, :, 0] += 30
    assert not strangers.is_monochrome(grey)
