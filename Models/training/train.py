"""Trains one network: balanced batches, equal augmentation, pseudo-fakes, cosine schedule over wall time, averaged weights.

    python Models/training/train.py --data FOLDER --model resnet --minutes 45

The learning rate follows the minutes spent, not the steps done, so a run ends on time however busy the machine is; an
interrupted run goes on where its last checkpoint stands. The same seed therefore gives the same batches, but the same
weights only on an equally fast machine. Of the weights seen on the way the last are kept that do no worse than the best, by
one standard error, on pictures of sources and generators that never train and on the matched pair (see `Judge`).
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

import beginnings
import networks
import preprocessing
import published_weights
from augmentation import augment
from calibration import roc_auc
from data import HONEST_SOURCE, Face, PixelCache, Splits
from errors import program
from reconstruction import VARIANTS, Reconstructions, as_sharp_as
from workplace import DEFAULT_WORK, keep_freed_memory, open_cache

DEFAULT_MINUTES = 90.0
WEIGHT_DECAY = 0.05
WARM_UP = 0.03
AVERAGING = 0.998
CHECKPOINT_SECONDS = 120
TRAINED_PICTURES = 250
"""How many pictures of the matched pair tell what is known by heart, about."""

NORM_PICTURES = 256
"""How many held-out pictures set the norms of published weights."""
SEEDS = {"resnet": 1, "inception": 2, "resnet50": 3, "efficientnet": 4}

PLAIN, UPSAMPLED, RESIZED, RECONSTRUCTED = 0, 1, 2, 3
SOFTENED = RECONSTRUCTED + VARIANTS
"""What is done to a picture before augmentation; from `RECONSTRUCTED` on, which reconstruction takes its place, and from
`SOFTENED` on, which one it is made as sharp as."""


@dataclass(frozen=True)
class Recipe:
    """What a search may change.

    search.csv began with a matched pair of weight 3, a quarter of pseudo-fakes, a quarter of mixing, and twice as frequent
    augmentations; the defaults are what came of it.
    """

    peak_rate: float = 2e-3
    honest_weight: float = 2.0
    """How many times the matched pair counts: only there does the label not follow the format."""
    pseudo: float = 0.2
    """Share of the generated half of a batch that is made from the batch's own real pictures."""
    mixing: float = 0.1
    """Share of the batches in which pictures get a rectangle of another one."""
    surroundings: float = 0.25
    """Share of the pictures that get the surroundings of another one's face."""
    smoothing: float = 0.02
    side: int = preprocessing.SIDE
    batch: int = 48
    leave_out: tuple[str, ...] = ()

    @staticmethod
    def here() -> Recipe:
        """The defaults on this machine: a GPU wants larger batches, and fewer steps then are larger."""
        return Recipe(batch=192, peak_rate=3e-3) if torch.cuda.is_available() else Recipe()


class TrainingViews(Dataset):
    """Batches of augmented views, addressed by lists of (position, treatment, seed)."""

    def __init__(self, cache: PixelCache, reconstructions: Reconstructions | None, side: int) -> None:
        self.cache, self.reconstructions, self.side = cache, reconstructions, side

    def __getitem__(self, keys: list[tuple[int, int, int]]) -> tuple[Tensor, Tensor]:
        views = np.empty((len(keys), self.side, self.side, 3), np.uint8)
        labels = np.empty(len(keys), np.float32)
        for number, (position, treatment, seed) in enumerate(keys):
            picture = self._picture(position, treatment)
            upsampling = {UPSAMPLED: True, RESIZED: False}.get(treatment)
            crop = self.cache.crop(position)
            views[number] = augment(picture, crop, np.random.default_rng(seed), self.side, upsampling)
            made = treatment == UPSAMPLED or RECONSTRUCTED <= treatment < SOFTENED
            labels[number] = made or self.cache.faces[position].label
        return torch.from_numpy(views), torch.from_numpy(labels)

    def _picture(self, position: int, treatment: int) -> np.ndarray:
        picture = np.asarray(self.cache.image(position))
        if treatment < RECONSTRUCTED:
            return picture
        assert self.reconstructions is not None
        made = self.reconstructions.image(position, (treatment - RECONSTRUCTED) % VARIANTS)
        return as_sharp_as(picture, made) if treatment >= SOFTENED else made


