"""Clients of services with keys and with tokens."""

import hashlib

import pytest
from support.cluster import GatewayCluster

from bifrons import BifronsError, Client, NoAnswer, RequestFailed


@pytest.fixture(scope="module")
def guarded(keys, tmp_path_factory):
    """A service with keys between its processes, and a token at its gateway."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(f"ann {hashlib.sha256(b'secret of ann').hexdigest()} operator\n")
    cluster = GatewayCluster([f"--keys={keys}"], [f"--keys={keys}", f"--tokens={tokens}"])
    cluster.worker_options = [f"--keys={keys}"]
    for process in cluster.workers.values():
        process.words.append(f"--keys={keys}")
    # Its gateway answers probes without a token.
    with cluster as running:
        yield running


def test_a_folder_of_keys_opens_a_router(guarded, keys, picture):
    with Client(guarded.endpoint, keys=keys) as client:
        assert client.classify(picture).status == 200
        # The operator's secret is in the folder, too.
        assert client.status()["status"] == 200


def test_without_keys_a_router_says_nothing(guarded, picture):
    with Client(guarded.endpoint, deadline=1) as client, pytest.raises(NoAnswer):
        client.ping()


def test_a_token_opens_a_gateway(guarded, picture):
    with Client(guarded.address, token="secret of ann") as client:
        assert client.classify(picture).status == 200
    for token in (None, "wrong"):
        with Client(guarded.address, token=token) as client, pytest.raises(RequestFailed) as caught:
            client.classify(picture)
        assert caught.value.status == 401 and not caught.value.is_passing


def test_an_incomplete_folder_is_refused(keys, tmp_path):
    (tmp_path / "client.secret").write_bytes((keys / "client.secret").read_bytes())
    with pytest.raises(BifronsError, match=r"router\.public cannot be read"):
        Client("tcp://127.0.0.1:1", keys=tmp_path)
