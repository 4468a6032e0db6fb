"""Makes the package of the parent folder importable, and the vendored OpenVINO if no other is installed."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TRAINING = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TRAINING))
if importlib.util.find_spec("openvino") is None:
    sys.path.append(str(TRAINING.parents[1] / "vendor" / "openvino"))


@pytest.fixture
def run_module() -> Callable[..., subprocess.CompletedProcess]:
    """Runs a module of the package as a user would; paths among the arguments must be absolute."""

    def run(module: str, *arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        return subprocess.run(command, cwd=TRAINING, capture_output=True, text=True, timeout=300)

    return run
