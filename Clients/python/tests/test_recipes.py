"""Runs the recipes."""

import os
import shutil
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.fixture(autouse=True)
def environment(monkeypatch, service, picture):
    monkeypatch.setenv("BIFRONS_ROUTER", service.endpoint)
    monkeypatch.setenv("PICTURE", str(picture))
    monkeypatch.syspath_prepend(str(RECIPES))


def test_fastapi(picture):
    from fastapi.testclient import TestClient

    from fastapi_endpoint import app

    with TestClient(app) as client:
        answer = client.post("/avatars/ann", content=picture.read_bytes())
        assert answer.status_code == 200 and answer.json()["action"] in ("allow", "review")
        assert len(answer.json()["decision"]) == 16
        assert client.post("/avatars/ann", content=b"no image").status_code == 415


def test_celery(picture):
    from celery.contrib.testing.worker import start_worker

    from celery_task import app, client, moderate

    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=20):
        results = [moderate.delay(str(picture), "upload 1") for _ in range(2)]
        assert {result.get(timeout=60) for result in results} <= {"allow", "review"}
        assert moderate.delay("/nowhere.jpg", "upload 2").get(timeout=60) == "review"
    client().close()


def test_kafka(picture, service):
    from confluent_kafka import Consumer, Producer

    from kafka_consumer import run

    # librdkafka brings a broker for tests, which lives in the producer's process.
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock"})
    brokers = producer.list_topics(timeout=30).brokers
    address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers.values())
    for number, image in enumerate([picture.read_bytes(), b"no image", picture.read_bytes()]):
        producer.produce("images", key=str(number), value=image)
    assert producer.flush(30) == 0
    assert run({"bootstrap.servers": address}, service.endpoint, "images", "verdicts", most=3) == 3
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe(["verdicts"])
    verdicts = {}
    while len(verdicts) < 3:
        message = consumer.poll(30)
        assert message is not None and message.error() is None
        verdicts[message.key()] = message.value()
    consumer.close()
    assert verdicts[b"1"] == b"review"
    assert verdicts[b"0"] == verdicts[b"2"]


def test_s3(picture, service):
    import boto3
    from moto import mock_aws

    from s3_bucket import classify_bucket

    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="faces")
        for key, body in [("a.jpg", picture.read_bytes()), ("b.txt", b"text"), ("c.jpg", picture.read_bytes())]:
            s3.put_object(Bucket="faces", Key=key, Body=body)
        results = dict(classify_bucket(s3, "faces", service.endpoint))
    assert list(results) == ["a.jpg", "b.txt", "c.jpg"]
    assert results["b.txt"].error.code == "image_unknown_format"
    assert results["a.jpg"].verdict == results["c.jpg"].verdict


def test_django(picture, service):
    from django.conf import settings
    from django.core.exceptions import ValidationError
    from django.core.files.uploadedfile import SimpleUploadedFile

    if not settings.configured:
        settings.configure(BIFRONS=service.address)
    from django_validator import NotGenerated, _client

    file = SimpleUploadedFile("a.jpg", picture.read_bytes())
    NotGenerated()(file)
    assert file.tell() == 0
    with pytest.raises(ValidationError, match="AI-generated"):
        NotGenerated(("allow", "review", "block"))(file)
    with pytest.raises(ValidationError) as caught:
        NotGenerated()(SimpleUploadedFile("a.txt", b"text"))
    assert caught.value.code == "image_unknown_format"
    _client().close()


def test_notebook(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    shutil.copy(RECIPES / "notebook.ipynb", tmp_path)
    notebook = nbformat.read(tmp_path / "notebook.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(env=dict(os.environ))
    assert "Verdict(label=" in notebook.cells[1].outputs[0]["data"]["text/plain"]
    assert "image/png" in notebook.cells[2].outputs[0]["data"]
    # The notebook in the repository has no outputs.
    assert all(not cell.get("outputs") for cell in nbformat.read(RECIPES / "notebook.ipynb", as_version=4).cells)
