"""The locator's network: cost, shape, and that it learns."""

import numpy as np
import torch

import networks
from locator import network, publishing
from locator.losses import LocatorLoss
from locator.scenes import SIDE, Composition
from locator.targets import assign, tensor


def test_it_costs_at_most_a_fifth_of_a_gigaflop():
    parameters, operations = networks.cost(network.Locator(), SIDE)
    assert 2 * operations <= 0.2e9
    assert 4 * parameters <= 2 << 20


def test_its_cells_are_the_ones_that_workers_read():
    cells = network.Locator().eval()(torch.zeros(2, 3, SIDE, SIDE))
    assert cells.shape == (2, 2100, 15)
    assert (cells[..., 1:5] >= 0).all()


def test_a_few_steps_on_one_picture_lower_the_loss():
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    picture = Composition(
        random.integers(0, 256, (320, 240, 3), dtype=np.uint8),
        np.array([[20, 30, 60, 80], [100, 100, 230, 260]], np.float32),
        random.uniform(0, 200, (2, 5, 2)).astype(np.float32),
        np.array([False, False]),
    )
    state, values = (torch.from_numpy(part)[None] for part in assign(picture))
    image = torch.from_numpy(tensor(picture.pixels))[None]
    locator, loss_of = network.Locator(), LocatorLoss()
    optimizer = torch.optim.AdamW(locator.parameters(), lr=4e-3)
    losses = []
    for _ in range(25):
        loss, _ = loss_of(locator(image), state, values)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_exported_file_computes_what_the_network_does(tmp_path):
    torch.manual_seed(1)
    locator = network.Locator().eval()
    publishing.export(locator, tmp_path / "model.onnx")
    publishing.write_manifest(tmp_path, "1.0.0", 0.5, "a test", {})
    publishing.prove(locator, tmp_path)
