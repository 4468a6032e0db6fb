"""Which pictures of a catalogue train, calibrate and validate."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bifrons_training.data.catalogue import Face, family, is_held_out, is_watched


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
        kept: list[int] = []
        left_out: list[int] = []
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
