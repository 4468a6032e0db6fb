"""The texts of cards about what a network was trained on and where it is weak."""

from bifrons_training.data.catalogue import Face
from bifrons_training.publishing import cards


def faces(counts):
    return [
        Face(f"{source}{n}.jpg", "train", label, source, generator, f"g{n}")
        for (source, generator, label), count in counts.items()
        for n in range(count)
    ]


def test_the_training_paragraph_names_the_families_that_trained(tmp_path):
    curve = tmp_path / "training.csv"
    curve.write_text("step,images,minutes\n5,480,1.5\n9,960,3.2\n")
    trained = faces({("cam", "", 0): 30, ("mebeauty", "", 0): 40, ("web", "New", 1): 12, ("web", "Rare", 1): 2})
    text = cards.training_paragraph("efficientnet", trained, curve)
    assert text.startswith("84 face crops") and "960 augmented views in 3 minutes" in text
    assert "real ones from the sources unsplash, cam; generated ones from New and 1 more" in text
    assert "reconstructions" not in text and "reconstructions" in cards.training_paragraph("resnet", trained, curve)


def test_the_first_paragraph_names_results_on_sealed_sources_and_weak_kinds():
    shares = {"false_positives": 0.04, "true_positives": 0.5}
    report = {
        "sealed": {"scorers": {"one": {"roc_auc": 0.8, "roc_auc_95": [0.7, 0.9], "called_generated": shares}}},
        "kinds": {
            "monochrome": {"called_generated": {"one": 0.3}, "otherwise": {"one": 0.05}, "worse": ["one"]},
        },
        "changed": {"real": 100},
        "conditions": {"as it is": {"one": shares}},
    }
    text = cards.summary(report, "one")
    assert "0.800 (0.700 to 0.900)" in text and "4.0 % of the real faces" in text
    assert "monochrome (30.0 % instead of 5.0 %)" in text
