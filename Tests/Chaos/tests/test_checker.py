"""Every promise, kept and broken."""

import math
from collections import Counter

import checker
import pictures
import pytest
from hands import Hand, Life, assign
from history import Answered, Ended, Lost, Sent

JOB = 17
BOTH = ("alpha", "beta")


def verdict(submission=1, job=JOB, status=200, models=BOTH, **changes):
    answer = Answered(
        submission, status, "", pictures.probability(job, models), models, pictures.digest(job), 1, 99, 2.0)
    for name, value in changes.items():
        setattr(answer, name, value)
    return answer


def failure(status, code="", submission=1):
    return Answered(submission, status, code, None, (), "", 0, 0, 2.0)


def violations(*events, handed=None, hands=None, ended=True):
    return checker.check([[*events, *([Ended(9.0)] if ended else [])]], handed or {}, hands or {}).violations


def sent(kind="plain", submission=1, job=JOB):
    return Sent(submission, job, kind, 1.0)


def test_an_answer_to_each_request_is_right():
    assert violations(sent(), verdict(), sent("broken", 2, 18), failure(422, "image_truncated", 2)) == []


def test_a_degraded_answer_with_the_probability_of_its_model_is_right():
    assert violations(sent(), verdict(status=206, models=("beta",))) == []


@pytest.mark.parametrize(("answer", "what"), [
    (verdict(probability=pictures.probability(JOB, BOTH) + 0.01), "the probability is"),
    (verdict(sha256=pictures.digest(JOB + 1)), "the result is of the picture"),
    (verdict(status=200, models=("alpha",)), "with the scores of"),
    (verdict(status=206), "with the scores of"),
    (verdict(attempts=3), "3 attempts"),
    (failure(404, "unknown_job"), "the answer is 404"),
    (failure(413, "image_too_large"), "the answer is 413"),
    (failure(422, "image_truncated"), "a good picture is called image_truncated"),
    (failure(408, "cancelled"), "nobody asked for that"),
])
def test_a_wrong_answer_is_a_violation(answer, what):
    found = violations(sent(), answer)
    assert len(found) == 1 and what in found[0]


def test_a_verdict_on_a_broken_picture_is_a_violation():
    assert len(violations(sent("broken"), verdict())) == 1


def test_the_answer_of_a_single_model_where_the_other_one_belongs_is_a_violation():
    wrong = verdict(status=206, models=("beta",), probability=pictures.probability(JOB, ("alpha",)))
    assert len(violations(sent(), wrong)) == 1


def hand(handed, closed=math.inf, died=math.inf, job=JOB, killer=None, opened=0.5):
    """A connection on which a job came, and whose process began with it."""
    made = Hand(opened, closed, Life(opened - 0.1, died, killer))
    made.take(job, handed)
    return made


def quarantine(*hands, answered=2.0, kind="plain"):
    """The violations of a quarantine when these were the workers of one model."""
    answer = failure(422, "quarantined")
    answer.second = answered
    return violations(sent(kind), answer, hands={(1, "alpha"): list(hands)})


def killed(handed, died, **changes):
    return hand(handed, closed=died + 0.001, died=died, **changes)


def test_quarantine_after_two_deaths_with_the_job_in_hand_is_right():
    assert quarantine(killed(1.1, 1.2), killed(1.3, 1.4)) == []
    # The router waits whether they come back before it tells.
    assert quarantine(killed(1.1, 1.2), killed(1.3, 1.4), answered=4.4) == []
    # The router has handed it on before it knew of the end.
    assert quarantine(hand(1.2005, closed=1.201, died=1.2), killed(1.3, 1.4)) == []
    # Both are of one name, the second started in the place of the first.
    assert quarantine(killed(1.1, 1.2), killed(1.7, 1.8, opened=1.5)) == []
    # Cut off first, and then dead while the router waited for it.
    assert quarantine(hand(1.1, closed=1.15, died=1.9), killed(1.2, 1.4), answered=3.0) == []


@pytest.mark.parametrize(("hands", "what"), [
    ((), "no worker had it"),
    ((killed(1.1, 1.2),), "one kill"),
    ((killed(1.1, 1.2), hand(1.3)), "one kill and one stop"),
    ((hand(1.1), killed(1.3, 1.4)), "one stop and one kill"),
    ((hand(1.1), hand(1.3)), "two stops"),
    ((hand(1.1, closed=1.2), hand(1.3, closed=1.4)), "two resets"),
    ((hand(1.1, closed=1.2), killed(1.3, 1.4)), "a reset and a kill"),
    ((killed(1.1, 1.2), hand(1.3, closed=1.4)), "a kill and a reset"),
    ((killed(1.1, 1.2, job=JOB + 1), killed(1.3, 1.4, job=JOB + 1)), "kills of workers that did not hold it"),
    ((killed(1.1, 1.2), killed(1.3, 1.4, job=JOB + 1)), "one of two kills of a worker that held it"),
    ((hand(1.1, closed=3.0, died=2.9), killed(1.3, 1.4)), "handed on from a stopped worker, which was killed later"),
    ((killed(1.1, 1.4), killed(1.2, 1.5)), "both at once: that is no second try"),
    ((killed(1.1, 1.2), killed(1.3, 2.5)), "the second death came behind the answer"),
    ((killed(1.1, 1.2), hand(1.3, closed=1.4, died=1.95, killer=JOB + 1)), "the second died of another job's picture"),
    ((killed(1.1, 1.2), hand(1.3, closed=2.5, died=1.4)), "of the second death the router could not know"),
])
def test_quarantine_without_two_deaths_is_a_violation(hands, what):
    found = quarantine(*hands)
    assert len(found) == 1 and "no two workers of a model died with it in hand" in found[0], what


