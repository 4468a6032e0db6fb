"""Both networks: shape, cost, and that folding the norms changes nothing."""

import pytest
import torch

import networks


@pytest.mark.parametrize("name", networks.NAMES)
def test_cost_is_small_and_about_equal(name):
    parameters, operations = networks.cost(networks.build(name))
    assert parameters < 3e6
    assert 0.25e9 < 2 * operations < 0.46e9


@pytest.mark.parametrize("name", networks.NAMES)
def test_channels_are_multiples_of_32(name):
    layers = [m for m in networks.build(name).modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(layer.out_channels % 32 == 0 for layer in layers)


@pytest.mark.parametrize("name", networks.NAMES)
def test_folding_the_norms_changes_no_logit(name):
    torch.manual_seed(0)
    network = networks.build(name)
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 128, 128))  # Gives the norms statistics that are not 0 and 1.
        probe = torch.randn(2, 3, 128, 128)
        before = network.eval()(probe)
        after = networks.fold_norms(network)(probe)
    assert before.shape == (2, 1)
    assert torch.allclose(before, after, atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
