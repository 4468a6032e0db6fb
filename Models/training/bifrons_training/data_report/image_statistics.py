"""Statistics of an image that do not depend on what it shows."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.data_report import equalisation
from bifrons_training.preprocessing import Box

TRIVIAL = (
    "mean red",
    "mean green",
    "mean blue",
    "deviation of red",
    "deviation of green",
    "deviation of blue",
    "saturation",
    "border brighter than middle",
    "deviation along the border",
    "black or white pixels",
    "power of coarse detail",
    "power of middle detail",
    "power of fine detail",
    "steps on the 8-pixel grid",
    "noise",
)
"""The fifteen features of the shortcut probe; none of them can recognise a face."""

_LUMA = np.array([0.299, 0.587, 0.114])
_DCT = np.array(
    [[np.cos((2 * x + 1) * u * np.pi / 16) * (np.sqrt(0.125) if u == 0 else 0.5) for x in range(8)] for u in range(8)]
)


@dataclass
class Measured:
    """The measurements of one image."""

    width: int
    height: int
    bytes: int
    quality: int
    """The quality of the last JPEG pass on libjpeg's scale, 1…100; 0 for other formats."""
    grids: np.ndarray
    """[8]: the strength of the steps at each offset of an 8-pixel grid; 1 is none. The last pass has offset 0."""
    second_pass: float
    """The periodicity of the histogram of DCT coefficients; high after two JPEG passes of different quality."""
    face_share: float
    """The face's longer side as a share of the image's longer side; NaN without a box."""
    face_pixels: float
    """The face's longer side in pixels; NaN without a box."""
    centre: tuple[float, float]
    """The centre of the face as shares of the image's width and height."""
    brightness: float
    contrast: float
    saturation: float
    spectrum: np.ndarray
    """[48]: the mean log power by frequency of the face at 96 pixels, before the JPEG pass of the equalisation."""
    before: np.ndarray
    """[15]: the features of `TRIVIAL` for the unchanged image."""
    after: np.ndarray
    """[15]: the features of `TRIVIAL` for the equalised face."""
    sha256: str
    hash: int
    """A 64-bit perceptual hash (pHash), which survives scaling and compression."""
    thumbnail: np.ndarray
    """[32, 32]: a grey thumbnail of mean 0 and norm 1."""


