"""Tests that the checker accepts what keeps each guarantee and reports what breaks it."""

import math

import pytest

import checker
import images
from hands import Hand, assign
from history import Answered, Ended, Lost, Sent
from support.processes import Life
from wire import Task

JOB = 17
# The number that the router gives its request, and the step of each pool.
REQUEST = 40
STEPS = {"locator": 0, "alpha": 1, "beta": 2}
BOTH = ("alpha", "beta")
LOCATOR = {
    "version": images.LOCATOR_VERSION,
    "digest": images.LOCATOR_DIGEST,
    "queue_ms": 0,
    "compute_ms": 2.5,
    "worker": "locator-0",
}
WHAT_KILLED = {"locator": "this image", "alpha": "this image's crops", "beta": "this image's crops"}
POOLS = tuple(STEPS)


def verdict(submission=1, job=JOB, status=200, models=BOTH, **changes):
    answer = Answered(
        submission, status, "", "", images.probability(job, models), models, LOCATOR, images.digest(job), 1, 99, 2.0
    )
    for name, value in changes.items():
        setattr(answer, name, value)
    return answer


def failure(status, code="", submission=1):
    return Answered(submission, status, code, "", None, (), None, "", 0, 0, 2.0)


def violations(*events, hands=None, ended=True):
    return checker.check([[*events, *([Ended(9.0)] if ended else [])]], hands or {}).violations


def sent(kind="plain", submission=1, job=JOB):
    return Sent(submission, job, kind, 1.0)


def test_an_answer_to_each_request_is_no_violation():
    assert violations(sent(), verdict(), sent("broken", 2, 18), failure(422, "image_truncated", 2)) == []


def test_a_degraded_answer_with_the_probability_of_its_model_is_no_violation():
    assert violations(sent(), verdict(status=206, models=("beta",))) == []


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (verdict(probability=images.probability(JOB, BOTH) + 0.01), "the probability is"),
        (verdict(sha256=images.digest(JOB + 1)), "the result is of the image"),
        (verdict(status=200, models=("alpha",)), "with the scores of"),
        (verdict(status=206), "with the scores of"),
        (verdict(attempts=3), "3 attempts"),
        (failure(404, "unknown_job"), "the answer is 404"),
        (failure(413, "image_too_large"), "the answer is 413"),
        (failure(422, "image_truncated"), "a good image is called image_truncated"),
        (failure(408, "cancelled"), "nobody asked for that"),
        (verdict(locator=None), "names no locator"),
        (verdict(locator=LOCATOR | {"worker": "alpha-0"}), "cut by alpha-0"),
        (verdict(locator=LOCATOR | {"digest": "sha256:00"}), "of its locator it says"),
        (verdict(locator=LOCATOR | {"compute_ms": -1}), "of its locator it says"),
        (verdict(locator={"worker": "locator-0"}), "of its locator it says"),
        (verdict(locator=LOCATOR | {"score": 1}), "of its locator it says"),
    ],
)
def test_a_wrong_answer_is_a_violation(answer, what):
    found = violations(sent(), answer)
    assert len(found) == 1 and what in found[0]


def test_only_a_failure_after_the_cutting_names_the_locator():
    late = failure(503, "worker_lost")
    late.locator, late.sha256 = LOCATOR, images.digest(JOB)
    assert violations(sent(), late) == []
    late.locator = None
    assert "names no locator" in violations(sent(), late)[0]
    late.locator, late.sha256 = LOCATOR, ""
    assert "not the image that it decoded" in violations(sent(), late)[0]


def test_a_verdict_on_a_broken_image_is_a_violation():
    assert len(violations(sent("broken"), verdict())) == 1


def test_the_probability_of_the_wrong_model_is_a_violation():
    wrong = verdict(status=206, models=("beta",), probability=images.probability(JOB, ("alpha",)))
    assert len(violations(sent(), wrong)) == 1


def hand(handed, closed=math.inf, died=math.inf, job=JOB, killer=None, opened=0.5, request=REQUEST, attempt=1):
    """Returns a connection with one task, whose process started just before. `given` sets the worker's step."""
    made = Hand(opened, closed, Life(opened - 0.1, died, killer), {request: job})
    made.take(Task(request << 4, attempt, True), handed)
    return made


def given(pool, *some, life=1):
    """Returns the connections of workers of a pool, one for each worker."""
    for one in some:
        one.numbers[0] += STEPS[pool] - one.numbers[0] % 16
    return {(life, f"{pool}-{place}"): [one] for place, one in enumerate(some)}


def numbered_attempts(*some):
    """Numbers the attempts of workers that got the task one after the other, and returns the workers."""
    for place, one in enumerate(some, 1):
        one.attempts[0] = place
    return some


