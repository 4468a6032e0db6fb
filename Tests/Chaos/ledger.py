"""Checks a router's decision ledger: its hash chain, and that decisions are computed again as they were."""

import json
import random

from support.client import Client, Document

LIMIT = 1000
PATIENCE = 60.0


def check(client: Client, choose: random.Random, samples: int = 1000) -> tuple[int, list[str]]:
    """Returns how many decisions the ledger has, and what is wrong with it.

    The whole chain is checked, and `samples` decisions that `choose` draws are computed again from their stored bits.
    """
    checked = 0
    problems: list[str] = []
    since: int | None = 1
    while since is not None and not problems:
        part = ask(client, {"verb": "verify"}, {"since": since, "limit": LIMIT})
        checked += part["checked"]
        if problem := part.get("problem"):
            problems.append(f"the ledger is broken: {problem['message']}")
        since = part.get("next")
    for _ in range(min(samples, checked)):
        page = ask(client, {"verb": "decisions"}, {"since": choose.randrange(checked), "limit": 1})
        decision = page["decisions"][0]["id"]
        replay = ask(client, {"verb": "replay", "id": decision})["replay"]
        if not replay["same"]:
            problems.append(f"the decision {decision} comes out otherwise: {', '.join(replay['differences'])}")
    return checked, problems


def ask(client: Client, header: Document, body: Document | None = None) -> Document:
    """Returns the answer to a request about decisions; an `AssertionError` says that it was refused or is missing."""
    answer = client.ask(header, None if body is None else json.dumps(body).encode(), PATIENCE)
    assert answer is not None and answer["status"] == 200, f"{header} was answered with {answer}"
    return answer
