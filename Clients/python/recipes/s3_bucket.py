"""The verdict on every image of a bucket, with a bounded number of images in memory."""

from collections.abc import Iterator
from typing import Any

from bifrons import Client, Result


def classify_bucket(s3: Any, bucket: str, address: str, prefix: str = "") -> Iterator[tuple[str, Result]]:
    """Yields the key and the result of each object; `s3` is a client of boto3."""
    keys: list[str] = []

    def images() -> Iterator[bytes]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                keys.append(entry["Key"])
                yield s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()

    with Client(address) as client:
        for number, result in client.classify_many(images()):
            yield keys[number], result
