"""The folders of the repository and of the built programs, and a parser for tests that are programs themselves."""

import argparse
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "Models"


def built(configuration: str = "release") -> Path:
    """Returns the folder of the executables: the one that the environment variable PROGRAMS names, or that of a build.

    Args:
        configuration: `debug` or `release`.
    """
    return Path(os.environ.get("PROGRAMS") or ROOT / ".build" / configuration).resolve()


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser that shows the description unchanged, with the option for the folder of the executables."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=Path, default=built(), help="the folder of the executables")
    return parser
