"""Both networks: shape, cost, activation maps, and that folding the norms changes nothing."""

import numpy as np
import pytest
import torch

from bifrons_training.networks import detectors, layers, precision
from bifrons_training.preprocessing import SIDE, normalise


@pytest.mark.parametrize("name", detectors.NAMES)
def test_cost_is_within_the_limits_of_a_worker(name):
    parameters, operations = detectors.cost(detectors.build(name))
    assert parameters * 4 < 25 * 2**20
    assert 2 * operations < 2e9


@pytest.mark.parametrize("name", detectors.NAMES)
def test_channels_are_multiples_of_32(name):
    layers = [m for m in detectors.build(name).modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(layer.out_channels % 32 == 0 for layer in layers)


@pytest.mark.parametrize("name", detectors.NAMES)
def test_the_map_averages_to_the_logit_and_folding_the_norms_changes_neither(name):
    torch.manual_seed(0)
    network = detectors.build(name)
    with torch.no_grad():
        network.train()(torch.randn(4, 3, SIDE, SIDE))  # Gives the norms statistics other than 0 and 1.
        probe = torch.randn(2, 3, SIDE, SIDE)
        before = network.eval()(probe)
        logits, maps = detectors.fold_norms(network).explained(probe)
    assert before.shape == (2, 1) and maps.ndim == 3
    assert torch.allclose(before, logits, atol=1e-4)
    assert torch.allclose(maps.mean((1, 2)), logits[:, 0], atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())


def test_residuals_are_appended_to_the_unchanged_image():
    image = torch.from_numpy(normalise(np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3), np.uint8)))
    made = layers.Residuals()(image)
    assert made.shape == (1, 12, 40, 40) and torch.equal(made[:, :3], image)
    assert made[:, 3:].abs().max() == layers.Residuals.CUT
    flat = layers.Residuals()(torch.full((1, 3, 40, 40), 0.7))
    assert flat[:, 3:, 2:-2, 2:-2].abs().max() < 1e-5  # A flat image leaves no residuals.


def test_bf16_can_be_timed_without_gradients():
    precision.bf16_is_faster.cache_clear()
    with torch.no_grad():
        assert precision.bf16_is_faster() in (False, True)
