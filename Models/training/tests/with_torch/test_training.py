"""Batches, their pairs of real images and pseudo-fakes, mixing, decoders, and interrupted runs."""

import copy

import cv2
import numpy as np
import pytest
import torch

from bifrons_training.augmentation import decoders, reconstructions, spectrum
from bifrons_training.augmentation.batches import cutmix, swap_surroundings
from bifrons_training.data.catalogue import Face
from bifrons_training.evaluation import metrics
from bifrons_training.preprocessing import Crop
from bifrons_training.training import optimisation, sampling
from bifrons_training.training.recipe import Recipe
from bifrons_training.training.run import Run
from bifrons_training.training.views import TrainingViews

FACES = [
    Face(f"{n}.jpg", "train", n % 2, ("zoya_ailab", "lfw", "tpdne_junguler")[n % 3], "", f"g{n}") for n in range(600)
]

ALIKE = {sampling.UPSAMPLED: sampling.RESIZED} | {
    sampling.RECONSTRUCTED + v: sampling.SOFTENED + v for v in range(reconstructions.VARIANTS)
}
"""The treatment of the real image of a pair, by the treatment of the other one."""


def first_batches(count, **recipe):
    batches = iter(sampling.BalancedBatchSampler(FACES, list(range(600)), Recipe(**recipe), 1, 0))
    return [next(batches) for _ in range(count)]


def test_half_of_a_batch_is_real_and_pseudo_fakes_are_of_its_own_images():
    for keys in first_batches(50, pseudo=0.25):
        real, made = keys[:24], keys[24:]
        assert len(keys) == Recipe().batch == 48
        assert all(FACES[p].label == 0 for p, _, _ in real)
        pairs = [(a, b) for a, b in zip(real, made, strict=True) if b[1] != sampling.PLAIN]
        assert len(pairs) == 6
        for (position, treatment, seed), (of, how, with_seed) in pairs:
            assert (position, seed) == (of, with_seed)
            assert treatment == ALIKE[how]
        assert all(FACES[p].label == 1 for p, t, _ in made if t == sampling.PLAIN)


def test_batches_depend_on_seed_and_step_alone():
    later = iter(sampling.BalancedBatchSampler(FACES, list(range(600)), Recipe(), 1, 3))
    assert next(later) == first_batches(4)[3]


def test_the_matched_pair_of_sources_is_sampled_more_often():
    weights = sampling.sampling_weights(FACES, list(range(600)), 3.0)
    share = sum(w for face, w in zip(FACES, weights, strict=True) if face.source == "zoya_ailab")
    assert weights.sum() == pytest.approx(1) and share == pytest.approx(3 / 5, abs=0.01)


def test_cutmix_labels_follow_the_mixed_area():
    x = torch.zeros(4, 3, 40, 40)
    x[2:] = 1
    mixed, targets = cutmix(x, torch.tensor([0.0, 0, 1, 1]), np.random.default_rng(0))
    assert torch.allclose(mixed.mean((1, 2, 3)), targets, atol=1e-5)


def test_swapping_surroundings_keeps_the_centres_of_faces():
    x = torch.arange(6.0).reshape(6, 1, 1, 1).expand(6, 3, 40, 40).clone()
    assert torch.equal(swap_surroundings(x, 0.0, np.random.default_rng(0)), x)
    swapped = swap_surroundings(x, 1.0, np.random.default_rng(0))
    assert torch.equal(swapped[..., 19:21, 19:21], x[..., 19:21, 19:21])
    corners = swapped[:, 0, 0, 0]
    assert sorted(corners.tolist()) == list(range(6)) and not torch.equal(corners, x[:, 0, 0, 0])


def test_an_image_filtered_to_anothers_spectrum_is_as_sharp_and_keeps_its_content():
    image = np.random.default_rng(0).integers(60, 196, (91, 120, 3), np.uint8)
    made = cv2.GaussianBlur(image, (0, 0), 0.8)
    filtered = spectrum.match_spectrum(image, made)
    assert spectrum.sharpness(made) < 0.2 * spectrum.sharpness(image)
    assert spectrum.sharpness(filtered) == pytest.approx(spectrum.sharpness(made), rel=0.1)
    # A Gaussian is isotropic, so nothing else tells the two apart, except at the borders.
    assert np.abs(filtered[8:-8, 8:-8].astype(int) - made[8:-8, 8:-8]).mean() < 1


class OneImage:
    """A minimal cache and reconstructions for views: a real image and a softer version of it."""

    faces = (Face("real.jpg", "train", 0, "", "", "g"),)

    def __init__(self):
        self.own = np.random.default_rng(1).integers(0, 256, (120, 120, 3), np.uint8)
        self.made = cv2.GaussianBlur(self.own, (0, 0), 2)

    def image(self, position, variant=None):
        return self.own if variant is None else self.made

    def crop(self, position):
        return Crop((0.0, 0.0, 120.0))


