"""Random augmentation of one training image. It never depends on the label, so it cannot reveal it.

The steps imitate what happens to an image on its way to a moderator, in roughly that order: framing, resampling, lens
and sensor, colour, sharpening, recompression by services, and screenshots. The workers' preprocessing comes last. The
same seed changes two images of equal size alike: a real image and its reconstruction.
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
"""libjpeg's sampling factors for chroma at full size, at half width, and at half width and height."""

NOISE = np.random.default_rng(4).standard_normal((512, 512, 3)).astype(np.float32)
"""Crops of this array serve as sensor noise: drawing new noise for every image would take longer than all the other
steps."""

SMALLEST = 48
"""The smallest side, in pixels, of any intermediate image."""

cv2.setNumThreads(0)  # OpenCV's threads do not survive a fork, and the data loaders fork.

Random = np.random.Generator
Pixels = np.ndarray
"""An RGB image, [H, W, 3] uint8."""


def frame(pixels: Pixels, crop: Crop, random: Random) -> Pixels:
    """Cuts a random square around the face at the image's own resolution, slightly turned, stretched or mirrored.

    The face fills 35 to 95 % of the square, most often about 60 %. Pixels outside the image are mirrored at its border.
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
    """Resizes an image to `side` with a random kernel; below 0.6 of its size always by averaging areas."""
    kernel = KERNELS[random.integers(len(KERNELS))]
    if side < 0.6 * len(pixels):
        kernel = cv2.INTER_AREA
    return cv2.resize(pixels, (side, side), interpolation=kernel)


def shrink(pixels: Pixels, random: Random, lowest: float = 0.25) -> Pixels:
    """Shrinks an image to a random size, at least `lowest` of its own, and in 60 % of cases enlarges it back."""
    side = len(pixels)
    small = resample(pixels, max(SMALLEST, round(side * random.uniform(lowest, 1.0))), random)
    return resample(small, side, random) if random.random() < 0.6 else small


def recompress(pixels: Pixels, random: Random, low: int = 35, high: int = 98) -> Pixels:
    """Compresses an image as JPEG once, with a random quality, chroma subsampling and grid offset."""
    left, top = (int(v) for v in random.integers(0, 8, 2))
    padded = cv2.copyMakeBorder(pixels, top, 0, left, 0, cv2.BORDER_REFLECT_101) if left or top else pixels
    options = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(low, high))]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[(0, 1, 2, 2)[random.integers(4)]]]
    _, packed = cv2.imencode(".jpg", padded[..., ::-1], options)
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[top:, left:, ::-1]


def jitter_colour(pixels: Pixels, random: Random) -> Pixels:
    """Changes gamma, contrast, brightness and white balance by one lookup table per channel, and the saturation."""
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
    """Adds sensor noise: per channel or only in brightness, with grains of one or two pixels."""
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
    """Applies an unsharp mask of random amount and radius."""
    amount, sigma = float(random.uniform(0.3, 1.2)), float(random.uniform(0.6, 1.6))
    return cv2.addWeighted(pixels, 1 + amount, cv2.GaussianBlur(pixels, (0, 0), sigma), -amount, 0)


def screenshot(pixels: Pixels, random: Random) -> Pixels:
    """Imitates a screenshot: the image is enlarged on a screen, captured losslessly and shown smaller again."""
    side = len(pixels)
    shown = resample(pixels, min(512, round(side * random.uniform(1.1, 1.9))), random)
    return resample(shown, max(SMALLEST, round(side * random.uniform(0.7, 1.1))), random)


def upsample(pixels: Pixels, random: Random, simulated: bool) -> Pixels:
    """Halves an image and doubles it again, as a generator does (Zhang et al. 2019, AutoGAN) or with a plain kernel.

    A transposed convolution puts zeros between the pixels and smooths them with a learned kernel, which need not weigh
    the four output pixels of an input pixel alike. If `simulated`, the kernel here is bilinear or nearest-neighbour
    with random errors; otherwise the doubling is bicubic.
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
    """Covers a random rectangle of an image with one colour, in place."""
    height, width = (int(len(pixels) * random.uniform(0.1, 0.4)) for _ in range(2))
    y, x = int(random.uniform(0, len(pixels) - height)), int(random.uniform(0, len(pixels) - width))
    pixels[y : y + height, x : x + width] = random.integers(0, 256, 3)


def augment(pixels: Pixels, crop: Crop, random: Random, side: int, upsampling: bool | None = None) -> Pixels:
    """Returns a random training view of an image, [side, side, 3] uint8; `crop` is the region that workers look at.

    With `upsampling` the view is first halved and doubled: True as a generator would do it, False with a plain kernel.
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
