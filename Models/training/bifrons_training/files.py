"""Atomic writes: a reader sees the old file or the new one, never a part."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write_text(file: Path, text: str) -> None:
    """Writes `text` to a temporary file beside `file` and renames it over `file`."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)


def replace_folder(new: Path, final: Path) -> None:
    """Replaces the folder `final` with the finished folder `new`."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.rename(final, old)
    os.rename(new, final)
    shutil.rmtree(old, ignore_errors=True)
