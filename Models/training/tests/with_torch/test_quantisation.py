"""The int8 network: its front stays in f32, and probabilities stay where they were."""

import numpy as np
import onnx
import pytest
import torch

import networks
from calibration import sigmoid
from export import export
from preprocessing import SIDE
from quantisation import LARGEST_MOVE, front, quantise
from scoring import Scorer

PICTURES = np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE, 3), np.uint8)


@pytest.mark.parametrize("name", networks.NAMES)
def test_all_but_the_front_is_int8_and_probabilities_stay(name, tmp_path):
    torch.manual_seed(0)
    file, out = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    export(networks.build(name).eval(), file, PICTURES)
    quantise(file, out, PICTURES[:8], PICTURES[8:])
    made = onnx.load(out).graph
    quantised = {output for node in made.node if node.op_type == "DequantizeLinear" for output in node.output}
    convolutions = [node for node in made.node if node.op_type == "Conv"]
    in_front = front(onnx.load(file))
    assert len(in_front) == 4 and {node.name for node in convolutions[:2]} <= set(in_front)
    for node in convolutions:
        assert (node.input[1] in quantised) == (node.name not in in_front)
    logits = [Scorer(network, threads=1).logits(PICTURES[8:]) for network in (file, out)]
    assert np.abs(sigmoid(logits[0]) - sigmoid(logits[1])).max() <= LARGEST_MOVE + 1e-4
