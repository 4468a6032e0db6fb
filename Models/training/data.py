"""The data folder: checked as a whole before anything is trained, then decoded once into one file of raw pixels."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

import preprocessing
from errors import TrainingError
from preprocessing import Box, Crop, Decoded
from turning import Turn

COLUMNS = ("path", "split", "label", "source", "generator", "group")
LABELS = {"real": 0, "ai_generated": 1}
HONEST_SOURCE = "zoya_ailab"
"""Real and generated pictures of equal format and framing: the only source whose AUC is not won by accidents."""

FAMILIES = {"mebeauty": "unsplash", "man_unsplash": "unsplash", "deepshield_unsplash": "unsplash"}
"""Sources that may hold pictures of one another."""


GENERATORS = {
    "zoya_ailab": "StyleGAN1",
    "basemax": "StyleGAN1",
    "tpdne_junguler": "StyleGAN2",
    "deepshield_tpdne": "StyleGAN2",
    "realorfake": "StyleGAN2",
    "u1i": "StyleGAN2",
    "hmdghoul": "generated.photos",
    "deepshield_genphotos": "generated.photos",
    "sdfd_sd21": "Stable Diffusion",
}
"""Families of generators, by source; where a source mixes them, the generator's own name tells (see `family`)."""

WATCHED = ("congress_us", "aigame_multi", "FLUX1pro")
"""Sources, and a generator, that never train: training is stopped by them, and they judge (see `is_watched`)."""


class DataError(TrainingError):
    """Of the data folder, or of what was made from it."""


@dataclass(frozen=True)
class Face:
    """One line of faces.csv. `label` is 1 for AI-generated; `group` is never divided between splits."""

    path: str
    split: str
    label: int
    source: str
    generator: str
    group: str


def read_catalogue(folder: Path) -> list[Face]:
    """All faces of `folder`/faces.csv. Raises `DataError` for whatever would make training dishonest or fail later."""
    if not folder.is_dir():
        raise DataError(f"the data folder {folder} does not exist: give the folder that holds faces.csv with --data")
    table = folder / "faces.csv"
    if not table.is_file():
        raise DataError(f"{table} is missing: --data must name the folder that holds faces.csv, train/ and val/")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise DataError(f"{table} lacks the column {missing[0]!r}: it must have {', '.join(COLUMNS)}")
        faces = [_face(table, number, row) for number, row in enumerate(reader, start=2)]
    if not faces:
        raise DataError(f"{table} lists no pictures: nothing can be trained from it")
    check_groups(faces)
    for split in ("train", "val"):
        for name, label in LABELS.items():
            if not any(face.split == split and face.label == label for face in faces):
                raise DataError(f"{table} has no {name} picture in the split {split!r}: both splits need both classes")
    for face in faces:
        if not (folder / face.path).is_file():
            raise DataError(f"{folder / face.path} is listed in faces.csv but missing: restore it or drop its line")
    return faces


def _face(table: Path, number: int, row: dict[str, str]) -> Face:
    if row["split"] not in ("train", "val"):
        raise DataError(f"{table} line {number}: the split is {row['split']!r}, it must be 'train' or 'val'")
    if row["label"] not in LABELS:
        raise DataError(f"{table} line {number}: the label is {row['label']!r}, it must be one of {', '.join(LABELS)}")
    if not row["path"] or not row["source"] or not row["group"]:
        raise DataError(f"{table} line {number}: path, source and group must not be empty")
    parts = Path(row["path"]).parts
    if len(parts) > 2 and parts[0] in ("train", "val") and parts[1] in LABELS:
        if (parts[0], parts[1]) != (row["split"], row["label"]):
            raise DataError(
                f"{table} line {number}: {row['path']} is called {row['label']} of {row['split']}, and its folder says "
                f"{parts[1]} of {parts[0]}: correct whichever is wrong"
            )
    return Face(row["path"], row["split"], LABELS[row["label"]], row["source"], row["generator"] or "", row["group"])


def family(face: Face) -> str:
    """What is left out together: a family of real sources, or of generators."""
    if face.label == 0:
        return FAMILIES.get(face.source, face.source)
    if face.source in GENERATORS:
        return GENERATORS[face.source]
    return next((name for name in ("FLUX", "SDXL") if face.generator.startswith(name)), face.generator or face.source)


def is_watched(face: Face) -> bool:
    """Whether a face is kept from every training, to tell when a training stops helping with what is new."""
    return face.source in WATCHED or face.generator in WATCHED


