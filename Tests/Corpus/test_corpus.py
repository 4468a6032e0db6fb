"""Tests that the service answers as the corpus records it."""

import json
from pathlib import Path

import pytest

import corpus
from support.programs import built

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def answers():
    return corpus.converse(built("debug"))


KNOWN = json.loads((HERE / "corpus.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("title", KNOWN)
def test_the_answer_matches_the_recorded_one(answers, title):
    assert answers.get(title) == KNOWN[title]


def test_every_exchange_is_in_the_corpus(answers):
    assert answers.keys() == KNOWN.keys()
