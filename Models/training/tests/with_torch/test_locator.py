"""The locator's network: its cost, its output's shape, and that it learns."""

import numpy as np
import pytest
import torch

from bifrons_training.errors import DataError
from bifrons_training.locator import export, hard_negatives, network, published_weights, training
from bifrons_training.locator.composition import SIDE, Composition
from bifrons_training.locator.losses import LocatorLoss
from bifrons_training.locator.targets import assign, tensor
from bifrons_training.networks import detectors


def test_the_locator_costs_at_most_a_fifth_of_a_gigaflop():
    parameters, operations = detectors.cost(network.Locator(), SIDE)
    assert 2 * operations <= 0.2e9
    assert 4 * parameters <= 2 << 20


def test_the_locators_output_has_the_cells_that_workers_read():
    cells = network.Locator().eval()(torch.zeros(2, 3, SIDE, SIDE))
    assert cells.shape == (2, 2100, 15)
    assert (cells[..., 1:5] >= 0).all()


def test_a_few_steps_on_one_image_lower_the_loss():
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    composition = Composition(
        random.integers(0, 256, (320, 240, 3), dtype=np.uint8),
        np.array([[20, 30, 60, 80], [100, 100, 230, 260]], np.float32),
        random.uniform(0, 200, (2, 5, 2)).astype(np.float32),
        np.array([False, False]),
    )
    state, values = (torch.from_numpy(part)[None] for part in assign(composition))
    image = torch.from_numpy(tensor(composition.pixels))[None]
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


def test_the_exported_file_computes_the_same_as_the_network(tmp_path):
    torch.manual_seed(1)
    locator = network.Locator().eval()
    export.export(locator, tmp_path / "model.onnx")
    export.write_manifest(tmp_path, "1.0.0", 0.5, "a test", {})
    export.prove(locator, tmp_path)


def test_a_published_locator_is_restored_for_further_training(tmp_path):
    torch.manual_seed(2)
    locator = network.Locator()
    images = np.random.default_rng(0).standard_normal((6, 3, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad():
        locator.train()(torch.from_numpy(images))
        locator.scales.copy_(torch.tensor([0.1, -0.2, 0.3]))
        for module in locator.modules():  # The exporter merges equal parameters; trained ones are never equal.
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        locator.output.bias.add_(0.01 * torch.arange(15))
        expected = locator.eval()(torch.from_numpy(images))
    export.export(locator, tmp_path / "model.onnx")
    restored = published_weights.restore(tmp_path / "model.onnx", images)
    with torch.no_grad():
        assert torch.allclose(restored(torch.from_numpy(images)), expected, atol=1e-3)
    assert torch.allclose(restored.scales, locator.scales)
    # Convolutions have the weight norm of fresh ones again, except for channels that are constant on these images.
    fresh = network.Locator()
    for path in ("stem.0", "quarter.0.layers.3", "levels.2.1.layers.0"):
        lengths = restored.get_submodule(path).weight.flatten(1).norm(dim=1)
        mean = fresh.get_submodule(path).weight.flatten(1).norm(dim=1).mean()
        assert ((lengths / lengths.median() - 1).abs() < 1e-3).float().mean() > 0.5
        assert lengths.median().item() == pytest.approx(mean.item(), rel=0.3)


def test_a_file_of_another_network_is_refused(tmp_path):
    locator = network.Locator(widths=(16, 32, 64, 96, 96))
    export.export(locator, tmp_path / "model.onnx")
    with pytest.raises(DataError, match="weights of the current locator"):
        published_weights.restore(tmp_path / "model.onnx", np.zeros((2, 3, SIDE, SIDE), np.float32))


def test_a_continued_run_freezes_the_first_layers(tmp_path):
    run = training.Run(tmp_path / "locator.pt")
    run.begun_from = "1.0.0"
    run.learn()
    assert run.peak_rate == training.CONTINUED_PEAK_RATE
    assert not run.network.stem.training and not any(p.requires_grad for p in run.network.quarter.parameters())
    assert run.network.head.training and all(p.requires_grad for p in run.network.levels.parameters())
    run.save()
    again = training.Run(tmp_path / "locator.pt")
    assert again.begun_from == "1.0.0"


class Clutter:
    """Composes grey images of one size whose brightness is their number."""

    def clutter(self, seed: int, side: int) -> Composition:
        pixels = np.full((side, side, 3), (seed - hard_negatives.FIRST_SEED) % 256, np.uint8)
        nothing = np.empty(0)
        return Composition(pixels, nothing.reshape(0, 4), nothing.reshape(0, 5, 2), nothing.astype(bool))


def checkpoint_of_bias(file, bias: float) -> None:
    locator = network.Locator()
    with torch.no_grad():
        locator.output.weight.zero_()
        locator.output.bias[0] = bias
    torch.save({"average": locator.state_dict()}, file)


def test_a_miner_keeps_images_that_the_checkpoint_misclassifies(tmp_path, monkeypatch):
    monkeypatch.setattr(hard_negatives, "KEPT", 32)
    monkeypatch.setattr(hard_negatives, "REFRESH", 40)
    random, file = np.random.default_rng(0), tmp_path / "locator.pt"
    miner = hard_negatives.Miner(Clutter(), file, 0)
    miner.look(random, 64)
    assert miner.hard(random, 64) is None  # No checkpoint exists yet.
    checkpoint_of_bias(file, 3.0)
    for _ in range(40):
        miner.look(random, 64)
    assert {kept.pixels[0, 0, 0] for kept in miner.kept[64]} <= set(range(40)) and len(miner.kept[64]) == 32
    chosen = miner.hard(random, 64)
    assert chosen.pixels.shape == (64, 64, 3) and len(chosen.boxes) == 0
    assert miner.hard(random, 96) is None
    checkpoint_of_bias(file, -3.0)
    before = [kept.pixels[0, 0, 0] for kept in miner.kept[64]]
    for _ in range(40):
        miner.look(random, 64)
    assert [kept.pixels[0, 0, 0] for kept in miner.kept[64]] == before
