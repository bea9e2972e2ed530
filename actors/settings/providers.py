"""The section ``providers``: a name each, and under it a kind's options beside what every kind has."""

from __future__ import annotations

import re
from typing import Any

import attrs

from actors.providers.breaker import BreakerOptions
from actors.providers.registry import BrokenProvider, UnknownProvider, factory
from actors.settings.model import ProviderSettings
from actors.validation import FAULTY, Entry, Mapping, Reader, join
from actors.validation.reader import Shape
from actors.validation.sizes import read_size

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)  # a directory is called by it


@attrs.frozen
class _Common:
    """What every provider has. ``kind``: None means that it is called by its kind. ``circuit_breaker`` is read once
    the kind is known, for what is not said there is the kind's own.
    """

    kind: str | None = None
    enabled: bool = True
    webhook_url: str | None = None
    circuit_breaker: Any = None


_COMMON = tuple(attribute.name for attribute in attrs.fields(_Common))


def _read_web_address(reader: Reader, entry: Entry, path: str) -> Any:
    """An address; an empty text means none, as programs that write this file for people leave it."""
    value = reader.convert(entry, str | None, path)
    if value is FAULTY or not value or re.fullmatch(r"https?://[^\s/]+\S*", value):
        return value or None
    return reader.fault(entry, path, "must be an address that begins with https:// or http://")


def read_providers(reader: Reader, entry: Entry, path: str) -> Any:
    """By name: a provider's settings, or None where it is switched off."""
    entries = reader.entries(entry, path)
    if entries is None:
        return FAULTY
    found = {name: _read_provider(reader, name, child, join(path, name)) for name, child in entries.items()}
    return FAULTY if any(one is FAULTY for one in found.values()) else found


def _read_provider(reader: Reader, name: str, entry: Entry, path: str) -> Any:
    if not _NAME.fullmatch(name):
        return reader.fault(entry, path, "a provider's name has letters, digits and . _ - only, at most 64")
    entries = reader.entries(entry, path)
    if entries is None:
        return FAULTY
    ours = {key: child for key, child in entries.items() if key in _COMMON and key != "circuit_breaker"}
    head = Entry(entry.place, Mapping(ours))
    common = reader.object(head, _Common, path, Shape(reads={"webhook_url": _read_web_address}))
    if common is FAULTY:
        return FAULTY
    kind = common.kind or name
    try:
        made_by = factory(kind)
    except (UnknownProvider, BrokenProvider) as error:
        written = entries.get("kind")
        return reader.fault(written or entry, join(path, "kind") if written else path, str(error.args[0]))
    options = _read_options(reader, entry, path, made_by.options_class, common)
    breaker = _read_breaker(reader, entries.get("circuit_breaker"), join(path, "circuit_breaker"), made_by.breaker)
    if options is FAULTY or breaker is FAULTY:
        return FAULTY
    return ProviderSettings(name, kind, options, common.webhook_url, breaker) if common.enabled else None


def _read_options(reader: Reader, entry: Entry, path: str, of_kind: type[Any], common: _Common) -> Any:
    options = reader.object(entry, of_kind, path, _shape(of_kind))
    if options is FAULTY or "webhook_url" not in attrs.fields_dict(of_kind):
        return options
    return attrs.evolve(options, webhook_url=common.webhook_url)


def _read_breaker(reader: Reader, entry: Entry | None, path: str, usual: BreakerOptions) -> Any:
    """The kind's breaker, with what is written in its place."""
    if entry is None:
        return usual
    read = reader.object(entry, BreakerOptions, path)
    if read is FAULTY:
        return FAULTY
    written = reader.entries(entry, path) or {}
    return attrs.evolve(usual, **{name: getattr(read, name) for name in written})


def _shape(of_kind: type[Any]) -> Shape:
    """Entry points have a section of their own; memory may be written as ``64GiB``."""
    fields = {attribute.name for attribute in attrs.fields(of_kind)}
    return Shape(
        hidden=frozenset({"entry_points", *_COMMON} & fields),
        reads={name: read_size for name in ("memory", "log_bytes", "copy_bytes") if name in fields},
        also=_COMMON,
    )
