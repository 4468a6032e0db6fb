"""The subpackages depend on one another in one direction only."""

import ast
from pathlib import Path

import bifrons_training

PACKAGE = Path(bifrons_training.__file__).parent
ORDER = (
    "preprocessing",
    "data",
    "networks",
    "evaluation",
    "data_report",
    "augmentation",
    "training",
    "publishing",
    "locator",
    "experiments",
)


def imported(file: Path) -> set[str]:
    """Returns the subpackages that a module imports from."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE.name:
            names |= {f"{node.module}.{alias.name}".split(".")[1] for alias in node.names}
    return names & set(ORDER)


def test_every_subpackage_is_in_the_import_order():
    assert {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")} == set(ORDER)


def test_a_subpackage_imports_only_from_earlier_ones():
    for place, name in enumerate(ORDER):
        for file in (PACKAGE / name).glob("*.py"):
            assert imported(file) <= set(ORDER[: place + 1]), file
