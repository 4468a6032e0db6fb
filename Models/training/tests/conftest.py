"""The modules stand beside this folder, not in a package: the scripts run from anywhere. The engine is the vendored one where
no other is installed."""

import importlib.util
import sys
from pathlib import Path

TRAINING = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TRAINING))
if importlib.util.find_spec("openvino") is None:
    sys.path.append(str(TRAINING.parents[1] / "vendor" / "openvino"))