def test_both_images_of_a_pair_are_equally_sharp_and_labelled_by_origin():
    one = OneImage()
    views = TrainingViews(one, one, 96)
    treatments = [*ALIKE, *ALIKE.values(), sampling.PLAIN]
    images, labels = views[[(0, treatment, 7) for treatment in treatments]]
    assert labels.tolist() == [1.0] * len(ALIKE) + [0.0] * (len(ALIKE) + 1)
    sharp = dict(zip(treatments, (spectrum.sharpness(p) for p in images.numpy()), strict=True))
    for variant in range(reconstructions.VARIANTS):
        made, own = sharp[sampling.RECONSTRUCTED + variant], sharp[sampling.SOFTENED + variant]
        assert own == pytest.approx(made, rel=0.2) and own < 0.5 * sharp[sampling.PLAIN]


@pytest.mark.parametrize(("kind", "depth"), decoders.DECODERS)
def test_reconstructions_have_the_images_size(kind, depth):
    network = decoders.Autoencoder(kind, depth).eval()
    image = np.zeros((75, 130, 3), np.uint8)
    for scale in reconstructions.SCALES:
        made = decoders.reconstruct(network, image, scale)
        assert made.shape == image.shape and made.dtype == np.uint8


def test_a_run_resumes_at_its_saved_step(tmp_path):
    run = Run("resnet", tmp_path, Recipe())
    views = torch.zeros(4, 64, 64, 3, dtype=torch.uint8)
    run.train_step(views, torch.tensor([0.0, 1, 0, 1]), 1e-3)
    run.seconds = 7.0
    run.save()
    again = Run("resnet", tmp_path, Recipe())
    assert again.resume() and (again.step, again.seconds) == (1, 7.0)
    assert all(torch.equal(a, b) for a, b in zip(run.network.parameters(), again.network.parameters(), strict=True))


def test_a_run_can_start_from_the_averaged_weights_of_another(tmp_path):
    first = Run("inception", tmp_path / "first", Recipe())
    for value in first.ema.parameters():
        value.data.fill_(0.25)
    first.curve = [{"step": 5, "images": 240, "minutes": 1.0}]
    first.save()
    second = Run("inception", tmp_path / "second", Recipe())
    second.load_average(first.checkpoint)
    ours, theirs = second.network.state_dict(), first.ema.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert second.earlier == first.curve and (second.step, second.curve) == (0, [])


def test_weights_are_interpolated_linearly_between_two_runs():
    torch.manual_seed(0)
    begin, end = ({"weight": torch.randn(3, 4), "norm.num_batches_tracked": torch.tensor(n)} for n in (5, 9))
    for share, expected in (
        (0, begin["weight"]),
        (1, end["weight"]),
        (0.25, 0.75 * begin["weight"] + 0.25 * end["weight"]),
    ):
        mixed = copy.deepcopy(begin)
        optimisation.interpolate_state(mixed, end, share)
        assert torch.allclose(mixed["weight"], expected) and mixed["norm.num_batches_tracked"] == 9


def test_the_standard_error_of_an_auc_is_that_of_hanley_and_mcneil():
    labels = np.array([0] * 50 + [1] * 50)
    assert metrics.standard_error(0.5, labels) == pytest.approx(np.sqrt(101 / (12 * 50 * 50)), rel=0.01)
    assert metrics.standard_error(0.9, labels) < metrics.standard_error(0.7, labels)


class ConstantTeacher(torch.nn.Module):
    """A teacher that always gives the same logit."""

    def __init__(self, logit):
        super().__init__()
        self.logit = logit

    def forward(self, x):
        return torch.full((len(x), 1), self.logit)


def test_targets_mix_teachers_and_labels_by_the_distillation_share(tmp_path):
    views = torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8)

    def loss(label, distillation):
        recipe = Recipe(side=32, distillation=distillation, smoothing=0.0, surroundings=0.0, mixing=0.0)
        run = Run("inception3", tmp_path, recipe)
        torch.nn.init.zeros_(run.network.head.weight)
        torch.nn.init.constant_(run.network.head.bias, 2.0)
        run.teach_by([ConstantTeacher(1.0), ConstantTeacher(3.0)])
        return run.train_step(views, torch.full((8,), label), 1e-3)[0]

    def cross_entropy(target):
        return -target * np.log(metrics.sigmoid(2.0)) - (1 - target) * np.log(1 - metrics.sigmoid(2.0))

    taught = metrics.sigmoid(2.0)
    for label in (0.0, 1.0):
        for share in (0.0, 0.25, 1.0):
            target = share * taught + (1 - share) * label
            assert loss(label, share) == pytest.approx(cross_entropy(target), abs=1e-5)
