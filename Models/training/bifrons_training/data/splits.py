"""The division of a catalogue into training, calibration and validation images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bifrons_training.data.catalogue import Face, family, is_held_out, is_sealed, is_watched


@dataclass(frozen=True)
class Splits:
    """Catalogue positions by purpose.

    `train` trains, `calibration` (held-out groups of the train split) shows how a training goes and `validation` (the
    val split) evaluates. `watched` are the images of both splits of sources that never train: they choose weights, and
    calibrate what is published. `sealed` are those of sources that only the final report measures. `left_out` are the
    images of both splits that a leave-out run keeps from all other parts.
    """

    train: list[int]
    calibration: list[int]
    validation: list[int]
    watched: list[int]
    sealed: list[int]
    left_out: list[int]

    @staticmethod
    def of(faces: list[Face], leave_out: Collection[str] = ()) -> Splits:
        """Divides a catalogue by split and, within train, by group; `leave_out` names families to exclude."""
        kept: list[int] = []
        left_out: list[int] = []
        for position, face in enumerate(faces):
            (left_out if family(face) in leave_out else kept).append(position)
        sealed = [i for i in kept if is_sealed(faces[i])]
        watched = [i for i in kept if is_watched(faces[i]) and not is_sealed(faces[i])]
        strangers = {*sealed, *watched}
        train = [i for i in kept if faces[i].split == "train" and i not in strangers]
        return Splits(
            train=[i for i in train if not is_held_out(faces[i])],
            calibration=[i for i in train if is_held_out(faces[i])],
            validation=[i for i in kept if faces[i].split == "val" and i not in strangers],
            watched=watched,
            sealed=sealed,
            left_out=left_out,
        )