def quarantined_answer(pool, answered=2.0, message=None):
    answer = failure(422, "quarantined")
    answer.message = message or (
        f"2 workers of {pool} died with {WHAT_KILLED[pool]} in their hands; it is not tried again"
    )
    if pool != "locator":
        answer.locator, answer.sha256 = LOCATOR, images.digest(JOB)
    answer.second = answered
    return answer


def quarantine(*some, answered=2.0, kind="plain", pool="alpha"):
    """Returns the violations of a quarantine after these workers of the pool had the job."""
    had_it = {} if pool == "locator" else given("locator", hand(1.0))
    hands = had_it | given(pool, *numbered_attempts(*some))
    return violations(sent(kind), quarantined_answer(pool, answered), hands=hands)


def killed(handed, died, **changes):
    return hand(handed, closed=died + 0.001, died=died, **changes)


@pytest.mark.parametrize("pool", POOLS)
def test_quarantine_after_two_deaths_in_one_step_is_no_violation(pool):
    assert quarantine(killed(1.1, 1.2), killed(1.3, 1.4), pool=pool) == []


def test_quarantine_after_two_deaths_with_the_job_in_flight_is_no_violation():
    # The router waits for them to come back before it reports the quarantine.
    assert quarantine(killed(1.1, 1.2), killed(1.3, 1.4), answered=4.4) == []
    # The router dispatched the job again before it knew of the end.
    assert quarantine(hand(1.2005, closed=1.201, died=1.2), killed(1.3, 1.4)) == []
    # Both workers have the same name, because the second was started in place of the first.
    assert quarantine(killed(1.1, 1.2), killed(1.7, 1.8, opened=1.5)) == []
    # The first worker was cut off, and died while the router waited for it.
    assert quarantine(hand(1.1, closed=1.15, died=1.9), killed(1.2, 1.4), answered=3.0) == []


@pytest.mark.parametrize(
    ("hands", "what"),
    [
        ((), "no worker had it"),
        ((killed(1.1, 1.2), killed(1.3, 1.4, request=REQUEST + 1)), "two requests with one image, each with a death"),
        ((killed(1.1, 1.2),), "one kill"),
        ((killed(1.1, 1.2), hand(1.3)), "one kill and one stop"),
        ((hand(1.1), killed(1.3, 1.4)), "one stop and one kill"),
        ((hand(1.1), hand(1.3)), "two stops"),
        ((hand(1.1, closed=1.2), hand(1.3, closed=1.4)), "two resets"),
        ((hand(1.1, closed=1.2), killed(1.3, 1.4)), "a reset and a kill"),
        ((killed(1.1, 1.2), hand(1.3, closed=1.4)), "a kill and a reset"),
        ((killed(1.1, 1.2, job=JOB + 1), killed(1.3, 1.4, job=JOB + 1)), "kills of workers that did not hold it"),
        ((killed(1.1, 1.2), killed(1.3, 1.4, job=JOB + 1)), "one of two kills of a worker that held it"),
        (
            (hand(1.1, closed=3.0, died=2.9), killed(1.3, 1.4)),
            "handed on from a stopped worker, which was killed later",
        ),
        ((killed(1.1, 1.4), killed(1.2, 1.5)), "both at once: that is no second try"),
        ((killed(1.1, 1.2), killed(1.3, 2.5)), "the second death came behind the answer"),
        (
            (killed(1.1, 1.2), hand(1.3, closed=1.4, died=1.95, killer=JOB + 1)),
            "the second died of another job's image",
        ),
        ((killed(1.1, 1.2), hand(1.3, closed=2.5, died=1.4)), "of the second death the router could not know"),
    ],
)
def test_quarantine_without_two_deaths_is_a_violation(hands, what):
    for pool in POOLS:
        found = quarantine(*hands, pool=pool)
        assert len(found) == 1 and f"no two workers of {pool} died with it in hand" in found[0], what


def test_two_connections_of_one_process_count_as_one_death():
    life = Life(0.4, 1.8)
    first, second = Hand(0.5, 1.2, life, {REQUEST: JOB}), Hand(1.25, 1.801, life, {REQUEST: JOB})
    first.take(Task(REQUEST << 4, 1, True), 1.1)
    second.take(Task(REQUEST << 4, 2, True), 1.3)
    assert len(violations(sent(), quarantined_answer("locator"), hands={(1, "locator-0"): [first, second]})) == 1


def test_deaths_in_different_steps_or_router_lifetimes_do_not_justify_a_quarantine():
    had_it = given("locator", hand(1.0))
    for other in (given("beta", killed(1.3, 1.4)), given("alpha", killed(1.3, 1.4), life=2)):
        found = violations(sent(), quarantined_answer("alpha"), hands=had_it | given("alpha", killed(1.1, 1.2)) | other)
        assert len(found) == 1 and "no two workers of alpha died" in found[0]


