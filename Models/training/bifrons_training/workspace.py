"""The default locations of the programs of this package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bifrons_training.data.catalogue import read_catalogue
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.preprocessing.locating import Locator

REPOSITORY = Path(__file__).resolve().parents[3]
MODELS = REPOSITORY / "Models"
TRAINING = MODELS / "training"
"""The folder for the results of experiments and of the data report, which also holds the package."""

DEFAULT_WORK = REPOSITORY / ".cache" / "training"


def open_cache(data: Path, work: Path, models: Path = MODELS, also: Sequence[Path] = ()) -> PixelCache:
    """Reads and validates the data folder and the folders `also`, and decodes their images into `work`.

    Raises `DataError` for any fault in them.
    """
    return PixelCache(data, work / "pixels", read_catalogue(data, also), Locator(models / "locator"))
