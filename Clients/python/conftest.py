"""A real service, and a router that does what a test tells it."""

import subprocess
import tempfile

import pytest
from support.cluster import GatewayCluster
from support.programs import ROOT, built


@pytest.fixture(scope="session")
def service():
    """A router with a journal, workers of the published models, and a gateway."""
    with tempfile.TemporaryDirectory() as journal, GatewayCluster([f"--journal={journal}"]) as running:
        yield running


@pytest.fixture(scope="session", params=["tcp", "http"])
def address(request, service):
    """The address of the service, over either transport."""
    return service.endpoint if request.param == "tcp" else service.address


@pytest.fixture(scope="session")
def picture():
    """The path of a drawn portrait."""
    return ROOT / "Sources/Gateway/Resources/sample.jpg"


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A folder of keys."""
    folder = tmp_path_factory.mktemp("keys") / "keys"
    subprocess.run([built() / "bifrons", "keygen", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(autouse=True)
def namespace(doctest_namespace, request):
    """What the examples in the README may use."""
    if request.node.name.endswith(".md"):
        doctest_namespace["router"] = request.getfixturevalue("service").endpoint
        doctest_namespace["picture"] = str(request.getfixturevalue("picture"))


def result(id="a", probability=0.25, **more):
    """Returns an answer to `classify`."""
    return {
        "id": id,
        "status": 200,
        "verdict": {"label": "real", "ai_probability": probability, "action": "allow", "policy": "default"},
        "models": [],
        **more,
    }
