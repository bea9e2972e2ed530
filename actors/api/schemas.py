"""Types as JSON Schema (2020-12): attrs classes of requests, typed dictionaries of answers, and their fields."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import attrs

from actors.api.bodies import CONVERTER
from actors.job_requests.job_request import REQUESTS
from actors.job_requests.sources import NETWORK, NetworkRule, RequestSource, access_to, closed_to
from actors.jobs import maxima, maximum
from actors.jobs.matrix import MOST_EXCLUDES
from actors.jobs.records import JobRequest
from actors.validation import Shape
from actors.validation.units import form_of

Schema = dict[str, Any]

_PLAIN: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
}


_VALUE: Schema = {"type": ["string", "number", "boolean"], "maxLength": maxima.PATTERN}
_COMBINATION: Schema = {"type": "object", "additionalProperties": _VALUE, "maxProperties": maxima.CHOICES}
_RANGE: Schema = {
    "type": "object", "properties": {"from": _VALUE, "to": _VALUE, "step": _VALUE}, "required": ["from", "to"],
    "additionalProperties": False,
}  # fmt: skip
_MATRIX: Mapping[str, Schema] = {
    "matrix": {
        "type": "object",
        "description": (
            "Parameters, each with a list of values or a range: a job for each combination, in which {name} is filled "
            f"with its value. At most {maxima.BATCH_JOBS} jobs. Texts are used as written, numbers as JSON writes them."
        ),
        "properties": {
            "exclude": {"type": "array", "items": _COMBINATION, "maxItems": MOST_EXCLUDES},
            "include": {"type": "array", "items": _COMBINATION, "maxItems": maxima.BATCH_JOBS},
        },
        "additionalProperties": {"anyOf": [{"type": "array", "items": _VALUE, "maxItems": maxima.BATCH_JOBS}, _RANGE]},
        "maxProperties": maxima.CHOICES + 2,
    },
    "idempotency_keys": {
        "type": "array",
        "items": {"type": "string", "maxLength": maxima.NAME},
        "description": "With a matrix: a key for each of its jobs, in their order",
        "maxItems": maxima.BATCH_JOBS,
    },
}
"""The schema of ``matrix``, which a job request may have in addition to its fields."""


class Schemas:
    """Collects the ``components`` that its schemas refer to, each class once under its own name.

    ``source``: a job request is shown with the fields that requests of this source may set. ``commands``: whether it
    may submit commands by ``socket.commands``.
    """

    def __init__(self, source: RequestSource = RequestSource.TCP, *, commands: bool = False) -> None:
        self.components: dict[str, Schema] = {}
        self._closed = {JobRequest: closed_to(source, commands=commands)}
        self._over_network = source in NETWORK
        self._is_answer = False

    def of_answer(self, kind: Any) -> Schema:
        """The schema of an answer, in which no field of a record is left out. Raises TypeError like :meth:`of`."""
        self._is_answer = True
        schema = self.of(kind)
        self._is_answer = False
        return schema

    def of(self, kind: Any) -> Schema:
        """The schema of ``kind``. Raises TypeError for a type that is none of ours."""
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        origin, args = get_origin(kind), get_args(kind)
        if origin is Annotated:
            schema = self.of(args[0])
            for extra in args[1:]:
                form = form_of(extra)
                schema |= {"format": extra} if form is None else form.schema or {}
            return schema
        if origin is NotRequired:
            return self.of(args[0])
        if origin in (Union, types.UnionType):
            return self._union(args)
        if origin is Literal:
            return {"type": "string", "enum": list(args)}
        if origin in (tuple, list, Sequence):
            return {"type": "array", "items": self.of(args[0])}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(args[1])}
        if isinstance(kind, type) and (issubclass(kind, enum.Enum) or attrs.has(kind) or is_typeddict(kind)):
            return self._named(kind)
        raise TypeError(f"there is no schema for {kind!r}")

    def _union(self, arms: tuple[Any, ...]) -> Schema:
        schemas = [self.of(arm) for arm in arms]
        if all(set(schema) == {"type"} for schema in schemas):
            return {"type": [schema["type"] for schema in schemas]}
        return {"anyOf": schemas}

    def _named(self, kind: type[Any]) -> Schema:
        if kind.__name__ not in self.components:
            self.components[kind.__name__] = {}  # for what refers to itself
            self.components[kind.__name__] = self._written(kind)
        return {"$ref": f"#/components/schemas/{kind.__name__}"}

    def _written(self, kind: type[Any]) -> Schema:
        if issubclass(kind, enum.Enum):
            return {"type": "string", "enum": [one.value for one in kind], **_described(kind)}
        return self._of_attrs(kind) if attrs.has(kind) else self._of_dictionary(kind)

    def _of_attrs(self, kind: type[Any]) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        closed = {*_shape(kind).hidden, *self._closed.get(kind, ())}
        shown = [one for one in attrs.fields(kind) if one.name not in closed]
        properties = {one.name: self.field(kind, one, hints[one.name]) for one in shown}
        if kind is JobRequest:
            if self._over_network:
                _say_which_values(properties)
            properties |= _MATRIX
        required = [one.name for one in attrs.fields(kind) if one.default is attrs.NOTHING or self._is_answer]
        schema: Schema = {"type": "object", **_described(kind), "properties": properties, "additionalProperties": False}
        return {**schema, "required": required} if required else schema

    def field(self, kind: type[Any], attribute: attrs.Attribute[Any], hint: Any) -> Schema:
        """The schema of one field, with its bounds and its default."""
        name, shape = attribute.name, _shape(kind)
        schema = self.of(shape.types.get(name, hint))
        for validator in (attribute.validator, shape.validators.get(name), maxima.FIELDS.get(kind, {}).get(name)):
            for bound in _bounds(validator):
                schema = _bounded(schema, bound)
        default = attribute.default
        if isinstance(default, str | bool | int | float) and not isinstance(default, enum.Enum):
            schema["default"] = default
        return schema

    def _of_dictionary(self, kind: type[Any]) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        properties = {name: self.of(hint) for name, hint in hints.items()}
        required = [name for name, hint in hints.items() if get_origin(hint) is not NotRequired]
        return {"type": "object", **_described(kind), "properties": properties, "required": required}


def _shape(kind: type[Any]) -> Shape:
    """The form in which requests write the class ``kind``."""
    return REQUESTS.shapes.get(kind) or CONVERTER.shapes.get(kind) or Shape()


def _say_which_values(properties: Mapping[str, Schema]) -> None:
    """Add to the fields of a job request which values the caller may give over the network."""
    for name, schema in properties.items():
        rule = access_to(name).over_network
        if rule is not NetworkRule.ANY:
            schema["description"] = rule.value


def _described(kind: type[Any]) -> Schema:
    text = " ".join((kind.__doc__ or "").replace("``", "`").split())
    return {"description": text} if text else {}


_NESTED = ("items", "additionalProperties")
_COMPARED = {">=": "minimum", "<=": "maximum", ">": "exclusiveMinimum"}
_BOUNDS_OF = {"maxLength": "string", "maxItems": "array", "maxProperties": "object"}


def _bounded(schema: Schema, bound: Schema) -> Schema:
    """``schema`` with the words of a maximum, those of its items and values among theirs."""
    if "minLength" in bound and schema.get("type") == "array":
        return {**schema, "minItems": bound["minLength"]}
    kind = next((kind for word, kind in _BOUNDS_OF.items() if word in bound), None)
    if "anyOf" in schema and kind is not None:
        arms = [_bounded(arm, bound) if arm.get("type") == kind else arm for arm in schema["anyOf"]]
        return {**schema, "anyOf": arms}
    within = {name: _bounded(schema[name], bound[name]) for name in _NESTED if name in bound and name in schema}
    if kind == "array" and "items" in bound and "string" in schema.get("type", ()):
        within["maxLength"] = bound["items"]["maxLength"]  # one text instead of a list of one
    return {**schema, **bound, **within}


def _bounds(validator: Any) -> Iterator[Schema]:
    """What a maximum of ours, or a validator of attrs, holds a value to, in the words of JSON Schema."""
    if isinstance(validator, maximum.Maximum):
        yield validator.schema()
    for one in getattr(validator, "_validators", ()):
        yield from _bounds(one)
    if hasattr(validator, "validator"):
        yield from _bounds(validator.validator)
    if type(validator).__name__ == "_NumberValidator" and validator.compare_op in _COMPARED:
        yield {_COMPARED[validator.compare_op]: validator.bound}
    if type(validator).__name__ == "_MinLengthValidator":
        yield {"minLength": validator.min_length}
