"""Classes that are read from outside as rows of a table: key, type, default, example and meaning of each field.

Key and type are those by which the strict converter reads the class. The meaning is taken from the class's docstring:
``field``: and what follows, up to the next field.
"""

from __future__ import annotations

import enum
import re
import types
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from actors.jobs import maxima
from actors.jobs.maximum import Bytes as AtMostBytes
from actors.jobs.maximum import Items, Text
from actors.jobs.quantities import DAY, HOUR, SECOND, Duration, Size
from actors.validation import Shape, StrictConverter, units
from actors.validation.values import Fits

BELOW = "the keys below"
_UNITS = {SECOND: "seconds", HOUR: "hours", DAY: "days"}
_PLAIN = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Any: "anything"}
_COMPARED = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
_BEGINNING = re.compile(r"^(?:must (not )?be |must have |must look |must |holds )")
_NAMES = r"(?:``\w+``(?: \([^)]*\))?(?:, and |, or |, | and | or )?)+(?: \([^)]*\))?"
_TERM = re.compile(rf"(?:^|(?<=\. )|(?<=; ))({_NAMES}): ")


@attrs.frozen
class Row:
    """One key: its path, and words for its type, default and meaning. ``has_default``: the default is a value."""

    path: str
    type: str
    default: str
    meaning: str
    has_default: bool


@attrs.frozen
class Reference:
    """Rows of the classes that ``converter`` reads. ``left_out``: classes whose fields have a table of their own."""

    converter: StrictConverter
    left_out: tuple[type[Any], ...] = ()

    def rows(self, kind: type[Any], path: str = "", given: Any = None) -> Iterator[Row]:
        """A row for each field of ``kind``, those of classes in it included. ``given``: an instance with defaults."""
        shape, hints = self.converter.shapes.get(kind, Shape()), get_type_hints(kind, include_extras=True)
        meanings = explained(kind)[1]
        for name, key in shape.keys(kind).items():
            attribute = attrs.fields_dict(kind)[name]
            of_type = shape.types.get(name, hints[name])
            validators = (attribute.validator, shape.validators.get(name), maxima.FIELDS.get(kind, {}).get(name))
            default = _default(attribute) if given is None else getattr(given, name)
            here = f"{path}.{key}" if path else key
            inner, below = _inner(of_type, here)
            if inner in self.left_out:
                inner = None
            words = [_type(of_type), *(word for one in validators for word in _bounds(one))]
            if any(mark in words[0] for mark in ("one of", BELOW)):
                words = words[:1]
            if inner is None or below != here:
                yield Row(
                    here, ", ".join(dict.fromkeys(words)), _shown(default, of_type), meanings.get(name, ""),
                    default not in (None, (), {}, attrs.NOTHING),
                )  # fmt: skip
            if inner is not None:
                yield from self.rows(inner, below, default if below == here else None)


def explained(kind: type[Any]) -> tuple[str, Mapping[str, str]]:
    """What the docstring of ``kind`` says in general, and about each field."""
    general: list[str] = []
    fields: dict[str, str] = {}
    for paragraph in re.split(r"\n\s*\n", kind.__doc__ or ""):
        text = " ".join(paragraph.split())
        terms = list(_TERM.finditer(text))
        general.append(text[: terms[0].start()] if terms else text)
        for term, following in zip_longest(terms, terms[1:]):
            said = text[term.end() : following.start() if following else len(text)].strip().rstrip(";.") + "."
            fields |= dict.fromkeys(re.findall(r"``(\w+)``", term[1]), in_markdown(said[0].upper() + said[1:]))
    return in_markdown(" ".join(filter(None, map(str.strip, general)))), fields


def in_markdown(text: str, none: str = "`null`") -> str:
    """A docstring's text as Markdown; ``none``: what None is called there."""
    text = re.sub(r" \([A-F]\d+(?:, [A-F]\d+)*\)", "", text)  # which rule of the specification it comes from
    text = re.sub(r":\w+:`(?:~?[\w.]+\.)?~?(\w+)`", r"`\1`", text)
    return re.sub(r"\bNone\b", none, text.replace("``", "`"))


def _bare(kind: Any) -> Any:
    """``kind`` without annotations and without None."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        arms = [arm for arm in get_args(kind) if arm is not type(None)]
        return _bare(arms[0]) if len(arms) == 1 else kind
    return kind


def _inner(kind: Any, path: str) -> tuple[type[Any] | None, str]:
    """The class whose fields stand below ``path``, and the path before their keys."""
    bare = _bare(kind)
    if isinstance(bare, type) and attrs.has(bare):
        return bare, path
    if (origin := get_origin(bare)) in (tuple, list) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        item = _bare(get_args(bare)[0 if origin in (tuple, list) else 1])
        if isinstance(item, type) and attrs.has(item):
            return item, f"{path}[]" if origin in (tuple, list) else f"{path}.NAME"
    return None, path


def _type(kind: Any) -> str:
    """Words for a type."""
    if get_origin(kind) is Annotated:
        for extra in get_args(kind)[1:]:
            if isinstance(extra, Duration):
                return f"duration; a bare number is {_UNITS[extra.unit]}"
            if isinstance(extra, Size):
                return "size; a bare number is bytes"
        return _type(get_args(kind)[0])
    origin, args = get_origin(kind), [arm for arm in get_args(kind) if arm is not type(None)]
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_type, args)))
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        values = args if origin is Literal else [one.value for one in kind]
        return "one of " + ", ".join(f"`{value}`" for value in values)
    if origin in (tuple, list):
        return f"list: {_item(args[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"by name: {_item(args[1])}"
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return "path"
    return BELOW if attrs.has(kind) else _PLAIN.get(kind, "mapping")


def _item(kind: Any) -> str:
    return BELOW if attrs.has(_bare(kind)) else _type(kind)


def _bounds(validator: Any) -> Iterator[str]:
    """The bounds of a validator, in words that follow a type."""
    if isinstance(validator, Fits):
        yield _BEGINNING.sub(lambda found: "not " if found[1] else "", validator.words)
    if isinstance(validator, Text):
        yield f"at most {validator.most} characters"
    if isinstance(validator, AtMostBytes):
        yield f"at most {validator.most} bytes"
    if isinstance(validator, Items):
        yield f"at most {validator.most} items"
    for one in validator if isinstance(validator, list | tuple) else getattr(validator, "_validators", ()):
        yield from _bounds(one)
    for inner in ("validator", "value_validator"):
        if hasattr(validator, inner):
            yield from _bounds(getattr(validator, inner))
    if getattr(validator, "compare_op", None) in _COMPARED:
        yield f"{_COMPARED[validator.compare_op]} {validator.bound}"


def _default(attribute: attrs.Attribute[Any]) -> Any:
    default = attribute.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


def _shown(value: Any, kind: Any) -> str:
    """A default in words."""
    if value is attrs.NOTHING:
        return "must be given"
    if value is None:
        return "none"
    if value in ((), {}) or attrs.has(type(value)):
        return "empty"
    return f"`{as_written(value, kind)}`"


def as_written(value: Any, kind: Any = Any) -> str:
    """``value`` as it is written in a file, on one line."""
    if (text := units.as_written(value, kind)) is not None:
        return text
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_written, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {as_written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    risky = not text or text != text.strip() or text[0] in "{[&*!|>'\"%@`#?-," or ": " in text or " #" in text
    return f'"{text}"' if risky or text.endswith(":") else text
