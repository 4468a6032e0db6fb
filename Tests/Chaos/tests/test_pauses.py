"""A host that pauses is nobody's death: with the real router and workers."""

import os
from pathlib import Path

import pauses
from cluster import ROOT

BINARIES = Path(os.environ.get("BIFRONS_BINARIES", ROOT / ".build/debug"))


def test_a_pause_of_all_workers_convicts_no_picture():
    answers = pauses.run(rounds=4, jobs=20, seconds=2.5, binaries=BINARIES)
    assert answers.total() == 80 and answers.keys() <= pauses.FINE, answers
