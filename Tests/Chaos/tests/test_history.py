import json

import client
import history
from history import Answered, Ended, Lost, Sent


def test_a_history_is_read_as_it_was_written(tmp_path):
    locator = {"version": "1.0.0", "queue_ms": 0.25, "worker": "locator-1"}
    events = [
        Sent(1, 7, "plain", 0.5),
        Answered(1, 200, "", "", 0.25, ("alpha", "beta"), locator, "00ff", 1, 12, 0.75),
        Answered(2, 503, "no_worker", "no worker serves alpha", None, (), None, "", 0, 0, 1.0),
        Lost(1.5),
        Ended(2.0),
    ]
    writer = history.Writer(tmp_path / "history")
    for event in events:
        writer.write(event)
    assert list(history.read(tmp_path / "history")) == events


def test_an_unfinished_last_line_is_ignored(tmp_path):
    (tmp_path / "history").write_text("X\t1.0\nE\t2.")
    assert list(history.read(tmp_path / "history")) == [Lost(1.0)]


def test_an_answer_is_read_from_a_result():
    result = {
        "id": "a",
        "status": 206,
        "verdict": {"ai_probability": 0.5},
        "attempts": 2,
        "image": {"sha256": "ff"},
        "models": [{"name": "alpha", "status": 503}, {"name": "beta", "status": 200, "worker": "b-1"}],
    }
    answer = history.answered(3, json.dumps(result).encode(), 1.0)
    assert (answer.submission, answer.status, answer.probability, answer.models) == (3, 206, 0.5, ("beta",))
    assert (answer.message, answer.locator) == ("", None)
    fingerprints = {answer.fingerprint}
    result["models"][1]["worker"] = "b-2"
    fingerprints.add(history.answered(3, json.dumps(result).encode(), 1.0).fingerprint)
    result["locator"] = {"worker": "l-1"}
    answer = history.answered(3, json.dumps(result).encode(), 1.0)
    assert answer.locator == {"worker": "l-1"} and len(fingerprints | {answer.fingerprint}) == 3


def test_the_message_of_a_failure_is_joined_into_one_line():
    result = {"id": "a", "status": 422, "error": {"code": "quarantined", "message": "2 workers\tof\nalpha died"}}
    answer = history.answered(3, json.dumps(result).encode(), 1.0)
    assert (answer.code, answer.message, answer.models) == ("quarantined", "2 workers of alpha died", ())


def test_a_restarted_client_fetches_acknowledged_jobs_without_a_result(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"

    def write(path, submission, job, kind, status):
        writer = history.Writer(path)
        writer.write(Sent(submission, job, kind, 1.0))
        writer.write(
            Answered(submission, status, "draining" if status == 503 else "", "", None, (), None, "", 0, 0, 2.0)
        )

    for submission, (job, status) in enumerate(((11, 202), (12, 202), (13, 202), (14, 503), (15, 202)), 1):
        write(first, submission, job, "durable", status)
    write(first, 6, 12, "fetch", 200)
    # The successor found 15, and was killed before it found the others.
    for submission, (job, status) in enumerate(((13, 202), (15, 408), (11, 503)), 1):
        write(second, submission, job, "fetch", status)
    assert client.acknowledged([first, second]) == {11, 13}
    assert client.acknowledged([]) == set()
