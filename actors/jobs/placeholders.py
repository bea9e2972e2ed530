"""Placeholders of a job that has a matrix: ``{lr}`` is a parameter's value, ``{{`` and ``}}`` are braces.

They are filled once (what a value holds is text) in the command, the parameters of an entry point, the name, the values
of ``env``, the working directory and the texts of ``spec``. ``{name}`` that the matrix lacks is refused; any other
brace is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from actors.jobs.matrix import PARAMETER, SweepFault
from actors.jobs.records import JobRequest
from actors.jobs.suggestions import did_you_mean

_BRACES = re.compile(rf"\{{\{{|\}}\}}|\{{({PARAMETER.pattern})\}}")
FILLED = ("config_name", "command", "params", "env", "cwd", "spec")
"""The fields of a request that may hold placeholders."""


class Filler:
    """Fills the placeholders of one request, which has the parameters ``names``.

    Raises :class:`SweepFault` for a placeholder that none of them fills.
    """

    def __init__(self, request: JobRequest, names: Iterable[str]) -> None:
        self._request = request
        known = list(names)
        self._changing = []
        for field in FILLED:
            value = getattr(request, field)
            texts = list(_texts((field,), value))
            for at, text in texts:
                for name in _names(text):
                    if name not in known:
                        suggested = did_you_mean(name[:80], known)
                        raise SweepFault(f"has {{{name}}}, and the matrix has no {name}{suggested}", *at)
            if any(_has_braces(text) for _, text in texts):
                self._changing.append(field)
        self._name_differs = has_placeholder(request.config_name or "")

    def fill(self, values: Mapping[str, str], number: int, key: str | None = None) -> JobRequest:
        """The request with ``values``, which is job ``number`` (from 1) of its matrix, under this idempotency key.

        Without a placeholder in it, its name gets that number.
        """
        changed = {field: _filled(getattr(self._request, field), values) for field in self._changing}
        name = changed.get("config_name", self._request.config_name)
        if name is not None and not self._name_differs:
            changed["config_name"] = f"{name}-{number}"
        return attrs.evolve(self._request, parameters=dict(values), idempotency_key=key, **changed)


def unused(request: JobRequest, names: Iterable[str]) -> list[str]:
    """Those of ``names``, the parameters of a matrix, of which no placeholder of ``request`` is filled."""
    texts = (text for field in FILLED for _, text in _texts((field,), getattr(request, field)))
    used = {name for text in texts for name in _names(text)}
    return [name for name in names if name not in used]


def has_placeholder(text: str) -> bool:
    """Whether a parameter's value will stand in ``text``."""
    return any(_names(text))


def leading(text: str) -> str | None:
    """The parameter with whose value ``text`` begins."""
    found = _BRACES.match(text)
    return None if found is None else found[1]


def _has_braces(text: str) -> bool:
    return "{" in text or "}" in text


def _names(text: str) -> Iterator[str]:
    """The names between the braces of a text, those of its placeholders."""
    return (found[1] for found in _BRACES.finditer(text) if found[1] is not None)


def _texts(at: tuple[str | int, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in ``value`` that may hold placeholders, with the keys that lead to it."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _texts((*at, key), child)
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _texts((*at, index), child)


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _BRACES.sub(lambda found: found[0][0] if found[1] is None else values[found[1]], value)
    if isinstance(value, Mapping):
        return {key: _filled(child, values) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_filled(child, values) for child in value)
    return value
