"""The images of a catalogue, decoded once into one file of raw pixels."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.data.catalogue import Face
from bifrons_training.errors import DataError
from bifrons_training.preprocessing import Box, Crop, Decoded
from bifrons_training.preprocessing.turning import Turn


class FaceFinder(Protocol):
    """Finds faces in decoded images, as `preprocessing.locating.Locator` does. `digest` identifies its weights."""

    digest: str

    def stances(self, decoded: Decoded) -> list[tuple[Box, Turn]]:
        """Returns the box and the turn of each face in an image, the largest face first."""


def _identity(folder: Path, faces: list[Face], finder: FaceFinder) -> str:
    """Returns a digest that changes with any row of the table, any image, the locator or the preprocessing."""
    digest = hashlib.sha256(f"{preprocessing.VERSION} {finder.digest}\n".encode())
    for face in faces:
        digest.update(repr(face).encode())
        try:
            digest.update(hashlib.sha256((folder / face.path).read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{folder / face.path} is not a readable image ({error}): replace it") from error
    return digest.hexdigest()


class PixelCache:
    """The decoded images of a catalogue and the largest face of each: a file of RGB bytes with an index beside it.

    The files are rebuilt whenever an input changes. Raises `DataError` if an image cannot be read.
    """

    def __init__(self, folder: Path, cache: Path, faces: list[Face], finder: FaceFinder) -> None:
        self.faces = faces
        self.identity = identity = _identity(folder, faces, finder)
        self._data, index = cache / "pixels.bin", cache / "index.json"
        known = json.loads(index.read_text()) if index.is_file() else {}
        if known.get("identity") != identity or not self._data.is_file():
            known = self._build(folder, cache, identity, finder)
        self._offsets = np.asarray(known["offsets"], dtype=np.int64)
        self._sizes = np.asarray(known["sizes"], dtype=np.int32)
        self._faces = [[(tuple(box), Turn(*turn))] if box else [] for box, turn in known["faces"]]
        self._bytes: np.memmap | None = None

    def _build(self, folder: Path, cache: Path, identity: str, finder: FaceFinder) -> dict[str, object]:
        cache.mkdir(parents=True, exist_ok=True)
        offsets, sizes, found, position = [], [], [], 0
        partial = cache / f"pixels.{os.getpid()}"  # Another process may build the same cache at the same time.
        with partial.open("wb") as file:
            for face in self.faces:
                try:
                    decoded = preprocessing.decode(folder / face.path, 1)
                except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                    raise DataError(f"{folder / face.path} is not a readable image ({error}): replace it") from error
                values = np.asarray(decoded.image)
                file.write(values.tobytes())
                offsets.append(position)
                sizes.append(decoded.image.size)
                found.append(next(iter(finder.stances(decoded)), (None, None)))
                position += values.nbytes
        os.replace(partial, self._data)
        known: dict[str, object] = {"identity": identity, "offsets": offsets, "sizes": sizes, "faces": found}
        partial = cache / f"index.{os.getpid()}"
        partial.write_text(json.dumps(known))
        os.replace(partial, cache / "index.json")
        return known

    def image(self, position: int) -> Image.Image:
        """Returns the decoded image at `position` of the catalogue."""
        if self._bytes is None:  # Opened on first use in each process, because a memory map cannot be pickled.
            self._bytes = np.memmap(self._data, dtype=np.uint8, mode="r")
        width, height = self.size(position)
        start = int(self._offsets[position])
        return Image.fromarray(self._bytes[start : start + width * height * 3].reshape(height, width, 3))

    def size(self, position: int) -> tuple[int, int]:
        """Returns the width and height of an image in pixels."""
        width, height = self._sizes[position]
        return int(width), int(height)

    def has_face(self, position: int) -> bool:
        """Whether the locator found a face in an image."""
        return bool(self._faces[position])

    def crop(self, position: int) -> Crop:
        """Returns the region of an image that a worker looks at: its largest face, or else the central square."""
        return preprocessing.crops(self._faces[position], *self.size(position))[0]

    def inputs(self, positions: list[int], side: int = preprocessing.SIDE) -> np.ndarray:
        """Returns the images as workers and the evaluation see them: [n, side, side, 3] uint8.

        One difference remains: workers decode JPEGs of 1280 pixels and more at a reduced size, here they are full size.
        """
        views = []
        for position in positions:
            image = self.image(position)
            square, turn = self.crop(position)
            views.append(preprocessing.view(Decoded(image, *image.size, 1), square, side, turn))
        return np.stack(views)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_bytes": None}
