"""A task that classifies an image once, however often the broker delivers it."""

import os

from celery import Celery

from bifrons import Client, NoAnswer, RequestFailed

app = Celery("moderation", broker=os.environ.get("BROKER", "memory://"), backend="cache+memory://")
_clients: dict[int, Client] = {}


def client() -> Client:
    """Returns this process's client. It must not be made before Celery forks its workers."""
    return _clients.setdefault(os.getpid(), Client(os.environ["BIFRONS_ROUTER"]))


@app.task(bind=True, acks_late=True, max_retries=5)
def moderate(task, path: str, upload: str) -> str:
    try:
        return client().classify(path, idempotency_key=upload).verdict.action
    except (NoAnswer, RequestFailed) as error:
        if isinstance(error, RequestFailed) and not error.is_passing:
            return "review"
        raise task.retry(exc=error, countdown=2**task.request.retries) from error
