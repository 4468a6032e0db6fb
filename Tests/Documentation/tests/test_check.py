"""Tests how scripts/check checks the table from behaviours to files, and the places that name the release."""

import shutil
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from support.programs import ROOT

loader = SourceFileLoader("check", str(ROOT / "scripts/check"))
check = module_from_spec(spec_from_loader("check", loader))
loader.exec_module(check)

SWIFT = """
// A struct Mentioned, and func mentioned.
package struct Roster: Sendable {
    @inline(__always) private(set) var size = 0
    let call = Elsewhere.leastLoaded(of: 1)
    mutating func drop(_ peer: Peer) {}
}
extension RouterCore {
    func admit() {}
}
"""


@pytest.mark.parametrize("symbol", ["Roster", "Roster.size", "Roster.drop", "RouterCore.admit"])
def test_declared_symbols_are_found(symbol):
    assert check.declares(SWIFT, ".swift", symbol)


@pytest.mark.parametrize(
    "symbol", ["Mentioned", "mentioned", "leastLoaded", "Roster.leastLoaded", "RouterCore", "Rost", "Other.drop"]
)
def test_symbols_that_are_only_mentioned_are_not_found(symbol):
    assert not check.declares(SWIFT, ".swift", symbol)


def test_the_check_reports_missing_symbols_files_and_tables(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "roster.py").write_text("class Roster:\n    def drop(self): ...\n# def gone\n")
    rows = "| a | `Roster.drop` | `roster.py` |\n| b | `gone` | `roster.py` |\n| c | `Roster` | `other.py` |\n"
    page.write_text(rows)
    assert list(check.check_behaviours(page, tmp_path)) == [
        "page.md has gone for 'b', which roster.py does not declare",
        "page.md has Roster for 'c' in other.py, which does not exist",
    ]
    page.write_text("No table.\n")
    assert list(check.check_behaviours(page, tmp_path)) == ["page.md has no table of behaviour, symbol and file"]


def test_every_file_with_another_release_is_reported(tmp_path):
    overlay = "Deploy/kubernetes/overlays/production/kustomization.yaml"
    places = ["Sources/Gateway/Resources/openapi.json", "Deploy/Dockerfile", overlay, "CHANGELOG.md"]
    for place in ["Sources/Shared/BifronsWire/Release.swift", *places]:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    assert list(check.check_version(tmp_path)) == []
    (tmp_path / "Sources/Shared/BifronsWire/Release.swift").write_text('static let version = "9.8.7"\n')
    assert [problem.split()[0] for problem in check.check_version(tmp_path)] == places
