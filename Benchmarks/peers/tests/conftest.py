"""Makes the modules of the parent folder importable: they are scripts and not a package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
