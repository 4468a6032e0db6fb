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
    first, second = tmp_path / "first", tmp_path / "second"

    def write(path, submission, job, kind, status):
        writer = history.Writer(path)
        writer.write(Sent(submission, job, kind, 1.0))
        writer.write(Answered(submission, status, "draining" if status == 503 else "", None, (), "", 0, 0, 2.0))

    for submission, (job, status) in enumerate(((11, 202), (12, 202), (13, 202), (14, 503), (15, 202)), 1):
        write(first, submission, job, "durable", status)
    write(first, 6, 12, "fetch", 200)
    # The next one found 15 and was killed with the others still to be found.
    for submission, (job, status) in enumerate(((13, 202), (15, 408), (11, 503)), 1):
        write(second, submission, job, "fetch", status)
    assert client.acknowledged([first, second]) == {11, 13}
    assert client.acknowledged([]) == set()
