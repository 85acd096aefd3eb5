"""The base of all request models, and how a request that does not fit is explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from hookswitch.errors import BadRequest


class ApiModel(BaseModel):
    """A JSON request body.

    Clients in the field send ``""`` and ``0`` for what they leave unset: an empty string counts as
    absent (unless ``keep_empty`` names the field), and so does a zero that an enumeration lacks.
    Unknown fields are ignored; types are strict.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @classmethod
    def keep_empty(cls) -> frozenset[str]:
        """Fields to which an empty string means something."""
        return frozenset()

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if not cls._is_unset(name, value)}

    @classmethod
    def _is_unset(cls, name: str, value: Any) -> bool:
        if value is None:
            return True
        if value == "" and isinstance(value, str):
            return name not in cls.keep_empty()
        if value == 0 and isinstance(value, int) and not isinstance(value, bool):
            field = cls.model_fields.get(name)
            return field is not None and _is_enumeration(field.annotation)
        return False


def _is_enumeration(annotation: Any) -> bool:
    """Whether a field is one of some literals, zero not among them."""
    if get_origin(annotation) is Literal:
        return 0 not in get_args(annotation)
    return any(_is_enumeration(part) for part in get_args(annotation))


@dataclass(frozen=True, slots=True)
class OneOf:
    """A request that is one of several models, chosen by the value of a field.

    ``absent`` explains the values that would be known if a package were installed.
    """

    field: str
    models: Mapping[str, type[ApiModel]]
    absent: Mapping[str, str]

    def choose(self, data: Any) -> type[ApiModel]:
        """The model for this data. Raises BadRequest."""
        if not isinstance(data, dict):
            raise BadRequest("body: must be a JSON object")
        value = data.get(self.field)
        known = ", ".join(sorted(self.models)) or "none, no transport is installed"
        if value is None or value == "":
            raise BadRequest(f"{self.field}: required; one of: {known}")
        if not isinstance(value, str):
            raise BadRequest(f"{self.field}: must be a string, one of: {known}")
        if value in self.models:
            return self.models[value]
        if value in self.absent:
            raise BadRequest(f"{self.field}: {self.absent[value]}")
        raise BadRequest(f"{self.field}: {value!r} is not one of: {known}")


Request = type[ApiModel] | OneOf
"""What an operation takes."""


def parse(request: Request, data: Any) -> ApiModel:
    """Validate plain JSON data. Raises BadRequest naming the fields."""
    model = request.choose(data) if isinstance(request, OneOf) else request
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadRequest(explain(error)) from None


def explain(error: ValidationError) -> str:
    """What is wrong, field by field."""
    return "; ".join(
        _told(item["loc"], item["msg"].removeprefix("Value error, "))
        for item in error.errors(include_url=False)
    )


def _told(location: tuple[int | str, ...], message: str) -> str:
    """A check of several fields together says itself which one is wrong: ``field: why``."""
    if not location and message.partition(": ")[0].isidentifier():
        return message
    return f"{'.'.join(map(str, location)) or 'body'}: {message}"
