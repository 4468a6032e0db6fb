"""Quantises a network from f32 to int8 with NNCF's post-training quantisation."""

from __future__ import annotations

import logging
from pathlib import Path

import nncf
import numpy as np
import onnx
from nncf.quantization.advanced_parameters import OverflowFix
from nncf.quantization.range_estimator import RangeEstimatorParametersSet
from onnx import helper, numpy_helper

from bifrons_training import preprocessing
from bifrons_training.publishing.export import write_onnx

SUBSET = 300


def front(network: onnx.ModelProto) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """Returns the convolution of fixed kernels that computes the residuals, and their clipping (`layers.Residuals`)."""
    input_name = network.graph.input[0].name
    convolution = next(node for node in network.graph.node if node.op_type == "Conv" and node.input[0] == input_name)
    return convolution, next(node for node in network.graph.node if node.input[0] == convolution.output[0])


def quantise_front(network: onnx.ModelProto) -> None:
    """Converts the convolution of fixed kernels to int8 without loss, except for half a grey level at the borders.

    An image has 8 bits before it is normalised, and again once half a grey level is added: the quantiser's steps are
    then grey levels and lose nothing. Each kernel is an integer multiple of its smallest weight. Estimated ranges know
    neither, and residuals, which span only a few grey levels, would be lost.
    """
    graph = network.graph
    convolution, _ = front(network)
    kernels = next(weight for weight in graph.initializer if weight.name == convolution.input[1])
    values = numpy_helper.to_array(kernels)
    sizes = np.abs(values).reshape(len(values), -1)
    scales = np.where(sizes > 0, sizes, np.inf).min(axis=1).astype(np.float32)
    whole = np.rint(values / scales[:, None, None, None]).astype(np.int8)
    mean, std = preprocessing.MEAN[0], preprocessing.STD[0]
    zero = np.uint8(255 * mean)
    step = 1 / (255 * std)
    shift = (255 * mean - zero) * step
    weights = {
        "front.shift": np.float32(shift),
        "front.step": np.float32(step),
        "front.zero": zero,
        "front.kernels": whole,
        "front.scales": scales,
        "front.zeros": np.zeros(len(values), np.int8),
        "front.bias": (-shift * values.sum(axis=(1, 2, 3))).astype(np.float32),
    }
    graph.initializer.remove(kernels)
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items())
    input_name = convolution.input[0]
    steps = [
        helper.make_node("Add", [input_name, "front.shift"], ["front.shifted"], "front_shift"),
        helper.make_node(
            "QuantizeLinear", ["front.shifted", "front.step", "front.zero"], ["front.levels"], "front_quantise"
        ),
        helper.make_node(
            "DequantizeLinear", ["front.levels", "front.step", "front.zero"], ["front.picture"], "front_picture"
        ),
        helper.make_node(
            "DequantizeLinear",
            ["front.kernels", "front.scales", "front.zeros"],
            ["front.weights"],
            "front_kernels",
            axis=0,
        ),
    ]
    convolution.input[:] = ["front.picture", "front.weights", "front.bias"]
    nodes = [*steps, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def quantise(file: Path, out: Path, images: np.ndarray) -> None:
    """Writes the network `file` in int8 to `out`.

    `images` [n, side, side, 3] uint8 are training images that determine the ranges of the activations. The ranges
    minimise the loss over a histogram, because the rare extremes of an activation would cost all other values their
    resolution.
    """
    nncf.set_log_level(logging.ERROR)
    network = onnx.load(file)
    name = network.graph.input[0].name

    def feed(image: np.ndarray) -> dict[str, np.ndarray]:
        return {name: preprocessing.normalise(image)[None]}

    made = nncf.quantize(
        network,
        nncf.Dataset(list(images), feed),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=min(SUBSET, len(images)),
        # Averaging gains nothing in int8, and its input would be rounded once more.
        ignored_scope=nncf.IgnoredScope(
            names=[node.name for node in front(network)], types=["AveragePool", "ReduceMean"]
        ),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM,
            # Bias correction moved the logits of the Inception by 0.15 (root mean square), against 0.04 without it.
            disable_bias_correction=True,
            # Processors without VNNI add pairs of products in 16 bits. With 8-bit weights these sums saturate, and
            # probabilities move by up to 0.4; with 7 bits no sum can saturate, and all processors compute the same.
            overflow_fix=OverflowFix.ENABLE,
        ),
    )
    quantise_front(made)
    write_onnx(made, out)
