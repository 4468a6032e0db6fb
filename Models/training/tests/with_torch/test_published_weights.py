"""Restored published weights: the same outputs, trainable norms, and other networks are refused."""

import numpy as np
import pytest
import torch

from bifrons_training.errors import DataError
from bifrons_training.networks import detectors, published_weights
from bifrons_training.preprocessing import SIDE, normalise
from bifrons_training.publishing.export import export

IMAGES = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(0)
    network = detectors.build("inception")
    with torch.no_grad():
        network.train()(torch.randn(4, 3, SIDE, SIDE))
        network.head.weight.mul_(5)
    network.eval()
    tensor = torch.from_numpy(normalise(IMAGES))
    with torch.no_grad():
        expected = network(tensor)
    file = tmp_path_factory.mktemp("published") / "model.onnx"
    export(network, file, IMAGES)
    return file, tensor, expected


def test_the_restored_network_computes_the_same_as_the_file(exported):
    file, tensor, expected = exported
    network = published_weights.restore("inception", file, IMAGES)
    with torch.no_grad():
        assert torch.allclose(network(tensor), expected, atol=1e-3)
        # The images that set the norms have exactly these statistics, so training starts from the same outputs.
        network.train().dropout.eval()
        assert torch.allclose(network(tensor), expected, atol=0.05)
    lengths = [m.weight.flatten(1).norm(dim=1) for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(torch.allclose(length, length.mean().expand_as(length), rtol=1e-3) for length in lengths)


def test_another_network_is_refused(exported):
    with pytest.raises(DataError, match="does not hold the weights"):
        published_weights.restore("resnet", exported[0], IMAGES)
