"""Writing files so that nobody finds half of one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write_text(file: Path, text: str) -> None:
    """Writes a file beside the old one and then over it: nobody reads half."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)


def replace_folder(new: Path, final: Path) -> None:
    """Puts the finished folder `new` in the place of `final`."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.rename(final, old)
    os.rename(new, final)
    shutil.rmtree(old, ignore_errors=True)