def sampling_weights(faces: list[Face], positions: list[int], honest_weight: float) -> np.ndarray:
    """Probability of each position: the classes equal, sources inside a class by the square root of their size."""
    sizes = Counter((faces[p].label, faces[p].source) for p in positions)
    weights = np.array([1 / math.sqrt(sizes[faces[p].label, faces[p].source]) for p in positions])
    weights *= [honest_weight if faces[p].source == HONEST_SOURCE else 1.0 for p in positions]
    labels = np.array([faces[p].label for p in positions])
    for label in (0, 1):
        weights[labels == label] *= 0.5 / weights[labels == label].sum()
    return weights


class Batches:
    """Endless batches of (position, treatment, seed) from a step on; a batch depends on the seed and its step alone.

    One half is real, one generated. Of the generated half a share are pseudo-fakes of that batch's first real pictures,
    and each of these pairs is augmented alike: three of four are reconstructions, whose real pictures are made as sharp as
    they are; in the others upsampling is simulated for the one and its real picture is resized by an ordinary kernel.
    """

    def __init__(self, faces: list[Face], positions: list[int], recipe: Recipe, seed: int, step: int) -> None:
        self._seed, self._step = seed, step
        self._half = recipe.batch // 2
        self._pseudo = round(recipe.pseudo * self._half)
        weights = sampling_weights(faces, positions, recipe.honest_weight)
        labels = np.array([faces[p].label for p in positions])
        self._classes = [(np.array(positions)[labels == c], weights[labels == c] * 2) for c in (0, 1)]

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        step = self._step
        while True:
            random = np.random.default_rng((self._seed, step))
            real, made = (random.choice(where, self._half, p=p / p.sum()) for where, p in self._classes)
            seeds = random.integers(2**62, size=2 * self._half)
            keys = [(int(p), PLAIN, int(s)) for p, s in zip(np.concatenate((real, made)), seeds, strict=True)]
            for pair in range(self._pseudo):
                position, _, seed = keys[pair]
                own, other = RESIZED, UPSAMPLED
                if random.random() < 0.75:
                    variant = int(random.integers(VARIANTS))
                    own, other = SOFTENED + variant, RECONSTRUCTED + variant
                keys[pair], keys[self._half + pair] = (position, own, seed), (position, other, seed)
            yield keys
            step += 1


