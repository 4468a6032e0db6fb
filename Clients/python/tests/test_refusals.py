"""Clients against a router that refuses, is silent, or answers nonsense."""

import time

import pytest
from conftest import result

from bifrons import BifronsError, Client, NoAnswer, RequestFailed
from scripted import ScriptedRouter


def busy(id="turn", after=120, code="queue_full", status=429):
    return {"id": id, "status": status, "error": {"code": code, "message": "try again"}, "retry_after_ms": after}


def test_a_refusal_is_obeyed_under_its_id():
    script = [[busy(after=200)], [busy(after=100)], [result("turn")]]
    with ScriptedRouter(lambda number, _: script[number]) as router, Client(router.endpoint) as client:
        assert client.classify(b"image").id == "turn"
        (first, header, image), (second, again, same), (third, *_) = router.requests
        assert second - first >= 0.2 and third - second >= 0.1
        assert "id" not in header and again["id"] == "turn"
        assert image == same == b"image"
        # What is left of the deadline bounds the budget.
        assert again["budget_ms"] <= header["budget_ms"] == 5000


@pytest.mark.parametrize("code", ["worker_lost", "no_worker", "draining"])
def test_a_503_that_passes_is_tried_again(code):
    script = [[busy(code=code, status=503, after=None)], [result()]]
    with ScriptedRouter(lambda number, _: script[number]) as router, Client(router.endpoint) as client:
        assert client.classify(b"image").status == 200


@pytest.mark.parametrize("status", [400, 404, 408, 413, 415, 422])
def test_other_errors_are_final(status):
    answer = {"id": "a", "status": status, "error": {"code": "c", "message": "m"}, "new_field": 1}
    with ScriptedRouter(lambda *_: [answer]) as router, Client(router.endpoint) as client:
        with pytest.raises(RequestFailed) as caught:
            client.classify(b"image")
        assert (caught.value.status, caught.value.code, caught.value.id) == (status, "c", "a")
        assert caught.value.raw["new_field"] == 1
        assert len(router.requests) == 1


def test_nothing_is_tried_again_behind_the_deadline():
    with ScriptedRouter(lambda *_: [busy(after=60_000)]) as router, Client(router.endpoint, deadline=1) as client:
        begun = time.monotonic()
        with pytest.raises(RequestFailed) as caught:
            client.classify(b"image")
        assert caught.value.retry_after == 60 and caught.value.is_passing
        assert time.monotonic() - begun < 1
        assert len(router.requests) == 1


def test_silence_ends_with_the_deadline():
    with ScriptedRouter(lambda *_: []) as router, Client(router.endpoint) as client:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="no answer from tcp://"):
            client.classify(b"image", deadline=0.4)
        assert 0.4 <= time.monotonic() - begun < 3


def test_a_late_answer_goes_to_nobody():
    script = [[(1.7, result("late"))], [result("mine")]]
    with ScriptedRouter(lambda number, _: script[number]) as router, Client(router.endpoint) as client:
        with pytest.raises(NoAnswer):
            client.classify(b"image", deadline=0.3)
        assert client.classify(b"image").id == "mine"


def test_answers_in_another_order_find_their_requests():
    def script(number, header):
        return [((5 - number) * 0.05, result(header["id"], probability=number / 10))]

    with ScriptedRouter(script) as router, Client(router.endpoint) as client:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(5) as threads:
            ids = [f"job {number}" for number in range(5)]
            answers = list(threads.map(lambda id: client.classify(b"image", id=id), ids))
        assert [answer.id for answer in answers] == ids


@pytest.mark.parametrize(
    "answer", [b"", b"{", b"[]", b"\xff\xfe", {"status": 200, "verdict": {"label": "real"}}, {"status": "x"}, {}]
)
def test_an_answer_that_cannot_be_read_is_an_error(answer):
    with (
        ScriptedRouter(lambda *_: [answer]) as router,
        Client(router.endpoint) as client,
        pytest.raises(BifronsError),
    ):
        client.classify(b"image", deadline=2)


def test_frames_that_are_no_answer_are_dropped():
    script = [[[b"x"], [b"", b"", b""], [b"\0" * 8, b"", b"BIFRONS1", b"{}"], result("right")]]
    with ScriptedRouter(lambda number, _: script[number]) as router, Client(router.endpoint) as client:
        assert client.classify(b"image").id == "right"


def test_fields_of_later_releases_are_kept():
    answer = result(evidence=[{"kind": "future", "status": 200, "x": 1}], novelty={"a": 1})
    with ScriptedRouter(lambda *_: [answer]) as router, Client(router.endpoint) as client:
        got = client.classify(b"image")
        assert got.raw["novelty"] == {"a": 1}
        assert got.evidence[0].raw["x"] == 1


def test_a_failure_of_one_image_does_not_end_a_list():
    def script(number, header):
        if number == 1:
            return [{"status": 422, "error": {"code": "image_corrupt", "message": "m"}}]
        return [result(str(number))]

    with ScriptedRouter(script) as router, Client(router.endpoint) as client:
        results = dict(client.classify_many([b"1"] * 3, window=1))
        assert [results[number].status for number in range(3)] == [200, 422, 200]
        with pytest.raises(ValueError, match="idempotency_key is of one image"):
            next(client.classify_many([b"1"], idempotency_key="k"))
        with pytest.raises(ValueError, match="window"):
            next(client.classify_many([b"1"], window=0))


def test_closing_in_the_middle_of_a_list_ends_what_is_in_flight():
    with ScriptedRouter(lambda number, _: [result()] if number == 0 else []) as router:
        client = Client(router.endpoint)
        results = client.classify_many([b"1"] * 10, window=4)
        next(results)
        begun = time.monotonic()
        results.close()
        client.close()
        assert time.monotonic() - begun < 5
