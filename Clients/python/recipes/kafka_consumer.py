"""A consumer that commits a message when its verdict is on its way: at least once."""

from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, Message, Producer

from bifrons import Client


def run(settings: dict[str, Any], address: str, images: str, verdicts: str, most: int | None = None) -> int:
    """Classifies the images of one topic, and writes the verdicts to another; `most` ends it after so many."""
    consumer = Consumer(
        {**settings, "group.id": "bifrons", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )
    producer = Producer(settings)
    consumer.subscribe([images])
    pending: list[Message] = []

    def messages() -> Iterator[bytes]:
        while most is None or len(pending) < most:
            message = consumer.poll(30)
            if message is None:
                return
            if message.error() is None:
                pending.append(message)
                yield message.value()

    count = 0
    with Client(address) as client:
        # In order, so that a commit never skips an image without a verdict.
        for number, result in client.classify_many(messages(), window=8):
            message = pending[number]
            action = result.verdict.action if result.verdict else "review"
            producer.produce(verdicts, key=message.key(), value=action)
            producer.flush(30)
            consumer.commit(message, asynchronous=False)
            count += 1
    consumer.close()
    return count
