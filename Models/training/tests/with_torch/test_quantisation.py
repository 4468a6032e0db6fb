"""The int8 network: its front loses nothing, all convolutions are int8, and logits stay where they were."""

import numpy as np
import onnx
import pytest
import torch

import networks
from export import export
from preprocessing import SIDE, normalise
from quantisation import CONTROLLED_MOVE, fit, quantise, quantise_front, straighten
from scoring import Scorer

RANDOM = np.random.default_rng(0)
PICTURES = np.stack(
    [RANDOM.integers(0, light, (SIDE, SIDE, 3)).astype(np.uint8) // grey * grey for light in (60, 130, 256) for grey in range(1, 9)]
)
"""Noise of three strengths, in steps of one to eight grey levels: a network answers each otherwise."""


@pytest.fixture(scope="module", params=networks.NAMES)
def exported(request, tmp_path_factory):
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp(request.param) / "model.onnx"
    network = networks.build(request.param)
    with torch.no_grad():
        network.train()(torch.from_numpy(normalise(PICTURES)))
        network.head.weight.mul_(5)
    export(network.eval(), file, PICTURES[:4])
    return file


def logits(network):
    return Scorer(network.SerializeToString(), threads=1).logits(PICTURES)


def test_all_convolutions_are_int8_and_logits_stay(exported):
    out = exported.with_name("model.int8.onnx")
    quantise(exported, out, PICTURES, PICTURES)
    made = onnx.load(out)
    quantised = {output for node in made.graph.node if node.op_type == "DequantizeLinear" for output in node.output}
    convolutions = [node for node in made.graph.node if node.op_type == "Conv"]
    assert convolutions and all(node.input[1] in quantised for node in convolutions)
    assert [value.name for value in (*made.graph.input, *made.graph.output)] == ["image", "logit", "map"]
    moved = logits(made) - logits(onnx.load(exported))
    assert np.sqrt((moved**2).mean()) <= CONTROLLED_MOVE


def test_the_front_gives_the_same_residuals_in_int8(exported):
    network = onnx.load(exported)
    before = logits(network)
    quantise_front(network)
    onnx.checker.check_model(network, full_check=True)
    assert np.abs(logits(network) - before).max() < 0.01


def test_logits_are_put_on_the_line_that_is_fitted(exported):
    network = onnx.load(exported)
    before = logits(network)
    line = fit(before, 2 * before - 1)
    assert line == pytest.approx((2, -1))
    straighten(network, line)
    assert np.allclose(logits(network), 2 * before - 1, atol=1e-4)
    assert fit(before[:2], before[:2] + 1) == (1, 0)
