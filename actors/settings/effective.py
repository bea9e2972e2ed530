"""The settings in effect as rows for people: key, value with secrets masked, and source."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_type_hints

import attrs

from actors.jobs.notify_options import masked_address
from actors.jobs.quantities import without_unit
from actors.settings.providers import ProviderSettings
from actors.settings.sections import NAMES
from actors.settings.settings import Settings
from actors.settings.variables import LOG_DEFAULTS, LOG_VALUES
from actors.validation import join
from actors.validation.units import as_written
from logconf.masking import MASK, key_names_secret, mask_text

_NOT_SHOWN = ("rule_id", "queue_processing")
"""Fields that nobody sets, and a section that has no effect."""

_TARGETS = "notify.targets."


class Row(NamedTuple):
    """One setting: its path in the file, its value as plain data, and where that came from."""

    key: str
    value: Any
    source: str


def effective(settings: Settings, environ: Mapping[str, str] | None = None) -> list[Row]:
    """Every setting in effect, in the order of the file; those of logging come from the environment only."""
    environ = os.environ if environ is None else environ
    rows = [Row(path, _masked(path, value), _source(settings, path)) for path, value, _ in _leaves(settings)]
    for variable, default in LOG_DEFAULTS.items():
        given = environ.get(variable, "").strip()
        if given.casefold() not in LOG_VALUES.get(variable, (given.casefold(),)):
            given = ""  # the default holds, and the log has a WARNING
        rows.append(Row(variable, given or default, "environment" if given else "default"))
    return rows


def as_documents(settings: Settings) -> list[dict[str, Any]]:
    """The settings in effect, with secrets masked."""
    return [row._asdict() for row in effective(settings)]


def quantities(settings: Settings) -> dict[str, str]:
    """The durations and sizes among the rows of :func:`effective` by key, as a file has them: ``10m``, ``2GiB``."""
    written = {path: as_written(value, kind) for path, value, kind in _leaves(settings)}
    return {path: text for path, text in written.items() if text is not None}


def _source(settings: Settings, path: str) -> str:
    """Where a value came from; a duration may stand there under its key without the unit."""
    written = [path] if (short := without_unit(path)) is None else [path, short]
    return next((settings.sources[one] for one in written if one in settings.sources), "default")


def secrets(settings: Settings) -> list[str]:
    """The values under keys that name secrets, and addresses of targets, for ``logconf.register_secret``."""
    found = [value for path, value, _ in _leaves(settings) if isinstance(value, str) and _is_secret(path)]
    return found + [target.url for target in settings.notify.targets.values() if target.url is not None]


def _leaves(settings: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Each setting: its path, its value as plain data, and the type of the field that has it."""
    for name in NAMES:
        yield from _flat(name, getattr(settings, name))


def _flat(path: str, value: Any, kind: Any = None) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(value, ProviderSettings):
        yield join(path, "kind"), value.kind, str
        yield join(path, "webhook_url"), value.webhook_url, str
        yield from _flat(join(path, "circuit_breaker"), value.circuit_breaker)
        yield from (leaf for leaf in _flat(path, value.options) if ".entry_points" not in leaf[0])
    elif attrs.has(type(value)):
        kinds = get_type_hints(type(value), include_extras=True)
        for attribute in attrs.fields(type(value)):
            if attribute.name not in _NOT_SHOWN:
                here = join(path, attribute.name.lstrip("_"))
                yield from _flat(here, getattr(value, attribute.name), kinds[attribute.name])
    elif isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _flat(join(path, str(key)), one)
    elif isinstance(value, list | tuple) and any(attrs.has(type(one)) for one in value):
        for index, one in enumerate(value):
            yield from _flat(join(path, index), one)
    else:
        yield path, _plain(value), kind


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str | Mapping) else str(value)


def _is_secret(path: str) -> bool:
    return key_names_secret(path.rsplit(".", 1)[-1])


def _masked(path: str, value: Any) -> Any:
    if value and path.startswith(_TARGETS) and (key := path.rsplit(".", 1)[-1]) in ("url", "command"):
        return masked_address(value) if key == "url" else MASK
    if isinstance(value, list):
        return [_masked(path, one) for one in value]
    if not isinstance(value, str):
        return value
    return MASK if _is_secret(path) and value else mask_text(value)