def group_key(face: Face) -> str:
    """What must stay together: the group within a family of sources."""
    return f"{FAMILIES.get(face.source, face.source)}/{face.group}"


def check_groups(faces: list[Face]) -> None:
    """Raises `DataError` when one group stands in two splits, because then validation would see training faces."""
    split_of: dict[str, str] = {}
    for face in faces:
        key = group_key(face)
        if split_of.setdefault(key, face.split) != face.split:
            raise DataError(f"the group {key!r} stands in both splits ({face.path}): move all of it into one split")


def is_held_out(face: Face, share: float = 0.12) -> bool:
    """Whether a training face belongs to the groups kept for calibration: by a hash of the group, so for all time."""
    digest = hashlib.sha256(b"calibration/" + group_key(face).encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


class FaceFinder(Protocol):
    """What finds the faces: `locating.Locator`."""

    digest: str

    def stances(self, decoded: Decoded) -> list[tuple[Box, Turn]]:
        """The box of each of a picture's faces and how the face stands, the largest first."""


def _identity(folder: Path, faces: list[Face], finder: FaceFinder) -> str:
    """A digest that changes when the table, any picture, the locator or the preprocessing does."""
    digest = hashlib.sha256(f"{preprocessing.VERSION} {finder.digest}\n".encode())
    digest.update((folder / "faces.csv").read_bytes())
    for face in faces:
        try:
            digest.update(hashlib.sha256((folder / face.path).read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{folder / face.path} is not a readable picture ({error}): replace it") from error
    return digest.hexdigest()


class PixelCache:
    """Every picture of a catalogue, decoded, and its largest face: one file of RGB bytes and an index beside it."""

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
        partial = cache / f"pixels.{os.getpid()}"  # Whoever else builds the same at the same time may finish first.
        with partial.open("wb") as file:
            for face in self.faces:
                try:
                    decoded = preprocessing.decode(folder / face.path, 1)
                except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                    raise DataError(f"{folder / face.path} is not a readable picture ({error}): replace it") from error
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
        """Picture number `position` of the catalogue, decoded."""
        if self._bytes is None:  # Opened by whoever reads: a memory map does not travel to another process.
            self._bytes = np.memmap(self._data, dtype=np.uint8, mode="r")
        width, height = self.size(position)
        start = int(self._offsets[position])
        return Image.fromarray(self._bytes[start : start + width * height * 3].reshape(height, width, 3))

    def size(self, position: int) -> tuple[int, int]:
        """Width and height of a picture."""
        width, height = self._sizes[position]
        return int(width), int(height)

    def has_face(self, position: int) -> bool:
        """Whether the locator found a face in a picture."""
        return bool(self._faces[position])

    def crop(self, position: int) -> Crop:
        """What a worker looks at in a picture: its largest face, or without one the central square."""
        return preprocessing.crops(self._faces[position], *self.size(position))[0]

    def inputs(self, positions: list[int], side: int = preprocessing.SIDE) -> np.ndarray:
        """The pictures as workers and evaluation see them: [n, side, side, 3] uint8.

        But for JPEGs of 1280 pixels and more: workers decode these smaller, and here they are at full size.
        """
        views = []
        for position in positions:
            image = self.image(position)
            square, turn = self.crop(position)
            views.append(preprocessing.view(Decoded(image, *image.size, 1), square, side, turn))
        return np.stack(views)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_bytes": None}


@dataclass(frozen=True)
class Splits:
    """Positions in the catalogue: what trains, what calibrates (held-out groups of train), what judges (val).

    `watched` are those of the train split that never train; `left_out` all that a leave-out run keeps from everything
    else, of both splits.
    """

    train: list[int]
    calibration: list[int]
    validation: list[int]
    watched: list[int]
    left_out: list[int]

    @staticmethod
    def of(faces: list[Face], leave_out: Collection[str] = ()) -> Splits:
        """Divides a catalogue by the split column and, inside train, by group; without the families `leave_out`."""
        kept, left_out = [], []
        for position, face in enumerate(faces):
            (left_out if family(face) in leave_out else kept).append(position)
        train = [i for i in kept if faces[i].split == "train" and not is_watched(faces[i])]
        return Splits(
            train=[i for i in train if not is_held_out(faces[i])],
            calibration=[i for i in train if is_held_out(faces[i])],
            validation=[i for i in kept if faces[i].split == "val"],
            watched=[i for i in kept if faces[i].split == "train" and is_watched(faces[i])],
            left_out=left_out,
        )