def test_a_process_dies_once_whatever_connections_it_had():
    life = Life(0.4, 1.8)
    first, second = Hand(0.5, 1.2, life), Hand(1.25, 1.801, life)
    first.take(JOB, 1.1)
    second.take(JOB, 1.3)
    assert len(quarantine(first, second)) == 1


def test_deaths_of_different_models_or_lives_of_the_router_convict_nobody():
    answer = failure(422, "quarantined")
    for other in ((1, "beta"), (2, "alpha")):
        hands = {(1, "alpha"): [killed(1.1, 1.2)], other: [killed(1.3, 1.4)]}
        assert len(violations(sent(), answer, hands=hands)) == 1


def test_connections_are_of_the_process_that_dialled_them():
    lives = [Life(1.0, 2.0), Life(3.0, 4.0)]
    hands = [Hand(0.5), Hand(1.0), Hand(1.9), Hand(2.5), Hand(3.5)]
    assign(hands, lives)
    assert [hand.life for hand in hands] == [None, lives[0], lives[0], lives[0], lives[1]]


def test_a_picture_that_kills_is_convicted_and_never_judged():
    deaths = (killed(1.1, 1.2, killer=JOB), killed(1.3, 1.4, killer=JOB))
    assert quarantine(*deaths, kind="poison") == []
    assert len(violations(sent("poison"), verdict())) == 1
    # It may run out of time before it has met two.
    assert violations(sent("poison"), failure(408)) == []


def test_whoever_was_beside_a_picture_that_kills_is_not_convicted_with_it():
    # In the first worker's hands it may have been.
    assert quarantine(killed(1.1, 1.2, killer=JOB + 1), killed(1.3, 1.4)) == []
    assert len(quarantine(killed(1.1, 1.2), killed(1.3, 1.4, killer=JOB + 1))) == 1


def test_a_request_without_an_answer_is_a_violation():
    assert "never answered" in violations(sent())[0]


def test_a_lost_connection_excuses_what_was_in_flight_and_nothing_else():
    assert violations(sent(), Lost(1.5)) == []
    assert len(violations(Lost(0.5), sent())) == 1


def test_a_killed_client_needs_no_answer():
    assert violations(sent(), ended=False) == []


def test_two_answers_are_a_violation_also_after_a_lost_connection():
    assert len(violations(sent(), verdict(), verdict())) == 1
    assert len(violations(sent(), Lost(1.5), verdict(), verdict())) == 1


def test_an_answer_to_nothing_is_a_violation():
    assert len(violations(verdict(submission=5))) == 1


def test_an_acknowledged_job_must_be_found():
    acknowledged = [sent("durable"), failure(202)]
    assert len(violations(*acknowledged)) == 1
    assert len(violations(*acknowledged, sent("fetch", 2), failure(202, submission=2))) == 1
    assert len(violations(*acknowledged, sent("fetch", 2), failure(503, "journal_unavailable", 2))) == 1
    assert violations(*acknowledged, sent("fetch", 2), failure(503, "worker_lost", 2)) == []
    # Twice: it is not allowed, and not found.
    assert len(violations(*acknowledged, sent("fetch", 2), failure(404, submission=2))) == 2
    assert violations(*acknowledged, sent("fetch", 2), verdict(2)) == []


def test_another_client_may_find_it():
    killed = [sent("durable"), failure(202)]
    successor = [sent("fetch", 1), verdict(1), Ended(9.0)]
    report = checker.check([killed, successor], {}, {})
    assert report.violations == [] and (report.acknowledged, report.found) == (1, 1)


def test_one_key_has_one_result():
    first = [sent("awaited"), Lost(1.5), sent("awaited", 2), verdict(2)]
    assert violations(*first, sent("awaited", 3), verdict(3)) == []
    assert len(violations(*first, sent("awaited", 3), verdict(3, fingerprint=100))) == 1
    # What is not kept may be computed anew.
    assert violations(sent("awaited"), failure(503), sent("awaited", 2), verdict(2)) == []


def test_a_job_may_be_handed_to_two_workers_of_each_model_in_each_life():
    lives = {(life, model): Counter({JOB: 2}) for life in (1, 2) for model in BOTH}
    assert violations(sent(), verdict(), handed=lives) == []
    assert len(violations(sent(), verdict(), handed={(1, "alpha"): Counter({JOB: 3})})) == 1


def test_what_is_sent_twice_may_be_handed_on_twice_as_often():
    twice = [sent("keyed"), Lost(1.5), sent("keyed", 2), verdict(2)]
    assert violations(*twice, handed={(1, "alpha"): Counter({JOB: 4})}) == []
    assert len(violations(*twice, handed={(1, "alpha"): Counter({JOB: 5})})) == 1


def test_the_report_counts():
    report = checker.check(
        [[sent(), verdict(), sent("plain", 2, 18), Lost(2.0), Ended(9.0)]], {(1, "alpha"): Counter({JOB: 2})}, {})
    assert (report.jobs, report.lost_with_connections, report.second_tries) == (2, 1, 1)
    assert report.statuses == {200: 1} and report.submissions == {"plain": 2}
