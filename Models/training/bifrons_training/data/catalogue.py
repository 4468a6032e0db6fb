"""The catalogue of a data folder, faces.csv, validated as a whole before any training."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bifrons_training.errors import DataError

COLUMNS = ("path", "split", "label", "source", "generator", "group")
LABELS = {"real": 0, "ai_generated": 1}
HONEST_SOURCE = "zoya_ailab"
"""Real and generated images of equal format and framing: the only source whose AUC owes nothing to such shortcuts."""

MATCHED_SOURCES = (HONEST_SOURCE, "ffhq_pairs")
"""Sources whose two classes have the same framing and file format (nearly the same in `ffhq_pairs`)."""

FAMILIES = {"mebeauty": "unsplash", "man_unsplash": "unsplash", "deepshield_unsplash": "unsplash"}
"""Sources that may share images, mapped to the name of their family."""


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
"""Generator families by source. Sources with several generators are missing: `family` uses the generator's name."""

WATCHED = (
    "congress_us",
    "portraits_600",
    "celebahq",
    "team_oss",
    "aigame_multi",
    "oliva_game",
    "ai_or_not",
    "flux_occupations",
    "FLUX1pro",
)
"""Sources, and one generator, that never train. They choose the weights, and calibrations and thresholds are fitted on
them (see `is_watched`): of four of them the images are real, of six generated."""

SEALED = ("all_ages", "kirti_openforensics", "sg2ada", "facechain", "headshots")
"""Sources that neither train nor choose anything: only the final report measures them (see `is_sealed`)."""

TRAINED_BEFORE = ("team_oss", "kirti_openforensics")
"""Watched and sealed sources on which the ResNet 2.3 and the Inception 2.2 were trained before these became that. So
that no number flatters them, these sources are in no calibration and in no number over several sources."""


@dataclass(frozen=True)
class Face:
    """A row of faces.csv. `label` is 0 for real and 1 for AI-generated; a `group` never spans both splits."""

    path: str
    split: str
    label: int
    source: str
    generator: str
    group: str
    # Not in `repr`, which identifies decoded images: they do not depend on these.
    age: int | None = field(default=None, repr=False)
    """The person's age in years, where the source tells it."""
    original: int | None = field(default=None, repr=False)
    """The shorter side of the crop in pixels before it was reduced to at most 256."""


def read_catalogue(folder: Path, also: Sequence[Path] = ()) -> list[Face]:
    """Reads all faces of `folder`/faces.csv and of the folders `also`, which may lack a class or a split.

    Paths are relative to `folder`, and absolute for faces of `also`. Raises `DataError` for anything that would bias
    the results or make the training fail later.
    """
    faces = _read_table(folder)
    table = folder / "faces.csv"
    for other in also:
        faces += [replace(face, path=str((other / face.path).resolve())) for face in _read_table(other)]
    check_groups(faces)
    for split in ("train", "val"):
        for name, label in LABELS.items():
            if not any(face.split == split and face.label == label for face in faces):
                raise DataError(f"{table} has no {name} image in the split {split!r}: both splits need both classes")
    for face in faces:
        if not (folder / face.path).is_file():
            raise DataError(f"{folder / face.path} is listed in faces.csv but missing: restore it or drop its line")
    return faces


def _read_table(folder: Path) -> list[Face]:
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
        raise DataError(f"{table} lists no images: nothing can be trained from it")
    return faces


def _face(table: Path, number: int, row: dict[str, str]) -> Face:
    if row["split"] not in ("train", "val"):
        raise DataError(f"{table} line {number}: the split is {row['split']!r}, it must be 'train' or 'val'")
    if row["label"] not in LABELS:
        raise DataError(f"{table} line {number}: the label is {row['label']!r}, it must be one of {', '.join(LABELS)}")
    if not row["path"] or not row["source"] or not row["group"]:
        raise DataError(f"{table} line {number}: path, source and group must not be empty")
    parts = Path(row["path"]).parts
    in_order = len(parts) > 2 and parts[0] in ("train", "val") and parts[1] in LABELS
    if in_order and parts[:2] != (row["split"], row["label"]):
        raise DataError(
            f"{table} line {number}: {row['path']} is listed as {row['label']} in {row['split']}, but its folder says "
            f"{parts[1]} in {parts[0]}: correct whichever is wrong"
        )
    label, generator = LABELS[row["label"]], row["generator"] or ""
    width, height = _whole(row, "original_width"), _whole(row, "original_height")
    original = min(width, height) if width and height else None
    return Face(row["path"], row["split"], label, row["source"], generator, row["group"], _whole(row, "age"), original)


def _whole(row: dict[str, str], column: str) -> int | None:
    value = row.get(column) or ""
    return int(value) if value.isdecimal() else None


def family(face: Face) -> str:
    """Returns what a leave-out run leaves out together: a family of real sources or of generators."""
    if face.label == 0:
        return FAMILIES.get(face.source, face.source)
    if face.source in GENERATORS:
        return GENERATORS[face.source]
    return next((name for name in ("FLUX", "SDXL") if face.generator.startswith(name)), face.generator or face.source)


def is_watched(face: Face) -> bool:
    """Whether a face never trains and instead shows when a training stops to improve on unseen sources."""
    return face.source in WATCHED or face.generator in WATCHED


def is_sealed(face: Face) -> bool:
    """Whether a face is kept for the final report alone."""
    return face.source in SEALED


def trained_before(face: Face) -> bool:
    """Whether a published network was trained on a face's source although it is watched or sealed today."""
    return face.source in TRAINED_BEFORE


def group_key(face: Face) -> str:
    """Returns the key of the faces that must stay in one split: the group within a family of sources."""
    return f"{FAMILIES.get(face.source, face.source)}/{face.group}"


def check_groups(faces: list[Face]) -> None:
    """Raises `DataError` if a group appears in both splits, because validation would then see training faces."""
    split_of: dict[str, str] = {}
    for face in faces:
        key = group_key(face)
        if split_of.setdefault(key, face.split) != face.split:
            raise DataError(f"the group {key!r} appears in both splits ({face.path}): move all of it into one split")


def is_held_out(face: Face, share: float = 0.12) -> bool:
    """Whether a training face is held out for calibration: decided by a hash of its group, so it never changes."""
    digest = hashlib.sha256(b"calibration/" + group_key(face).encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32
