"""The texts of a job request: which of them may hold any bytes, and what is wrong with one that cannot be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from actors.jobs.os_text import KEY, is_utf8, shown, to_bytes
from actors.jobs.records import JobRequest

_KEY_AS_JSON = f'"{KEY}"'.encode()


def os_values(request: JobRequest) -> Iterator[tuple[str, str]]:
    """Every value of ``request`` that may hold any bytes, each with the path of its field."""
    for index, word in enumerate(request.command or ()):
        yield f"command[{index}]", str(word)
    if request.cwd is not None:
        yield "cwd", str(request.cwd)
    for field in ("env", "inherited_env"):
        for name, value in (getattr(request, field) or {}).items():
            yield f"{field}.{name}", str(value)


def first_not_utf8(request: JobRequest) -> str | None:
    """The path of the first value of ``request`` that is not UTF-8; None: all are."""
    return next((path for path, value in os_values(request) if not is_utf8(value)), None)


def text_fault(request: JobRequest, encoded: bytes | None = None) -> tuple[str, str] | None:
    """The first text of ``request`` that cannot be kept: its path and what is wrong with it.

    Values of the operating system may hold any bytes but NUL; everything else is UTF-8 without NUL characters.
    ``encoded``: ``request`` as JSON, if it could be written so, which spares looking at each text of most requests.
    """
    if encoded is not None and b"\\u0000" not in encoded and _KEY_AS_JSON not in encoded:
        return None
    for path, value in os_values(request):
        if fault := _os_value_fault(value):
            return path, fault
    for field in attrs.fields(JobRequest):
        if field.name not in ("command", "cwd"):
            value = getattr(request, field.name)
            values_too = field.name not in ("env", "inherited_env")
            for path, text in _texts(field.name, value, values_too):
                if "\0" in text or not is_utf8(text):
                    return path, "must be UTF-8 text without NUL characters"
    return None


def _os_value_fault(value: str) -> str | None:
    try:
        return "must not hold a NUL character" if b"\0" in to_bytes(value) else None
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is neither text nor a byte"


def _texts(path: str, value: Any, values_too: bool = True) -> Iterator[tuple[str, str]]:
    """Every text in plain data and in records, keys included, each with its path, which itself can be shown."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _texts(path, key)
            if values_too:
                yield from _texts(f"{path}.{shown(str(key))}", child)
    elif attrs.has(type(value)):
        yield from _texts(path, attrs.asdict(value, recurse=False))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _texts(f"{path}[{index}]", child)
