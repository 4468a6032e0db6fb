"""Generates a Python client from a gateway's OpenAPI document, and calls every operation with it, as any user would.

    generated.py FOLDER GATEWAY IDLE BUSY LOCKED LOST

FOLDER is empty. The other arguments are addresses of gateways: GATEWAY's cluster has workers and a journal; IDLE's jobs
wait for workers that never come; BUSY has as many unanswered requests as it accepts; LOCKED requires tokens, and its
router is gone; LOST's router is gone. It ends with a traceback at the first answer that is unexpected, or that the
client cannot read.
"""

import concurrent.futures
import importlib
import io
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

folder, gateway, idle, busy, locked, lost = sys.argv[1:]
# Without these hooks, the generated files are not formatted, which would take most of the time.
(Path(folder) / "config.yml").write_text("post_hooks: []\n")
subprocess.run(
    [Path(sys.executable).parent / "openapi-python-client", "generate", "--url", f"{gateway}/openapi.json",
     "--config", f"{folder}/config.yml", "--output-path", f"{folder}/client"], check=True)
sys.path.insert(0, f"{folder}/client")

from bifrons_client import AuthenticatedClient, Client, models  # noqa: E402
from bifrons_client.types import File  # noqa: E402


def image(width: int) -> bytes:
    bytes_ = io.BytesIO()
    Image.effect_noise((width, 96), 60).convert("RGB").save(bytes_, "JPEG")
    return bytes_.getvalue()


def file(content: bytes, **names) -> File:
    return File(io.BytesIO(content), **names)


def call(operation: str, status: int, model: type, *arguments, at: str = gateway, **keywords):
    """Calls an operation, checks the status and the model of the answer, and returns what the client reads."""
    client = keywords.pop("client", None) or Client(at, raise_on_unexpected_status=True, timeout=60)
    api = importlib.import_module(f"bifrons_client.api.default.{operation}")
    answer = api.sync_detailed(*arguments, client=client, **keywords)
    answered = f"{operation}: {answer.status_code}, {answer.content.decode()}"
    assert answer.status_code == status, answered
    assert type(answer.parsed) is model, answered
    if model is models.Problem:
        assert answer.parsed.status == status and answer.parsed.detail and answer.parsed.code, answered
        assert answer.headers["Content-Type"] == "application/problem+json", answered
    if status in (429, 503):
        assert int(answer.headers["Retry-After"]) > 0, answered
    return answer.parsed


def classify():
    for explain in (False, True):
        result = call("classify", 200, models.Result, body=file(image(96)), budget_ms=60000, explain=explain)
        assert result.image.width == 96 and result.verdict.policy == "default"
    # A client sends a file's name and type only if it is told to, so the gateway must accept all combinations.
    names = [{"file_name": "a.jpg"}, {"mime_type": "image/jpeg"}, {}, {"file_name": "т\"é.jpg", "mime_type": "image/jpeg"}]
    form = models.ClassifyFilesBody(
        [file(image(100 + index), **name) for index, name in enumerate(names)], budget_ms=60000, explain=True,
        metadata='{"a": 1}')
    results = call("classify", 200, models.Results, body=form).results
    assert [result.image.width for result in results] == [100, 101, 102, 103]
    assert all(result.metadata["a"] == 1 for result in results)
    form = models.ClassifyFilesBody([file(image(96))], explain=False, budget_ms=60000)
    assert call("classify", 200, models.Result, body=form).image.width == 96


def jobs():
    job = call("submit_job", 202, models.Result, body=file(image(96)), budget_ms=60000)
    end = time.monotonic() + 60
    while True:
        api = importlib.import_module("bifrons_client.api.default.fetch_job")
        answer = api.sync_detailed(job.id, client=Client(gateway, raise_on_unexpected_status=True))
        assert type(answer.parsed) is models.Result
        if answer.status_code != 202:
            break
        assert time.monotonic() < end, "the job has no result"
        time.sleep(0.05)
    assert answer.status_code == 200 and answer.parsed.verdict
    # The job has ended, so it cannot be cancelled any more.
    call("cancel_job", 404, models.Problem, job.id)
    form = models.SubmitJobFilesBody(file(image(96)), budget_ms=60000, explain=True, idempotency_key="k")
    waiting = call("submit_job", 202, models.Result, body=form, at=idle)
    call("fetch_job", 202, models.Result, waiting.id, at=idle)
    call("cancel_job", 200, models.Result, waiting.id, at=idle)
    assert call("fetch_job", 408, models.Problem, waiting.id, at=idle).code == "cancelled"


def errors():
    good = image(96)

    def refused(status: int, code: str, content: bytes = good, **keywords):
        for operation in ("classify", "submit_job"):
            # An error of a durable job's image appears in its result, and not in the answer to its submission.
            if status in (413, 415, 422) and operation == "submit_job" and code != "image_too_large":
                continue
            problem = call(operation, status, models.Problem, body=file(content), **keywords)
            assert problem.code == code, problem

    refused(400, "malformed_header", budget_ms=0)
    refused(404, "unknown_model", models="vgg")
    refused(404, "unknown_policy", policy="none")
    refused(413, "image_too_large", bytes(1_000_001))
    refused(415, "image_unknown_format", b"II*\0" + bytes(100))
    refused(422, "image_truncated", good[: len(good) // 2])
    refused(429, "gateway_busy", at=busy)
    refused(401, "token_missing", at=locked)
    call("fetch_job", 404, models.Problem, "unknown")
    call("models", 401, models.Problem, at=locked)


def absence():
    """Checks the answers without a router. The gateway first waits for one, so all requests are sent at once."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        client = AuthenticatedClient(locked, token="one", timeout=60)
        calls = [pool.submit(call, "models", 503, models.Problem, client=client)]
        calls += [pool.submit(call, name, 503, models.Problem, at=lost) for name in ("models", "status", "readiness")]
        for name in ("classify", "submit_job"):
            calls.append(pool.submit(call, name, 503, models.Problem, body=file(image(96)), at=lost))
        form = models.OriginalBody(file(image(96), file_name="a"))
        calls.append(pool.submit(call, "original", 503, models.OriginalError, body=form, at=lost))
        for each in calls:
            each.result()


def looks():
    assert {model.name for model in call("models", 200, models.Models).models} == {"resnet", "inception"}
    assert call("status", 200, models.Status).queue.jobs == 0
    assert call("health", 200, models.Health).status == "ok"
    assert call("readiness", 200, models.Health).status == "ready"
    assert "bifrons_up 1" in call("metrics", 200, str)
    assert "<html" in call("page", 200, str)


def original():
    def form(content: bytes, **names):
        return models.OriginalBody(file(content, **names))

    result = call("original", 200, models.OriginalResult, body=form(image(96), file_name="a.jpg"))
    assert set(result.additional_properties) == {"model1", "model2"}
    for status, at in ((401, locked), (429, busy)):
        assert call("original", status, models.OriginalError, body=form(image(96), file_name="a"), at=at).error
    call("original", 400, models.OriginalError, body=form(b"text"))
    call("original", 415, models.OriginalError, body=form(b"text", file_name="a"))


for check in (looks, classify, jobs, errors, absence, original):
    check()