def _power(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the frequencies, 1 being the Nyquist limit, and log powers of the windowed top left square, flattened."""
    side = min(gray.shape)
    square = gray[:side, :side] - gray[:side, :side].mean()
    window = np.hanning(side)
    power = np.abs(np.fft.fft2(square * window[:, None] * window[None])) ** 2 / side**2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) * 2
    return frequency.ravel(), np.log10(power.ravel() + 1e-3)


def radial_spectrum(gray: np.ndarray, bins: int = 48) -> np.ndarray:
    """Returns the mean log power in `bins` rings of equal width up to the Nyquist limit."""
    frequency, power = _power(gray)
    ring = np.minimum((frequency * bins).astype(int), bins)
    sums = np.bincount(ring, power, bins + 1)[:bins]
    return sums / np.maximum(np.bincount(ring, minlength=bins + 1)[:bins], 1)


def grid_steps(gray: np.ndarray) -> np.ndarray:
    """Returns [8]: the mean step across the columns and rows of each offset, relative to the mean over all offsets."""
    strengths = np.zeros(8)
    for axis in (0, 1):
        steps = np.abs(np.diff(gray, axis=axis)).mean(axis=1 - axis)
        means = [steps[(offset - 1) % 8 :: 8].mean() if len(steps) >= 8 else 0 for offset in range(8)]
        strengths += np.array(means) / max(float(np.mean(means)), 1e-6) / 2
    return strengths


def second_pass(gray: np.ndarray) -> float:
    """Returns the strength of the strongest period in the histograms of low DCT coefficients; 0 for tiny images."""
    rows, columns = gray.shape[0] // 8, gray.shape[1] // 8
    if rows * columns < 64:
        return 0.0
    blocks = gray[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3) - 128
    counts = np.zeros(101)
    for u, v in ((0, 1), (1, 0), (1, 1)):
        values = np.rint(np.einsum("rcyx,y,x->rc", blocks, _DCT[u], _DCT[v])).ravel()
        counts += np.histogram(values[np.abs(values) <= 50], bins=101, range=(-50.5, 50.5))[0]
    smooth = np.convolve(counts, np.ones(9) / 9, "same")
    rest = (counts - smooth) / np.maximum(smooth, 1)
    return float(np.abs(np.fft.rfft(rest * np.hanning(101)))[8:].max() / 101)


def trivial(pixels: np.ndarray) -> np.ndarray:
    """Returns the features of `TRIVIAL`, [15], of an image [h, w, 3] uint8."""
    values = pixels.astype(np.float64)
    gray = values @ _LUMA
    height, width = gray.shape
    rim = max(1, min(height, width) // 12)
    border = np.concatenate([gray[:rim].ravel(), gray[-rim:].ravel(), gray[:, :rim].ravel(), gray[:, -rim:].ravel()])
    middle = gray[height // 4 : height - height // 4, width // 4 : width - width // 4]
    high, low = values.max(axis=2), values.min(axis=2)
    frequency, power = _power(gray)
    bands = [power[(frequency >= a) & (frequency < b)].mean() for a, b in ((0.03, 0.15), (0.15, 0.45), (0.45, 1.0))]
    laplace = gray[1:-1, 1:-1] * 4 - gray[:-2, 1:-1] - gray[2:, 1:-1] - gray[1:-1, :-2] - gray[1:-1, 2:]
    return np.array(
        [
            *values.mean(axis=(0, 1)),
            *values.std(axis=(0, 1)),
            ((high - low) / np.maximum(high, 1)).mean(),
            border.mean() - (middle.mean() if middle.size else gray.mean()),
            border.std(),
            ((gray <= 5) | (gray >= 250)).mean(),
            *bands,
            grid_steps(gray)[0],
            np.log1p(np.median(np.abs(laplace))) if laplace.size else 0.0,
        ]
    )


def jpeg_quality(image: Image.Image) -> int:
    """Returns the quality on libjpeg's scale whose luminance table is closest; 0 for images without tables."""
    tables = getattr(image, "quantization", None)
    if not tables:
        return 0
    share = np.mean(list(tables[min(tables)])) / 57.625  # The mean of the standard's table, which has quality 50.
    return int(np.clip(round(100 - 50 * share if share <= 1 else 50 / share), 1, 100))


def perceptual_hash(gray: np.ndarray) -> int:
    """Returns 64 bits that say which low DCT coefficients of 32 × 32 grey pixels lie above their median."""
    x = np.arange(32)
    basis = np.cos((2 * x[None] + 1) * np.arange(9)[:, None] * np.pi / 64)
    low = (basis @ gray @ basis.T)[1:9, 1:9].ravel()
    return int(np.packbits(low > np.median(low)).view(">u8")[0])


def measure(file: Path, box: Box | None) -> Measured:
    """Returns all measurements of a file. Raises Pillow's errors if it cannot be read."""
    content = file.read_bytes()
    with Image.open(io.BytesIO(content)) as opened:
        quality = jpeg_quality(opened)
    image = preprocessing.decode(content, 1).image
    pixels = np.asarray(image)
    gray = pixels @ _LUMA
    width, height = image.size
    x, y, box_width, box_height = box or (0, 0, width, height)
    square = preprocessing.squares([box] if box else [], width, height, equalisation.MARGIN)[0]
    face = preprocessing.view(preprocessing.Decoded(image, width, height, 1), square, equalisation.SIDE)
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    thumbnail = small - small.mean()
    high, low = pixels.max(axis=2).astype(float), pixels.min(axis=2).astype(float)
    return Measured(
        width=width,
        height=height,
        bytes=len(content),
        quality=quality,
        grids=grid_steps(gray),
        second_pass=second_pass(gray),
        face_share=max(box_width, box_height) / max(width, height) if box else float("nan"),
        face_pixels=float(max(box_width, box_height)) if box else float("nan"),
        centre=((x + box_width / 2) / width, (y + box_height / 2) / height),
        brightness=float(gray.mean()),
        contrast=float(gray.std()),
        saturation=float(((high - low) / np.maximum(high, 1)).mean()),
        spectrum=radial_spectrum(face @ _LUMA),
        before=trivial(pixels),
        after=trivial(equalisation.equalise(image, box)),
        sha256=hashlib.sha256(content).hexdigest(),
        hash=perceptual_hash(small),
        thumbnail=(thumbnail / max(float(np.linalg.norm(thumbnail)), 1e-6)).astype(np.float32),
    )
