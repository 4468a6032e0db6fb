"""Where the programs of this package find and keep things, unless they are told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bifrons_training.data.catalogue import read_catalogue
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.preprocessing.locating import Locator

REPOSITORY = Path(__file__).resolve().parents[3]
MODELS = REPOSITORY / "Models"
TRAINING = MODELS / "training"
"""Where the results of experiments and the findings of the data report are kept, beside the package."""

DEFAULT_WORK = REPOSITORY / ".cache" / "training"


def open_cache(data: Path, work: Path, models: Path = MODELS, also: Sequence[Path] = ()) -> PixelCache:
    """The data folder and the folders `also`, checked, and their pictures decoded in `work`.

    Raises `DataError` for whatever is wrong with it.
    """
    return PixelCache(data, work / "pixels", read_catalogue(data, also), Locator(models / "locator"))
