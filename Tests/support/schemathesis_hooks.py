"""What schemathesis cannot know of the gateway's forms; `SCHEMATHESIS_HOOKS` names this file to it.

Every value in a form is text: the list `["resnet"]` and the number 5 arrive as the texts `resnet` and `5`, which a
field of type string may have. So the gateway cannot reject them as the OpenAPI document's types demand. Schemathesis
4.32 judges a form by what was sent, but not if a part is a file, because its validator takes no bytes.
"""

import contextlib
import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import jsonschema_rs
import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation

FORM = "multipart/form-data"


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Keeps every failure, except that a form was accepted which is valid in the way it was sent."""
    return not (isinstance(failure, AcceptedNegativeData) and is_valid_as_sent(case, response))


def is_valid_as_sent(case: Case[Any], response: Response) -> bool:
    """Returns whether only a form's values before they became text violate the OpenAPI document."""
    if case.meta is None or case.media_type != FORM:
        return False
    others = set(case.meta.components) - {ParameterLocation.BODY}
    if any(case.meta.is_negative_at(location) for location in others):
        return False
    schema = case.operation.definition.raw["requestBody"]["content"][FORM]["schema"]
    parts = sent(response)
    if not set(schema["required"]) <= {name for name, _ in parts}:
        return False
    return all(
        text is None or name not in schema["properties"] or is_valid_text(text, schema["properties"][name])
        for name, text in parts
    )


def sent(response: Response) -> list[tuple[str, str | None]]:
    """Returns the name and the text of each part of the form that was sent; no text for a file."""
    kind, body = response.request.headers["Content-Type"], response.request.body
    if isinstance(kind, bytes) or not isinstance(body, bytes):
        return []
    parts: list[tuple[str, str | None]] = []
    for part in BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).iter_parts():
        content = part.get_payload(decode=True)
        text = content.decode(errors="replace") if isinstance(content, bytes) else None
        name = str(part.get_param("name", header="Content-Disposition"))
        parts.append((name, text if part.get_filename() is None else None))
    return parts


def is_valid_text(text: str, schema: dict[str, Any]) -> bool:
    """Returns whether a text is valid as it is, or as the whole number or boolean that it says; 0 and 1 say both."""
    readings: list[str | int] = [text]
    with contextlib.suppress(ValueError):
        number = json.loads(text.lower())
        if isinstance(number, int):
            readings += [number, bool(number)] if number in (0, 1) else [number]
    return any(jsonschema_rs.is_valid(schema, reading) for reading in readings)
