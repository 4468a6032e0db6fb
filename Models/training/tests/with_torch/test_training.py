"""Batches, their pairs of real pictures and pseudo-fakes, mixing, decoders, and a run that is interrupted."""

import numpy as np
import pytest
import torch

import reconstruction
import train
from data import Face

FACES = [
    Face(f"{n}.jpg", "train", n % 2, ("zoya_ailab", "lfw", "tpdne_junguler")[n % 3], "", f"g{n}") for n in range(600)
]


def first_batches(count, **recipe):
    batches = iter(train.Batches(FACES, list(range(600)), train.Recipe(**recipe), 1, 0))
    return [next(batches) for _ in range(count)]


def test_half_of_a_batch_is_real_and_pseudo_fakes_are_of_its_own_pictures():
    for keys in first_batches(50, pseudo=0.25):
        real, made = keys[: train.BATCH // 2], keys[train.BATCH // 2 :]
        assert len(keys) == train.BATCH
        assert all(FACES[p].label == 0 and t in (train.PLAIN, train.RESIZED) for p, t, _ in real)
        pairs = [(a, b) for a, b in zip(real, made, strict=True) if b[1] != train.PLAIN]
        assert len(pairs) == 6
        for (position, treatment, seed), (of, how, with_seed) in pairs:
            assert (position, seed) == (of, with_seed)
            assert (treatment == train.RESIZED) == (how == train.UPSAMPLED)
        assert all(FACES[p].label == 1 for p, t, _ in made if t == train.PLAIN)


def test_batches_depend_on_seed_and_step_alone():
    later = iter(train.Batches(FACES, list(range(600)), train.Recipe(), 1, 3))
    assert next(later) == first_batches(4)[3]


def test_the_matched_pair_is_drawn_more_often():
    weights = train.sampling_weights(FACES, list(range(600)), 3.0)
    share = sum(w for face, w in zip(FACES, weights, strict=True) if face.source == "zoya_ailab")
    assert weights.sum() == pytest.approx(1) and share == pytest.approx(3 / 5, abs=0.01)


def test_mixed_labels_follow_the_area():
    x = torch.zeros(4, 3, 40, 40)
    x[2:] = 1
    mixed, targets = train.mix(x, torch.tensor([0.0, 0, 1, 1]), np.random.default_rng(0))
    assert torch.allclose(mixed.mean((1, 2, 3)), targets, atol=1e-5)


@pytest.mark.parametrize(("kind", "depth"), reconstruction.DECODERS)
def test_reconstructions_have_the_pictures_size(kind, depth):
    network = reconstruction.Autoencoder(kind, depth).eval()
    picture = np.zeros((75, 130, 3), np.uint8)
    for enlarged in (False, True):
        made = reconstruction.reconstruct(network, picture, enlarged)
        assert made.shape == picture.shape and made.dtype == np.uint8


def test_a_run_goes_on_where_it_was(tmp_path):
    run = train.Run("resnet", tmp_path, train.Recipe())
    views = torch.zeros(4, 64, 64, 3, dtype=torch.uint8)
    run.descend(views, torch.tensor([0.0, 1, 0, 1]), 1e-3)
    run.seconds = 7.0
    run.save()
    again = train.Run("resnet", tmp_path, train.Recipe())
    assert again.resume() and (again.step, again.seconds) == (1, 7.0)
    assert all(torch.equal(a, b) for a, b in zip(run.network.parameters(), again.network.parameters(), strict=True))


def test_a_run_begins_with_the_average_of_another_and_counts_on(tmp_path):
    first = train.Run("inception", tmp_path / "first", train.Recipe())
    for value in first.average.parameters():
        value.data.fill_(0.25)
    first.curve = [{"step": 5, "minutes": 1.0}]
    first.save()
    second = train.Run("inception", tmp_path / "second", train.Recipe())
    second.begin_from(first.checkpoint)
    ours, theirs = second.network.state_dict(), first.average.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert second.earlier == first.curve and (second.step, second.curve) == (0, [])


def test_the_error_of_an_auc_is_hanley_and_mcneils():
    labels = np.array([0] * 50 + [1] * 50)
    assert train.standard_error(0.5, labels) == pytest.approx(np.sqrt(101 / (12 * 50 * 50)), rel=0.01)
    assert train.standard_error(0.9, labels) < train.standard_error(0.7, labels)