def mix(x: Tensor, targets: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Puts a rectangle of another picture of the batch into each, labels by area (CutMix, Yun et al. 2019)."""
    side = x.shape[-1]
    other = torch.from_numpy(random.permutation(len(x))).to(x.device)
    height, width = (int(side * random.uniform(0.3, 0.75)) for _ in range(2))
    top, left = int(random.integers(0, side - height + 1)), int(random.integers(0, side - width + 1))
    x[..., top : top + height, left : left + width] = x[other, :, top : top + height, left : left + width]
    share = height * width / side**2
    return x, targets * (1 - share) + targets[other] * share


def surround(x: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """Puts the faces of a `share` of the pictures in the surroundings of others; a face keeps its label.

    Backdrop, clothes and composition belong to a source and not to what made the face, and tell the classes apart where it is
    blurred beyond recognition (`conditions.face_blurred`). The seam is an ellipse of random size and softness.
    """
    count, side = len(x), x.shape[-1]

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(random.uniform(low, high, (count, 1, 1)).astype(np.float32)).to(x.device)

    place = (torch.arange(side, device=x.device) + 0.5) / side - 0.5
    across, down = place[None, None], place[None, :, None]
    distance = torch.hypot((across - draw(-0.05, 0.05)) / draw(0.28, 0.42), (down - draw(-0.05, 0.05)) / draw(0.36, 0.5))
    own = ((1 - distance) / draw(0.05, 0.4) + 0.5).clamp(0, 1)
    own[torch.from_numpy(random.random(count) >= share).to(x.device)] = 1
    other = x[torch.from_numpy(random.permutation(count)).to(x.device)]
    return torch.lerp(other, x, own[:, None])


@torch.no_grad()
def predict(network: nn.Module, pictures: np.ndarray, batch: int = 48) -> np.ndarray:
    """Raw logits of [n, side, side, 3] uint8 pictures, computed as in training; they are not those that are served."""
    network.eval()
    device = next(network.parameters()).device
    parts = []
    for start in range(0, len(pictures), batch):
        values = torch.from_numpy(pictures[start : start + batch]).to(device)
        with networks.mixed_precision(device.type):
            parts.append(network(networks.network_input(values)).float().cpu())
    return torch.cat(parts).flatten().numpy()


def learning_rate(progress: float, peak: float) -> float:
    """Linear warm-up, then a half cosine down to a hundredth of the peak."""
    if progress < WARM_UP:
        return peak * (0.02 + 0.98 * progress / WARM_UP)
    along = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * along)) / 2)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, step: int) -> None:
    """Moves the averaged weights and norm statistics towards the current ones; faster in the first steps."""
    approach(average.state_dict(), network.state_dict(), 1 - min(AVERAGING, (1 + step) / (10 + step)))


@torch.no_grad()
def approach(state: dict[str, Tensor], goal: dict[str, Tensor], share: float) -> None:
    """Moves a network's state a `share` of the way to another one's, in place; counters become those of `goal`."""
    for name, value in state.items():
        if value.is_floating_point():
            value.lerp_(goal[name], share)
        else:
            value.copy_(goal[name])


def standard_error(area: float, labels: np.ndarray) -> float:
    """Of a ROC AUC (Hanley and McNeil 1982, "The meaning and use of the area under a ROC curve")."""
    ones, zeros = int(labels.sum()), int((labels == 0).sum())
    both_ones, both_zeros = area / (2 - area), 2 * area**2 / (1 + area)
    rest = (ones - 1) * (both_ones - area**2) + (zeros - 1) * (both_zeros - area**2)
    return math.sqrt((area * (1 - area) + rest) / (ones * zeros))


class Judge:
    """Measures a network on what does not train it: the held-out groups and the watched sources.

    And on some of the matched pair's training pictures, as they are: what it knows of those and not of the held-out ones it
    knows by heart.
    """

    def __init__(self, cache: PixelCache, splits: Splits, side: int) -> None:
        pair = [p for p in splits.train if cache.faces[p].source == HONEST_SOURCE]
        parts = {
            "held_out": splits.calibration,
            "honest_pair": [p for p in splits.calibration if cache.faces[p].source == HONEST_SOURCE],
            "watched": splits.watched,
            "trained_pair": pair[:: max(1, len(pair) // TRAINED_PICTURES)],
        }
        positions = sorted({p for part in parts.values() for p in part})
        self._pictures = cache.inputs(positions, side)
        self._labels = np.array([cache.faces[p].label for p in positions])
        self._parts = {name: np.isin(positions, part) for name, part in parts.items()}

    def measure(self, network: nn.Module) -> dict[str, float]:
        """ROC AUCs; their `criterion`, the mean of those of the matched pair and of the watched sources; its error."""
        scores = predict(network, self._pictures)
        result = {name: round(roc_auc(self._labels[where], scores[where]), 4) for name, where in self._parts.items()}
        known = [name for name in ("honest_pair", "watched") if not math.isnan(result[name])] or ["held_out"]
        errors = [standard_error(result[name], self._labels[self._parts[name]]) for name in known]
        error = math.hypot(*errors) / len(known)
        return {**result, "criterion": round(float(np.mean([result[n] for n in known])), 4), "error": round(error, 4)}


class Run:
    """One training with everything that a checkpoint keeps."""

    def __init__(self, name: str, folder: Path, recipe: Recipe) -> None:
        torch.manual_seed(SEEDS[name])
        self.name, self.folder, self.recipe = name, folder, recipe
        device = "cuda" if torch.cuda.is_available() else "cpu"
        pretrained = name in beginnings.NAMES
        self.network = (beginnings.build(name) if pretrained else networks.build(name)).to(device)
        self.average = copy.deepcopy(self.network)
        parts = beginnings.rates(self.network) if pretrained else [(1.0, list(self.network.parameters()))]
        groups = []
        for share, parameters in parts:
            decayed, plain = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
            groups.append({"params": decayed, "weight_decay": WEIGHT_DECAY, "share": share})
            groups.append({"params": plain, "weight_decay": 0.0, "share": share})
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=(0.9, 0.99))
        self.best = self.average.state_dict()
        self.step, self.seconds, self.finished = 0, 0.0, False
        self.curve: list[dict[str, float]] = []
        self.earlier: list[dict[str, float]] = []
        """The points of the runs whose weights this one began with; the curve counts on from them."""

    @property
    def checkpoint(self) -> Path:
        """Where the run is kept."""
        return self.folder / f"{self.name}.pt"

    def begin_pretrained(self, work: Path, pictures: np.ndarray) -> None:
        """Takes over weights that others trained, fetched into `work`; `pictures` [n, side, side, 3] uint8 set the norms."""
        state = beginnings.begin(self.name, work, pictures).state_dict()
        self.network.load_state_dict(state)
        self.average.load_state_dict(state)

    def begin_from_published(self, folder: Path, pictures: np.ndarray) -> None:
        """Takes over the weights of a published model folder; `pictures` [n, SIDE, SIDE, 3] uint8 set the norms."""
        state = published_weights.restore(self.name, folder / "model.onnx", pictures).state_dict()
        self.network.load_state_dict(state)
        self.average.load_state_dict(state)
        with (folder / "training.csv").open(newline="") as file:
            self.earlier = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        for row in self.earlier:
            row["step"], row["images"] = int(row["step"]), int(row["images"])

    def begin_from(self, checkpoint: Path) -> int:
        """Takes over the averaged weights of another run, those whose names and shapes agree. Gives how many numbers."""
        state = torch.load(checkpoint, weights_only=True, map_location="cpu")
        self.earlier = [*state["earlier"], *state["curve"]]
        theirs = state["average"]
        ours = self.network.state_dict()
        shared = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
        self.network.load_state_dict(shared, strict=False)
        self.average.load_state_dict(shared, strict=False)
        return sum(value.numel() for value in shared.values())

    def save(self) -> None:
        """Writes the checkpoint beside the old one and then over it: there is always a whole one."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "finished": self.finished,
            "curve": self.curve,
            "earlier": self.earlier,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, self.checkpoint.with_suffix(".partial"))
        os.replace(self.checkpoint.with_suffix(".partial"), self.checkpoint)
        if self.curve:
            with (self.folder / f"{self.name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, list(self.curve[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.earlier + self.curve)

    def resume(self) -> bool:
        """Takes up the checkpoint, if there is one."""
        if not self.checkpoint.is_file():
            return False
        state = torch.load(self.checkpoint, weights_only=True, map_location="cpu")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]
        self.step, self.seconds, self.finished = state["step"], state["seconds"], state["finished"]
        self.curve, self.earlier = state["curve"], state["earlier"]
        return True

    def descend(self, views: Tensor, targets: Tensor, rate: float) -> tuple[float, float]:
        """One step on a batch; gives loss and accuracy."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        device = next(self.network.parameters()).device
        x, targets = networks.network_input(views.to(device)), targets.to(device)
        random = np.random.default_rng((SEEDS[self.name], self.step))
        x = surround(x, self.recipe.surroundings, random)
        if random.random() < self.recipe.mixing:
            x, targets = mix(x, targets, random)
        with networks.mixed_precision(device.type):
            logits = self.network(x)
        logits = logits.float().flatten()
        smooth = targets * (1 - self.recipe.smoothing) + self.recipe.smoothing / 2
        loss = nn.functional.binary_cross_entropy_with_logits(logits, smooth)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        follow(self.average, self.network, self.step)
        return float(loss.detach()), float(((logits > 0) == (targets > 0.5)).float().mean())


def train(
    run: Run,
    cache: PixelCache,
    splits: Splits,
    reconstructions: Reconstructions | None,
    minutes: float,
    points: int,
    steps: int | None = None,
    workers: int = 1,
) -> None:
    """Trains until its minutes are spent, or its steps where they are given; measures so many times on the way.

    Resumes where `run` stands.
    """
    parameters, operations = networks.cost(run.network, run.recipe.side)
    print(f"{run.name}: {parameters / 1e6:.2f} M parameters, {2 * operations / 1e9:.3f} GFLOP an image", flush=True)
    judge = Judge(cache, splits, run.recipe.side)
    batches = Batches(cache.faces, splits.train, run.recipe, SEEDS[run.name], run.step)
    views = TrainingViews(cache, reconstructions, run.recipe.side)
    loader = DataLoader(views, sampler=batches, batch_size=None, num_workers=workers, prefetch_factor=4)
    whole = minutes * 60

    def done() -> float:
        return run.step / steps if steps else run.seconds / whole

    losses, hits, saved, began, before = [], [], time.monotonic(), time.monotonic(), run.seconds
    with tqdm(total=100, initial=int(100 * done()), desc=run.name, unit="%", mininterval=10) as bar:
        for pictures, targets in loader:
            progress = done()
            if progress >= 1:
                break
            loss, hit = run.descend(pictures, targets, learning_rate(progress, run.recipe.peak_rate))
            losses.append(loss)
            hits.append(hit)
            run.seconds = before + time.monotonic() - began
            if done() >= min(1, (len(run.curve) + 1) / points):
                past = run.earlier[-1] if run.earlier else {"step": 0, "images": 0, "minutes": 0.0}
                row = {
                    "step": past["step"] + run.step,
                    "images": past["images"] + run.step * run.recipe.batch,
                    "minutes": round(past["minutes"] + run.seconds / 60, 2),
                    "rate": round(learning_rate(progress, run.recipe.peak_rate), 6),
                    "loss": round(float(np.mean(losses)), 4),
                    "accuracy": round(float(np.mean(hits)), 4),
                    **judge.measure(run.average),
                }
                if row["criterion"] + row["error"] >= max((point["criterion"] for point in run.curve), default=0.0):
                    run.best = copy.deepcopy(run.average.state_dict())
                run.curve.append(row)
                tqdm.write(f"{run.name} {row}")
                losses, hits = [], []
                run.seconds = before + time.monotonic() - began
            bar.update(min(int(100 * done()), 100) - bar.n)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                run.save()
                saved = time.monotonic()
    run.finished = True
    run.save()


@program
def main() -> int:
    """The command line: trains one network. Returns the exit status."""
    keep_freed_memory()
    plain = Recipe.here()
    parser = argparse.ArgumentParser(description="Train one network of Bifrons.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--model", choices=(*networks.NAMES, *beginnings.NAMES), required=True)
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES, help="wall time of the whole schedule")
    parser.add_argument("--steps", type=int, help="steps of the whole schedule, instead of minutes")
    parser.add_argument("--points", type=int, default=12, help="how many times it is measured on the way")
    parser.add_argument("--threads", type=int, default=1)
    spare = max(1, (os.cpu_count() or 2) - 2) if torch.cuda.is_available() else 1
    parser.add_argument("--workers", type=int, default=spare, help="processes that make the views")
    parser.add_argument("--batch", type=int, default=plain.batch)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="decoded pixels and reconstructions")
    parser.add_argument(
        "--begin-from", type=Path, help="a checkpoint, or a published model's folder, whose weights are the first ones"
    )
    parser.add_argument("--weights", type=Path, help="the folder of TAEF2's weights, if that shall make pseudo-fakes too")
    parser.add_argument("--run", type=Path, help="checkpoint and curve; default: --work")
    parser.add_argument("--leave-out", nargs="*", default=[], help="families of sources or generators to do without")
    parser.add_argument("--peak-rate", type=float, default=plain.peak_rate)
    parser.add_argument("--honest-weight", type=float, default=plain.honest_weight)
    parser.add_argument("--pseudo", type=float, default=plain.pseudo)
    parser.add_argument("--mixing", type=float, default=plain.mixing)
    parser.add_argument("--surroundings", type=float, default=plain.surroundings)
    parser.add_argument("--side", type=int, default=plain.side)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cache = open_cache(options.data, options.work)
    recipe = Recipe(
        peak_rate=options.peak_rate,
        honest_weight=options.honest_weight,
        pseudo=options.pseudo,
        mixing=options.mixing,
        surroundings=options.surroundings,
        side=options.side,
        batch=options.batch,
        leave_out=tuple(options.leave_out),
    )
    run = Run(options.model, options.run or options.work, recipe)
    calibration = Splits.of(cache.faces, recipe.leave_out).calibration
    norm_pictures = cache.inputs(calibration[:: max(1, len(calibration) // NORM_PICTURES)], recipe.side)
    if run.resume():
        print(f"{run.name}: goes on at step {run.step}, minute {run.seconds / 60:.1f}", flush=True)
    elif options.begin_from and options.begin_from.is_dir():
        run.begin_from_published(options.begin_from, norm_pictures)
        print(f"{run.name}: begins with the weights of {options.begin_from}", flush=True)
    elif options.begin_from:
        print(f"{run.name}: begins with {run.begin_from(options.begin_from)} numbers of {options.begin_from}", flush=True)
    elif run.name in beginnings.NAMES:
        run.begin_pretrained(options.work, norm_pictures)
    if not run.finished:
        reconstructions = None
        if recipe.pseudo:
            reconstructions = Reconstructions(cache, Splits.of(cache.faces), options.work, weights=options.weights)
        train(
            run,
            cache,
            Splits.of(cache.faces, recipe.leave_out),
            reconstructions,
            options.minutes,
            options.points,
            options.steps,
            options.workers,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
