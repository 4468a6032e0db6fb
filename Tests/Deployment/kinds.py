#!/usr/bin/env python3
"""Checks resources for which Kubernetes itself has no schema: those of KEDA and of the Prometheus operator.

    kinds.py MANIFESTS...

It uses models generated from the resources' definitions (CRDs), and treats unknown fields as errors. The exit status is
1 if there is a problem.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import ServiceMonitor
from pydantic import ValidationError

MODELS = {
    ("keda.sh/v1alpha1", "ScaledObject"): ScaledObject,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ServiceMonitor,
}


def unknown(given: Any, known: Any, path: str = "") -> Iterator[str]:
    """Returns the paths of the fields that the model ignored."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            if key in known:
                yield from unknown(value, known[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(given, list) and isinstance(known, list):
        for index, (value, other) in enumerate(zip(given, known, strict=False)):
            yield from unknown(value, other, f"{path}[{index}]")


def problems(document: dict[str, Any]) -> Iterator[str]:
    model = MODELS.get((document["apiVersion"], document["kind"]))
    if not model:
        return
    try:
        known = model.model_validate(document).model_dump(by_alias=True, exclude_unset=True)
    except ValidationError as error:
        yield from (f".{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    else:
        yield from (f"{path} is unknown" for path in unknown(document, known))


def main() -> int:
    found = [
        f"{path}: {document['kind']} {document['metadata']['name']}: {problem}"
        for path in map(Path, sys.argv[1:])
        for document in yaml.safe_load_all(path.read_text())
        for problem in problems(document)
    ]
    for problem in found:
        print(problem, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
