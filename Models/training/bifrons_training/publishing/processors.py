"""Imitates other processors: scores the same images with oneDNN limited to older instruction sets."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from bifrons_training.evaluation.scorer import Scorer

INSTRUCTION_SETS = {
    "SSE41": "sse4_1",
    "AVX2": "avx2",
    "AVX2_VNNI": "avx_vnni",
    "AVX512_CORE": "avx512bw",
    "AVX512_CORE_VNNI": "avx512_vnni",
    "AVX512_CORE_BF16": "avx512_bf16",
    "AVX512_CORE_AMX": "amx_int8",
}
"""oneDNN's names (`ONEDNN_MAX_CPU_ISA`) of instruction sets that multiply differently, with their processor flags."""


def available(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Returns the names of the instruction sets that this processor has."""
    flags = set(next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")).split())
    return [name for name, flag in INSTRUCTION_SETS.items() if flag in flags]


def largest_moves(file: Path, images: np.ndarray) -> dict[str, float]:
    """Returns the largest difference of a raw logit from this processor's own, for each available instruction set.

    `images` are [n, side, side, 3] uint8.
    """
    usual = Scorer(file, threads=1).logits(images)
    return {name: float(np.abs(_logits(name, file, images) - usual).max()) for name in available()}


def _logits(instruction_set: str, file: Path, images: np.ndarray) -> np.ndarray:
    # oneDNN reads the variable only once per process.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _limit, (instruction_set,)) as pool:
        return pool.submit(_score, file, images).result()


def _limit(instruction_set: str) -> None:
    os.environ["ONEDNN_MAX_CPU_ISA"] = instruction_set


def _score(file: Path, images: np.ndarray) -> np.ndarray:
    return Scorer(file, threads=1).logits(images)
