"""Entry points and their parameters, without what they run: command, directory and environment are not shown."""

from __future__ import annotations

from typing import TypedDict

from actors.control.entry_points import OfferedEntryPoint
from actors.documents.common import from_fields
from actors.providers.entry_points import Param


class ParamDocument(TypedDict):
    """A parameter of an entry point.

    ``type``: ``str``, ``int``, ``float`` or ``bool``. ``choices``: the only possible values; null: all that the rest
    allows. ``min``, ``max``: bounds of a number, or of the length of a text. ``pattern``: an RE2 expression that must
    match the whole text. ``default``: its value if a job gives none; null: it must be given.
    """

    name: str
    type: str
    choices: list[str | int | float] | None
    min: float | None
    max: float | None
    pattern: str | None
    default: str | int | float | bool | None


class EntryPointDocument(TypedDict):
    """A configured program that a job on ``provider`` may name as its ``entry_point``."""

    name: str
    provider: str
    params: list[ParamDocument]


class EntryPointsDocument(TypedDict):
    """The configured entry points, each once for each provider that can start it; by name."""

    entry_points: list[EntryPointDocument]


def entry_point_document(one: OfferedEntryPoint) -> EntryPointDocument:
    """An entry point and its parameters, in the order of the configuration."""
    params = [_param_document(name, param) for name, param in one.entry_point.params.items()]
    return {"name": one.name, "provider": one.provider, "params": params}


def _param_document(name: str, param: Param) -> ParamDocument:
    return from_fields(ParamDocument, param, name=name)
