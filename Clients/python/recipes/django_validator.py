"""A validator for Django's `ImageField` and `FileField`."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible

from bifrons import BifronsError, Client, RequestFailed


@cache
def _client() -> Client:
    return Client(settings.BIFRONS, deadline=10)


@deconstructible
class NotGenerated:
    """Refuses images whose action is among `actions`. An image that cannot be judged now is refused, too."""

    def __init__(self, actions: tuple[str, ...] = ("block",)) -> None:
        self.actions = actions

    def __call__(self, file: Any) -> None:
        try:
            verdict = _client().classify(file).verdict
        except RequestFailed as error:
            raise ValidationError(error.message, code=error.code) from error
        except BifronsError as error:
            raise ValidationError("The image cannot be checked now.", code="unavailable") from error
        finally:
            file.seek(0)
        if verdict.action in self.actions:
            raise ValidationError("This image looks AI-generated.", code="ai_generated")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NotGenerated) and self.actions == other.actions
