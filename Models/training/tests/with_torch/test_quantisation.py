"""The int8 network: its front loses nothing, all convolutions are int8, and no processor's sums saturate."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from bifrons_training.evaluation.calibration import fit_logistic
from bifrons_training.evaluation.scorer import Scorer
from bifrons_training.networks import detectors
from bifrons_training.preprocessing import SIDE, normalise
from bifrons_training.publishing.export import export
from bifrons_training.publishing.precisions import calibrate, choose
from bifrons_training.publishing.processors import available, largest_moves
from bifrons_training.publishing.quantisation import quantise, quantise_front
from bifrons_training.workspace import MODELS

RANDOM = np.random.default_rng(0)
IMAGES = np.stack(
    [
        RANDOM.integers(0, light, (SIDE, SIDE, 3)).astype(np.uint8) // grey * grey
        for light in (60, 130, 256)
        for grey in range(1, 9)
    ]
)
"""Noise of three strengths in steps of one to eight grey levels, to which a network responds differently."""

LABELS = np.arange(len(IMAGES)) % 2


@pytest.fixture(scope="module", params=detectors.NAMES)
def folder(request, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    network = detectors.build(request.param)
    with torch.no_grad():
        network.train()(torch.from_numpy(normalise(IMAGES)))
        network.head.weight.mul_(5)
    export(network.eval(), folder / "model.onnx", IMAGES[:4])
    quantise(folder / "model.onnx", folder / "model.int8.onnx", IMAGES)
    return folder


def logits(network):
    return Scorer(network.SerializeToString(), threads=1).logits(IMAGES)


def whole_weights(network):
    """Yields the integer weights of each convolution, or None for a convolution that is not quantised."""
    made_by = {output: node for node in network.graph.node for output in node.output}
    values = {value.name: numpy_helper.to_array(value) for value in network.graph.initializer}
    for node in network.graph.node:
        if node.op_type == "Conv":
            source = made_by.get(node.input[1])
            yield values[source.input[0]] if source and source.op_type == "DequantizeLinear" else None


def check_weights(file):
    weights = list(whole_weights(onnx.load(file)))
    assert weights and all(value is not None and value.dtype == np.int8 for value in weights)
    # Two products of 8 and 7 bits fit into the 16 bits in which processors without VNNI add them.
    assert max(int(np.abs(value.astype(int)).max()) for value in weights) <= 64


def test_all_convolutions_are_int8_and_no_sum_of_two_products_saturates(folder):
    check_weights(folder / "model.int8.onnx")
    made = onnx.load(folder / "model.int8.onnx")
    assert [value.name for value in (*made.graph.input, *made.graph.output)] == ["image", "logit", "map"]


@pytest.mark.parametrize("name", sorted(file.parent.name for file in MODELS.glob("*/model.int8.onnx")))
def test_no_sum_of_the_published_networks_saturates(name):
    check_weights(MODELS / name / "model.int8.onnx")


def test_each_precision_has_a_calibration_of_its_own(folder):
    found = calibrate(folder, IMAGES, LABELS, IMAGES)
    for precision, file in (("f32", "model.onnx"), ("int8", "model.int8.onnx")):
        raw = Scorer(folder / file).logits(IMAGES)
        (scale,), bias = fit_logistic(raw[:, None], LABELS)
        assert found.lines[precision] == pytest.approx((scale, bias), abs=1e-6)
        assert found.validation[precision] == pytest.approx(scale * raw + bias, abs=1e-4)
    assert list(found.apart) == available()


def test_every_instruction_set_gives_nearly_the_same_logits(folder):
    moves = largest_moves(folder / "model.onnx", IMAGES[:4])
    assert moves.keys() == set(available()) and "SSE41" in moves
    assert max(moves.values()) < 1e-3


def test_the_front_gives_the_same_residuals_in_int8(folder):
    network = onnx.load(folder / "model.onnx")
    before = logits(network)
    quantise_front(network)
    onnx.checker.check_model(network, full_check=True)
    assert np.abs(logits(network) - before).max() < 0.01


@pytest.mark.parametrize(
    ("worse", "apart", "chosen"),
    [
        ({}, 0.0, "int8"),
        ({"roc_auc": 0.8981, "worst_slice_drop": 0.0049, "ece": 0.0249}, 0.0099, "int8"),
        ({"roc_auc": 0.8979}, 0.0, "f32"),
        ({"worst_slice_drop": 0.0051}, 0.0, "f32"),
        ({"ece": 0.0251}, 0.0, "f32"),
        ({}, 0.0101, "f32"),
    ],
)
def test_int8_is_chosen_only_if_no_metric_worsens_too_much(worse, apart, chosen):
    f32 = {"roc_auc": 0.9, "worst_slice_drop": 0.0, "ece": 0.02}
    fine = {"f32": f32, "int8": f32}
    assert choose({"resnet": fine, "merged": {"f32": f32, "int8": {**f32, **worse}}}, apart) == chosen