def test_a_quarantine_must_name_the_step_of_both_deaths():
    deaths = numbered_attempts(killed(1.1, 1.2), killed(1.3, 1.4))
    hands = given("locator", hand(1.0)) | given("alpha", *deaths)
    assert violations(sent(), quarantined_answer("alpha"), hands=hands) == []
    assert any(
        "no two workers of beta died" in text for text in violations(sent(), quarantined_answer("beta"), hands=hands)
    )
    assert any(
        "no two workers of locator died" in text
        for text in violations(sent(), quarantined_answer("locator"), hands=hands)
    )
    for message in (
        "2 workers of alpha died with this image in their hands; it is not tried again",
        "2 workers of locator died with this image's crops in their hands; it is not tried again",
        "2 workers of gamma died with this image's crops in their hands; it is not tried again",
        "two died",
    ):
        found = violations(sent(), quarantined_answer("alpha", message=message), hands=hands)
        assert len(found) == 1 and "does not say of what step" in found[0]


def test_a_quarantine_for_crops_names_its_locator_and_one_for_the_image_does_not():
    for pool in POOLS:
        answer = quarantined_answer(pool)
        is_cut = answer.locator is not None
        answer.locator, answer.sha256 = (None, "") if is_cut else (LOCATOR, images.digest(JOB))
        hands = given("locator", hand(1.0)) | given(pool, *numbered_attempts(killed(1.1, 1.2), killed(1.3, 1.4)))
        found = violations(sent(), answer, hands=hands)
        assert len(found) == 1 and f"quarantined for workers of {pool}, and the image was cut by" in found[0]


def test_connections_are_assigned_to_the_process_that_opened_them():
    lives = [Life(1.0, 2.0), Life(3.0, 4.0)]
    hands = [Hand(0.5), Hand(1.0), Hand(1.9), Hand(2.5), Hand(3.5)]
    assign(hands, lives)
    assert [hand.life for hand in hands] == [None, lives[0], lives[0], lives[0], lives[1]]


def test_a_poison_image_may_be_quarantined_but_never_gets_a_verdict():
    for pool in POOLS:
        deaths = (killed(1.1, 1.2, killer=JOB), killed(1.3, 1.4, killer=JOB))
        assert quarantine(*deaths, kind="poison", pool=pool) == []
    assert len(violations(sent("poison"), verdict())) == 1
    # Its budget may end before it has met two workers.
    assert violations(sent("poison"), failure(408)) == []


def test_quarantines_are_counted_by_the_pool_of_the_dead_workers():
    events = [
        sent("poison"),
        quarantined_answer("locator"),
        sent("poison", 2),
        quarantined_answer("beta"),
        sent("plain", 3),
        quarantined_answer("alpha"),
    ]
    events[3].submission, events[5].submission = 2, 3
    report = checker.check([events], {})
    assert (report.convicted, report.quarantined) == ({"locator": 1, "beta": 1}, {"alpha": 1})
    assert report.codes == {"quarantined": 3}


def test_a_second_death_caused_by_another_image_does_not_justify_a_quarantine():
    # The first worker may have had the image that kills in flight, too.
    assert quarantine(killed(1.1, 1.2, killer=JOB + 1), killed(1.3, 1.4)) == []
    assert len(quarantine(killed(1.1, 1.2), killed(1.3, 1.4, killer=JOB + 1))) == 1


def test_a_request_without_an_answer_is_a_violation():
    assert "never answered" in violations(sent())[0]


def test_a_lost_connection_excuses_only_requests_in_flight():
    assert violations(sent(), Lost(1.5)) == []
    assert len(violations(Lost(0.5), sent())) == 1


def test_a_killed_client_needs_no_answer():
    assert violations(sent(), ended=False) == []


def test_two_answers_are_a_violation_even_after_a_lost_connection():
    assert len(violations(sent(), verdict(), verdict())) == 1
    assert len(violations(sent(), Lost(1.5), verdict(), verdict())) == 1


def test_an_answer_without_a_request_is_a_violation():
    assert len(violations(verdict(submission=5))) == 1


def test_an_acknowledged_job_must_be_found():
    acknowledged = [sent("durable"), failure(202)]
    assert len(violations(*acknowledged)) == 1
    assert len(violations(*acknowledged, sent("fetch", 2), failure(202, submission=2))) == 1
    assert len(violations(*acknowledged, sent("fetch", 2), failure(503, "journal_unavailable", 2))) == 1
    assert violations(*acknowledged, sent("fetch", 2), failure(503, "worker_lost", 2)) == []
    # There are two violations: the answer is not allowed, and the job is not found.
    assert len(violations(*acknowledged, sent("fetch", 2), failure(404, submission=2))) == 2
    assert violations(*acknowledged, sent("fetch", 2), verdict(2)) == []


