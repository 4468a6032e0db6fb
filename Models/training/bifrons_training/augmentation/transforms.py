"""Random changes of a training picture. They never look at the label, so they cannot teach it.

What a picture lives through on its way to a moderator, in about that order: framing, resampling, lens and sensor,
colour, sharpening, recompression by the services and screenshots that it passed, and at the end the one preprocessing
that workers do. The same seed does the same to two pictures of equal size: a real one and its reconstruction.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.preprocessing import Crop

KERNELS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
SAMPLINGS = (0x111111, 0x211111, 0x221111)
"""libjpeg's factors of whole chroma, of half the width, and of half the width and height."""

NOISE = np.random.default_rng(4).standard_normal((512, 512, 3)).astype(np.float32)
"""Cut-outs of this one are the sensors' noise: drawing a new one for every picture would take longer than all the
rest."""

SMALLEST = 48
"""Pixels below which no step makes a picture."""

cv2.setNumThreads(0)  # OpenCV's threads do not outlive a fork, and the loaders fork.

Random = np.random.Generator
Pixels = np.ndarray
"""[H, W, 3] uint8, RGB."""


def frame(pixels: Pixels, crop: Crop, random: Random) -> Pixels:
    """A square cut at the picture's own resolution: the face fills 35 to 95 % of it, most often about 60 %.

    What sticks out of the picture is mirrored.
    """
    (x, y, length), turn = crop
    wide = random.random() < 0.12
    span = length * math.exp(random.uniform(math.log(0.66), math.log(1.79 if wide else 1.15)))
    angle = math.radians(random.normal(0, 6)) if random.random() < 0.5 else 0.0
    angle += math.atan2(turn.sine, turn.cosine)
    stretch = math.exp(random.normal(0, 0.03))
    middle = (x + length / 2 + random.uniform(-0.08, 0.08) * span, y + length / 2 + random.uniform(-0.08, 0.08) * span)
    flip = -1 if random.random() < 0.5 else 1
    kernel = KERNELS[random.integers(2)]
    side = max(SMALLEST, round(span))
    step = span / side
    matrix = np.array(
        [
            [flip * math.cos(angle) * step * stretch, -math.sin(angle) * step, 0.0],
            [flip * math.sin(angle) * step, math.cos(angle) * step / stretch, 0.0],
        ]
    )
    matrix[:, 2] = middle - matrix[:, :2] @ np.full(2, (side - 1) / 2)
    flags = kernel | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def resample(pixels: Pixels, side: int, random: Random) -> Pixels:
    """Another size, by a random kernel; areas are averaged where that is asked for or much is left out."""
    kernel = KERNELS[random.integers(len(KERNELS))]
    if side < 0.6 * len(pixels):
        kernel = cv2.INTER_AREA
    return cv2.resize(pixels, (side, side), interpolation=kernel)


def shrink(pixels: Pixels, random: Random, lowest: float = 0.25) -> Pixels:
    """A random smaller size, and back again more often than not."""
    side = len(pixels)
    small = resample(pixels, max(SMALLEST, round(side * random.uniform(lowest, 1.0))), random)
    return resample(small, side, random) if random.random() < 0.6 else small


def recompress(pixels: Pixels, random: Random, low: int = 35, high: int = 98) -> Pixels:
    """One pass through JPEG at a random quality, subsampling and offset of the grid."""
    left, top = (int(v) for v in random.integers(0, 8, 2))
    padded = cv2.copyMakeBorder(pixels, top, 0, left, 0, cv2.BORDER_REFLECT_101) if left or top else pixels
    options = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(low, high))]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[(0, 1, 2, 2)[random.integers(4)]]]
    _, packed = cv2.imencode(".jpg", padded[..., ::-1], options)
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[top:, left:, ::-1]


def jitter_colour(pixels: Pixels, random: Random) -> Pixels:
    """Gamma, contrast, light and white balance by one table a channel, and saturation."""
    ramp = np.linspace(0, 1, 256)
    gamma, contrast, light = random.uniform(0.75, 1.33), random.uniform(0.8, 1.2), random.uniform(-0.06, 0.06)
    tables = [(ramp**gamma - 0.5) * contrast * gain + 0.5 + light for gain in random.uniform(0.92, 1.08, 3)]
    table = np.clip(np.stack(tables, -1) * 255 + 0.5, 0, 255).astype(np.uint8)
    saturation = random.uniform(0.6, 1.35) if random.random() < 0.5 else 1.0
    grey = random.random() < 0.04
    pixels = cv2.LUT(np.ascontiguousarray(pixels), table[None])
    if saturation != 1.0 or grey:
        plain = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        pixels = plain if grey else cv2.addWeighted(pixels, saturation, plain, 1 - saturation, 0)
    return pixels


