"""Tests that a paused host is never taken for a dead one, with the real router and workers."""

import pauses
from support.programs import built


def test_a_pause_of_all_workers_quarantines_no_image():
    answers = pauses.run(rounds=4, jobs=20, seconds=2.5, binaries=built("debug"))
    assert answers.total() == 80 and answers.keys() <= pauses.FINE, answers