def test_an_acknowledged_job_may_be_found_by_another_client():
    killed = [sent("durable"), failure(202)]
    successor = [sent("fetch", 1), verdict(1), Ended(9.0)]
    report = checker.check([killed, successor], {})
    assert report.violations == [] and (report.acknowledged, report.found) == (1, 1)


def test_one_key_has_one_result():
    first = [sent("awaited"), Lost(1.5), sent("awaited", 2), verdict(2)]
    assert violations(*first, sent("awaited", 3), verdict(3)) == []
    assert len(violations(*first, sent("awaited", 3), verdict(3, fingerprint=100))) == 1
    # A result that is not kept may be computed again.
    assert violations(sent("awaited"), failure(503), sent("awaited", 2), verdict(2)) == []


def tries(pool, *attempts, life=1, job=JOB, request=REQUEST):
    """Returns workers of a pool that were given its step of a request, with these attempt numbers."""
    return given(
        pool,
        *(hand(1.0 + place / 10, attempt=attempt, job=job, request=request) for place, attempt in enumerate(attempts)),
        life=life,
    )


def test_a_step_may_be_dispatched_twice_in_each_lifetime_of_the_router():
    lives = {name: some for life in (1, 2) for pool in POOLS for name, some in tries(pool, 1, 2, life=life).items()}
    assert violations(sent(), verdict(), hands=lives) == []
    for pool in POOLS:
        found = violations(sent(), verdict(), hands=lives | tries(pool, 1, 2, 3))
        assert len(found) == 2 and "as the attempts [1, 2, 3]" in found[0] and f"3 times to {pool}" in found[1]


@pytest.mark.parametrize("attempts", [(1, 1), (2, 2), (0,), (3,)])
def test_each_dispatch_must_have_the_next_attempt_number(attempts):
    once = tries("locator", 1) | tries("alpha", 1) | tries("beta", 1)
    found = violations(sent(), verdict(), hands=once | tries("alpha", *attempts))
    assert len(found) == 1 and f"as the attempts {list(attempts)}" in found[0]


def test_the_limit_of_attempts_also_holds_for_unknown_images():
    unknown = tries("locator", 1, 2, 2, job=None, request=41)
    assert any("as the attempts [1, 2, 2]" in text for text in violations(hands=unknown))


def test_a_step_dispatched_to_the_wrong_pool_is_a_violation():
    for pool, worker in (("locator", "alpha-0"), ("alpha", "locator-0"), ("alpha", "beta-0")):
        ((_, some),) = tries(pool, 1).items()
        assert any("another step's" in text for text in violations(hands={(1, worker): some}))


def test_a_verdict_must_come_from_workers_that_had_the_job():
    had_it = {pool: tries(pool, 1) for pool in POOLS}
    assert violations(sent(), verdict(), hands=had_it["locator"] | had_it["alpha"] | had_it["beta"]) == []
    assert "cut by locator-0, which never" in violations(sent(), verdict(), hands=had_it["alpha"] | had_it["beta"])[0]
    assert "a score of beta" in violations(sent(), verdict(), hands=had_it["locator"] | had_it["alpha"])[0]
    (some,) = had_it["locator"].values()
    other = {(1, "locator-1"): some} | had_it["alpha"] | had_it["beta"]
    assert "cut by locator-0, which never" in violations(sent(), verdict(), hands=other)[0]


def test_a_job_sent_twice_may_be_dispatched_twice_as_often():
    twice = [sent("keyed"), Lost(1.5), sent("keyed", 2), verdict(2)]
    once = tries("alpha", 1) | tries("beta", 1) | tries("locator", 1)

    def handed(*attempts_of_requests):
        return once | {
            (1, f"alpha-{request}{place}"): some
            for request, attempts in enumerate(attempts_of_requests)
            for place, some in enumerate(tries("alpha", *attempts, request=50 + request).values())
        }

    assert violations(*twice, hands=handed((1, 2), (1,))) == []
    found = violations(*twice, hands=handed((1, 2), (1, 2)))
    assert len(found) == 1 and "5 times to alpha" in found[0]


def test_the_report_counts_jobs_statuses_and_retries():
    report = checker.check(
        [[sent(), verdict(), sent("plain", 2, 18), Lost(2.0), Ended(9.0)]],
        tries("locator", 1) | tries("alpha", 1, 2) | tries("beta", 1),
    )
    assert (report.jobs, report.lost_with_connections, report.second_tries) == (2, 1, 1)
    assert report.statuses == {200: 1} and report.submissions == {"plain": 2}
    assert report.violations == []