def add_noise(pixels: Pixels, random: Random) -> Pixels:
    """Noise of a sensor: of all channels or of brightness alone, fine or in grains of two pixels."""
    side = len(pixels)
    grain = 2 if random.random() < 0.3 else 1
    size = -(-side // grain)
    y, x = (int(v) for v in random.integers(0, max(1, len(NOISE) - size), 2))
    noise: np.ndarray = NOISE[y : y + size, x : x + size] * float(random.uniform(1, 8))
    if random.random() < 0.5:
        noise = np.repeat(noise[..., :1], 3, axis=-1)
    if noise.shape[0] != side or grain > 1:
        noise = cv2.resize(noise, (side, side), interpolation=cv2.INTER_LINEAR)
    return cv2.add(pixels, noise, dtype=cv2.CV_8U)


def sharpen(pixels: Pixels, random: Random) -> Pixels:
    """Unsharp masking."""
    amount, sigma = float(random.uniform(0.3, 1.2)), float(random.uniform(0.6, 1.6))
    return cv2.addWeighted(pixels, 1 + amount, cv2.GaussianBlur(pixels, (0, 0), sigma), -amount, 0)


def screenshot(pixels: Pixels, random: Random) -> Pixels:
    """Shown at another size on a screen, caught there without loss, and shown smaller again."""
    side = len(pixels)
    shown = resample(pixels, min(512, round(side * random.uniform(1.1, 1.9))), random)
    return resample(shown, max(SMALLEST, round(side * random.uniform(0.7, 1.1))), random)


def upsample(pixels: Pixels, random: Random, simulated: bool) -> Pixels:
    """Halved and doubled again: as generators do it (Zhang et al. 2019, AutoGAN), or by an ordinary kernel.

    A transposed convolution puts zeros between the pixels and smooths with a kernel that nothing forces to weigh the
    four places of a pixel alike; here it is a bilinear one with random errors.
    """
    side = len(pixels) // 2 * 2
    small = cv2.resize(pixels, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    errors = random.normal(0, random.uniform(0.004, 0.03), (4, 4)).astype(np.float32)
    nearest = random.random() < 0.3
    if not simulated:
        return cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    spread = np.zeros((side, side, 3), np.float32)
    spread[::2, ::2] = small
    across = np.array([0, 1, 1, 0] if nearest else [0.25, 0.75, 0.75, 0.25], np.float32)
    kernel = np.zeros((5, 5), np.float32)
    kernel[:4, :4] = np.outer(across, across) + errors
    made = cv2.filter2D(spread, -1, kernel * (4 / kernel.sum()), borderType=cv2.BORDER_REFLECT_101)
    upsampled: np.ndarray = np.clip(made + 0.5, 0, 255).astype(np.uint8)
    return upsampled


def cutout(pixels: Pixels, random: Random) -> None:
    """A rectangle of one colour over it, in place."""
    height, width = (int(len(pixels) * random.uniform(0.1, 0.4)) for _ in range(2))
    y, x = int(random.uniform(0, len(pixels) - height)), int(random.uniform(0, len(pixels) - width))
    pixels[y : y + height, x : x + width] = random.integers(0, 256, 3)


def augment(pixels: Pixels, crop: Crop, random: Random, side: int, upsampling: bool | None = None) -> Pixels:
    """A training view of a picture whose `crop` is what workers look at: [side, side, 3] uint8.

    `upsampling`: the picture is halved and doubled first, True: as a generator would, False: as anybody would.
    """
    if random.random() < 0.25 and upsampling is None:
        image = Image.fromarray(pixels)
        view = preprocessing.view(preprocessing.Decoded(image, *image.size, 1), crop.square, side, crop.turn)
        return view[:, ::-1] if random.random() < 0.5 else view
    view = frame(pixels, crop, random)
    if upsampling is not None:
        view = upsample(view, random, upsampling)
    if random.random() < 0.45:
        view = shrink(view, random)
    if random.random() < 0.25:
        view = cv2.GaussianBlur(view, (0, 0), float(random.uniform(0.3, 2.0)))
    if random.random() < 0.6:
        view = jitter_colour(view, random)
    if random.random() < 0.1:
        view = add_noise(view, random)
    if random.random() < 0.06:
        view = sharpen(view, random)
    if random.random() < 0.45:
        view = recompress(view, random)
        if random.random() < 0.35:
            view = recompress(shrink(view, random, 0.7) if random.random() < 0.5 else view, random, 55, 96)
    if random.random() < 0.04:
        view = screenshot(view, random)
    view = preprocessing.resize(Image.fromarray(view), (0, 0, *view.shape[1::-1]), side, side)
    if random.random() < 0.07:
        view = view.copy()
        cutout(view, random)
    return view
