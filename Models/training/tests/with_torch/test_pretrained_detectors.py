"""Pretrained bodies: their weights are read correctly, and added weights start at zero."""

import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from bifrons_training.errors import DataError
from bifrons_training.networks import detectors, pretrained_detectors
from bifrons_training.networks.backbones import (
    efficientnet_lite0,
    load_efficientnet_lite0,
    load_resnet50_thin,
    resnet50_thin,
)
from bifrons_training.networks.layers import ConvBN
from bifrons_training.networks.pretrained_weights import EFFICIENTNET_LITE0, RESNET50_THIN, fetch
from bifrons_training.workspace import DEFAULT_WORK

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 96, 96, 3)).astype(np.uint8)


def folded(body):
    for module in body.eval().modules():
        if isinstance(module, ConvBN):
            module.fuse()
    return body


def test_the_resnet_computes_the_same_as_its_file():
    file = fetch(RESNET50_THIN, DEFAULT_WORK)
    model = onnx.load(file)
    last = [node for node in model.graph.node if node.op_type == "Relu"][-1].output[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    grey = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3)).astype(np.float32)
    wanted = session.run([last], {"input:0": grey[..., ::-1] - np.array([104, 117, 123], np.float32)})[0]
    body, _ = resnet50_thin()
    load_resnet50_thin(folded(body), file)
    with torch.no_grad():
        made = body(detectors.network_input(torch.from_numpy(grey.astype(np.uint8))))[:, -1024:].numpy()
    assert np.abs(made - wanted).max() < 1e-4


def test_the_efficientnets_norms_match_the_scale_and_order_of_its_input():
    """The file cannot be run, but its first norm tells the mean and the spread that it saw for ordinary images."""
    body, _ = efficientnet_lite0()
    load_efficientnet_lite0(body, fetch(EFFICIENTNET_LITE0, DEFAULT_WORK))
    smooth = nn.functional.interpolate(torch.randn(24, 3, 12, 12, generator=torch.manual_seed(2)), 96, mode="bicubic")
    with torch.no_grad():
        stem = body.stem.first
        seen = stem.convolution(stem.padding(smooth * body.stem.gain + body.stem.shift))
    spread = (seen.var((0, 2, 3)) / stem.norm.running_var).log().abs()
    assert float(spread.median()) < 1.5


@pytest.mark.parametrize("name", pretrained_detectors.NAMES)
def test_a_new_detector_has_finite_features_and_zero_logits(name):
    detector = pretrained_detectors.from_pretrained(name, DEFAULT_WORK, IMAGES).eval()
    x = detectors.network_input(torch.from_numpy(IMAGES))
    with torch.no_grad():
        assert torch.equal(detector(x), torch.zeros(len(IMAGES), 1))
        features = detector.body(x).mean((2, 3))
        without = detector.body.features.stem.noise.weight.abs().sum()
    assert without == 0
    assert features.shape[0] == len(IMAGES) and torch.isfinite(features).all()


def test_restoring_the_norms_of_the_resnet_changes_nothing():
    body, _ = resnet50_thin()
    load_resnet50_thin(folded(body), fetch(RESNET50_THIN, DEFAULT_WORK))
    detector = pretrained_detectors.from_pretrained("resnet50", DEFAULT_WORK, IMAGES).eval()
    x = detectors.network_input(torch.from_numpy(IMAGES))
    with torch.no_grad():
        wanted, made = body(x), detector.body.features(x)
    assert float((made - wanted).abs().max()) < 1e-3 * float(wanted.abs().max())


@pytest.mark.parametrize("name", pretrained_detectors.NAMES)
def test_every_parameter_has_exactly_one_learning_rate(name):
    detector = pretrained_detectors.build(name)
    grouped = [
        parameter for _, parameters in pretrained_detectors.layerwise_rates(detector) for parameter in parameters
    ]
    assert sorted(map(id, grouped)) == sorted(map(id, detector.parameters()))


@pytest.mark.parametrize("name", pretrained_detectors.NAMES)
def test_maps_average_to_the_logit(name):
    detector = pretrained_detectors.from_pretrained(name, DEFAULT_WORK, IMAGES).eval()
    nn.init.normal_(detector.head.weight)
    x = detectors.network_input(torch.from_numpy(IMAGES))
    with torch.no_grad():
        logits, maps = detector.explained(x)
        assert torch.allclose(logits, detector(x), atol=1e-4) and torch.allclose(
            maps.mean((1, 2)), logits[:, 0], atol=1e-4
        )


@pytest.mark.parametrize("name", pretrained_detectors.NAMES)
def test_folding_the_norms_changes_neither_logit_nor_map(name):
    detector = pretrained_detectors.from_pretrained(name, DEFAULT_WORK, IMAGES).eval()
    nn.init.normal_(detector.head.weight)
    nn.init.normal_(detector.body.features.stem.noise.weight)
    x = detectors.network_input(torch.from_numpy(IMAGES))
    with torch.no_grad():
        before = detector.explained(x)
        after = detectors.fold_norms(copy.deepcopy(detector)).explained(x)
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-2)


def test_files_of_other_networks_are_refused(tmp_path):
    for load, other in ((load_resnet50_thin, resnet50_thin), (load_efficientnet_lite0, efficientnet_lite0)):
        body, _ = other()
        file = tmp_path / load.__name__
        if load is load_resnet50_thin:
            folded(body)
            onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])), file)
        else:
            torch.save({"_conv_stem.weight": torch.zeros(1)}, file)
        with pytest.raises(DataError, match="does not hold"):
            load(body, file)
