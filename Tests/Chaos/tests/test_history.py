import json

import client
import history
from history import Answered, Ended, Lost, Sent


def test_a_history_is_read_as_it_was_written(tmp_path):
    events = [Sent(1, 7, "plain", 0.5), Answered(1, 200, "", 0.25, ("alpha", "beta"), "00ff", 1, 12, 0.75),
              Answered(2, 503, "no_worker", None, (), "", 0, 0, 1.0), Lost(1.5), Ended(2.0)]
    writer = history.Writer(tmp_path / "history")
    for event in events:
        writer.write(event)
    assert list(history.read(tmp_path / "history")) == events


def test_a_last_line_that_was_not_finished_is_none(tmp_path):
    (tmp_path / "history").write_text("X\t1.0\nE\t2.")
    assert list(history.read(tmp_path / "history")) == [Lost(1.0)]


def test_an_answer_is_taken_from_the_result():
    result = {
        "id": "a", "status": 206, "verdict": {"ai_probability": 0.5}, "attempts": 2, "image": {"sha256": "ff"},
        "models": [{"name": "alpha", "status": 503}, {"name": "beta", "status": 200, "worker": "b-1"}]}
    answer = history.answered(3, json.dumps(result).encode(), 1.0)
    assert (answer.submission, answer.status, answer.probability, answer.models) == (3, 206, 0.5, ("beta",))
    result["models"][1]["worker"] = "b-2"
    assert answer.fingerprint != history.answered(3, json.dumps(result).encode(), 1.0).fingerprint


def test_a_successor_looks_for_what_was_acknowledged_and_not_seen(tmp_path):
    writer = history.Writer(tmp_path / "history")
    answer = Answered(0, 202, "", None, (), "", 0, 0, 1.0)
    for submission, job in enumerate((11, 12, 13, 14), 1):
        writer.write(Sent(submission, job, "durable", 1.0))
    for submission in (1, 2, 3):
        answer.submission = submission
        writer.write(answer)
    # 12 was found, 13 is not ready, 14 was never acknowledged, 15 comes from another client.
    for submission, job, status in ((5, 12, 200), (6, 13, 202), (7, 15, 503)):
        writer.write(Sent(submission, job, "fetch", 2.0))
        answer.submission, answer.status = submission, status
        writer.write(answer)
    assert client.acknowledged(tmp_path / "history") == {11, 13, 15}
