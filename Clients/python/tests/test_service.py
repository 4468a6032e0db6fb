"""Both clients against a real service, over ZeroMQ and over HTTP."""

import asyncio
import dataclasses
import io
import threading
import uuid

import numpy
import PIL.Image
import pytest

from bifrons import AsyncClient, BifronsError, Client, NoAnswer, Options, RequestFailed


@pytest.fixture
def client(address):
    with Client(address) as client:
        yield client


# The same image in every form that a client takes.
FILES = {
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "path": lambda path: path,
    "text": str,
    "file": lambda path: io.BytesIO(path.read_bytes()),
}
PIXELS = {
    "pillow": PIL.Image.open,
    "cmyk": lambda path: PIL.Image.open(path).convert("CMYK"),
    "array": lambda path: numpy.asarray(PIL.Image.open(path)),
    "grey": lambda path: numpy.asarray(PIL.Image.open(path).convert("L")),
    "rgba": lambda path: numpy.asarray(PIL.Image.open(path).convert("RGBA")),
}


@pytest.mark.parametrize("form", [*FILES, *PIXELS])
def test_an_image_may_have_any_form(client, picture, form):
    result = client.classify((FILES | PIXELS)[form](picture))
    assert result.status == 200
    assert result.verdict.label in ("real", "ai_generated")
    assert len(result.faces) == 1
    assert result.image.format == ("jpeg" if form in FILES else "png")
    assert {model.name for model in result.models} == {"resnet", "inception"}


def test_both_transports_give_the_same_verdict(service, picture):
    verdicts = []
    for address in (service.endpoint, service.address):
        with Client(address) as client:
            verdicts.append(client.classify(picture).verdict)
    assert verdicts[0] == verdicts[1]


def test_options_reach_the_service(client, picture):
    result = client.classify(
        picture, models=["resnet"], explain=True, metadata={"ticket": [1, "é"]}, id="mine", priority=9, budget=20
    )
    assert [model.name for model in result.models] == ["resnet"]
    assert result.id == "mine"
    assert result.metadata == {"ticket": [1, "é"]}
    assert set(result.faces[0].maps) == {"resnet"}


def test_the_clients_options_hold_unless_the_call_has_its_own(address, picture):
    with Client(address, options=Options(models=["resnet"], policy="default")) as client:
        assert len(client.classify(picture).models) == 1
        assert len(client.classify(picture, models=["resnet", "inception"]).models) == 2


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [(b"no image", 415, "image_unknown_format"), (b"\xff\xd8\xff\xe0", 422, None), (b"", 422, "image_empty")],
)
def test_an_image_that_is_none_is_refused(client, image, status, code):
    with pytest.raises(RequestFailed) as caught:
        client.classify(image)
    # Over HTTP, an empty body is no image at all.
    assert caught.value.status == status or (image == b"" and caught.value.status == 400)
    assert code is None or caught.value.code == code or image == b""
    assert caught.value.message and not caught.value.is_passing


def test_a_wrong_option_is_refused(client, picture):
    with pytest.raises(RequestFailed, match="unknown_policy"):
        client.classify(picture, policy="none")
    with pytest.raises(TypeError, match="modles"):
        client.classify(picture, modles=["resnet"])
    with pytest.raises(RequestFailed, match=r"unreadable.*No such file"):
        client.classify("/nowhere/face.jpg")
    with pytest.raises(TypeError, match="is no image"):
        client.classify(7)
    with pytest.raises(ValueError, match="float64"):
        client.classify(numpy.zeros((4, 4, 3)))


@pytest.mark.parametrize("ordered", [True, False])
def test_many_images_share_a_window(client, picture, ordered):
    images = [picture, b"no image", picture.read_bytes(), "/nowhere/face.jpg", picture]
    results = list(client.classify_many(images, window=2, ordered=ordered))
    assert sorted(number for number, _ in results) == [0, 1, 2, 3, 4]
    if ordered:
        assert [number for number, _ in results] == [0, 1, 2, 3, 4]
    for number, result in results:
        assert (result.error is None) == (number in (0, 2, 4))
        assert (result.verdict is None) == (number in (1, 3))
    errors = {number: result.error for number, result in results if result.error}
    assert errors[1].code == "image_unknown_format"
    assert errors[3].code == "unreadable"


def test_images_are_taken_as_there_is_room(client, picture):
    taken = []

    def images():
        for number in range(20):
            taken.append(number)
            yield picture

    results = client.classify_many(images(), window=3)
    next(results)
    assert len(taken) <= 5
    results.close()
    assert len(taken) <= 5


def test_one_client_serves_many_threads(client, picture):
    labels, problems = [], []

    def work():
        try:
            labels.extend(client.classify(picture, budget=25).verdict.label for _ in range(3))
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(labels) == 24 and len(set(labels)) == 1


def test_a_durable_job_is_fetched_later(client, picture):
    key = uuid.uuid4().hex
    id = client.submit(picture, idempotency_key=key)
    for _ in range(600):
        result = client.fetch(id)
        if not result.is_pending:
            break
    assert result.verdict is not None and result.id == id
    # The key's job is computed once.
    assert client.classify(picture, idempotency_key=key).decision == result.decision
    with pytest.raises(RequestFailed, match="unknown_job"):
        client.fetch("none")
    with pytest.raises(RequestFailed, match="unknown_job"):
        client.cancel("none")


def test_the_service_describes_itself(client):
    client.ping()
    assert [model["name"] for model in client.models()["models"]] == ["resnet", "inception"]
    assert client.status()["queue"]["max_jobs"] > 0


def test_results_cannot_be_changed(client, picture):
    result = client.classify(picture)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.status = 500
    assert result.raw["status"] == 200


async def test_the_client_for_asyncio_does_the_same(address, picture):
    async with AsyncClient(address) as client:
        results = await asyncio.gather(*(client.classify(picture) for _ in range(4)))
        assert len({result.verdict.ai_probability for result in results}) == 1

        async def images():
            for _ in range(5):
                yield picture

        numbers = [number async for number, _ in client.classify_many(images(), window=2)]
        assert numbers == [0, 1, 2, 3, 4]


async def test_a_cancelled_call_leaves_nothing_behind(service, picture):
    async with AsyncClient(service.endpoint) as client:
        task = asyncio.create_task(client.classify(picture))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.classify(picture)).status == 200


def test_a_closed_client_says_so(address):
    client = Client(address)
    client.close()
    client.close()
    with pytest.raises(BifronsError, match="closed"):
        client.ping()


def test_closing_leaves_no_thread(address, picture):
    before = set(threading.enumerate())
    with Client(address) as client:
        client.classify(picture)
    client = Client(address)
    client.ping()
    del client
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("nowhere", ["tcp://127.0.0.1:1", "http://127.0.0.1:1"])
def test_without_a_service_the_deadline_ends_the_call(nowhere, picture):
    with Client(nowhere, deadline=0.3) as client, pytest.raises(NoAnswer):
        client.classify(picture)


@pytest.mark.parametrize(
    ("address", "options", "problem"),
    [
        ("127.0.0.1:5555", {}, "is no address"),
        (["tcp://a:1", "http://b:2"], {}, "is no address"),
        ([], {}, "is no address"),
        ("http://a:1", {"keys": "/nowhere"}, "keys are for ZeroMQ"),
        ("tcp://a:1", {"token": "t"}, "a token is for HTTP"),
        ("tcp://a:1", {"keys": "/nowhere"}, "has no secret"),
    ],
)
def test_a_wrong_address_is_refused_at_once(address, options, problem):
    with pytest.raises(BifronsError, match=problem):
        Client(address, **options)
