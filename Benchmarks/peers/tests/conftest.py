"""The modules stand beside this folder, not in a package: the scripts run from anywhere."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
