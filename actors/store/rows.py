"""Reading rows as records. It is lenient, because what is in a row was checked when it came in, by this or another
version.

Unknown keys are ignored, missing ones have their defaults, and the maxima of requests do not apply. A row that still
cannot be read is damaged: one ERROR names it, and lists leave it out, so that it does not block others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import attrs
from cattrs import Converter
from cattrs.errors import CattrsError
from cattrs.gen import make_dict_structure_fn, override
from cattrs.strategies import configure_union_passthrough
from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError

from actors.jobs.os_text import from_plain
from actors.jobs.records import JobRequest, JobStatus
from actors.store.errors import DamagedRow
from actors.store.types import DamagedInstant
from logconf import get_logger

T = TypeVar("T")

_logger = get_logger("actors.store")
_STATUSES = frozenset(JobStatus)
_MOST_REPORTED = 1000
_reported: set[str] = set()
"""Rows that this process has reported; a row that is read every few seconds is not reported again."""


def _texts(values: Iterable[Any] | None, _type: Any) -> tuple[str, ...] | None:
    return None if values is None else tuple(from_plain(value) for value in values)


def _variables(values: Mapping[str, Any] | None, _type: Any) -> dict[str, str] | None:
    return None if values is None else {name: from_plain(value) for name, value in values.items()}


_OS_TEXTS: dict[str, Any] = {
    "command": override(struct_hook=_texts), "cwd": override(struct_hook=lambda value, _type: from_plain(value)),
    "env": override(struct_hook=_variables), "inherited_env": override(struct_hook=_variables),
}  # fmt: skip
"""Fields of a request that the operating system takes as bytes; see :mod:`actors.jobs.os_text`."""


def _moment(value: Any, _type: Any) -> datetime:
    """What the column's type made."""
    if type(value) is DamagedInstant or not isinstance(value, datetime):
        raise TypeError(f"{getattr(value, 'raw', value)!r:.80} is not a moment")
    return value


def _converter() -> Converter:
    converter = Converter(detailed_validation=False, prefer_attrib_converters=True)
    configure_union_passthrough(str | bool | int | float | None, converter)
    converter.register_structure_hook(datetime, _moment)

    def record(kind: type[Any]) -> Callable[[Any, Any], Any]:
        structure = make_dict_structure_fn(
            kind, converter, _cattrs_prefer_attrib_converters=True, **(_OS_TEXTS if kind is JobRequest else {})
        )

        def structure_mapping(columns: Any, _type: Any) -> Any:
            if not isinstance(columns, Mapping):  # a list would give a record of defaults
                raise TypeError(f"{type(columns).__name__} is not a mapping")
            return structure(columns, kind)

        return structure_mapping

    converter.register_structure_hook_factory(attrs.has, record)
    return converter


_CONVERTER = _converter()


def read(kind: type[T], columns: Mapping[str, Any]) -> T:
    """The record of class ``kind`` in a row's ``columns``. Raises :class:`DamagedRow`."""
    try:
        return _CONVERTER.structure(columns, kind)
    except (TypeError, ValueError, KeyError, AttributeError, CattrsError) as error:
        key = attrs.fields(kind)[0].name  # type: ignore[arg-type]
        raise DamagedRow(f"the row of {kind.__name__} {columns.get(key)} cannot be read: {error!r}") from error


def _columns(row: Mapping[Any, Any] | Row[Any]) -> Mapping[Any, Any]:
    return row._mapping if isinstance(row, Row) else row


def read_one(kind: type[T], row: Mapping[Any, Any] | Row[Any] | None) -> T | None:
    """The record in ``row``, None where there is no row. Raises :class:`DamagedRow`."""
    return None if row is None else read(kind, _columns(row))


def read_all(kind: type[T], rows: Iterable[Mapping[Any, Any] | Row[Any]]) -> list[T]:
    """The records in ``rows``; damaged ones are left out and reported."""
    found = []
    for row in rows:
        try:
            found.append(read(kind, _columns(row)))
        except DamagedRow as error:
            report(error)
    return found


def status_of(value: Any, otherwise: JobStatus = JobStatus.RUNNING) -> JobStatus:
    """The status of a job that is only mentioned, in the row of another; ``otherwise`` where it is none of ours.

    The default one keeps those waiting that wait for its end.
    """
    return JobStatus(value) if value in _STATUSES else otherwise


def report(error: DamagedRow) -> None:
    """Log that a damaged row is left out, once in the life of this process."""
    _report("A damaged row is left out: %s", str(error))


def read_leniently(connection: Connection, error: BaseException | None) -> bool:
    """Whether ``error`` is about a stored text that is not UTF-8. Then ``connection`` reads such texts from now on,
    with U+FFFD for what is no character, and the query can be repeated; until then none of its rows can be read.
    """
    if not isinstance(error, DBAPIError) or "Could not decode to UTF-8" not in str(error.orig):
        return False
    raw: Any = connection.connection.dbapi_connection
    if raw.text_factory is not str:
        return False
    raw.text_factory = _with_replacements  # not from the beginning: it costs more
    _report("A damaged text is read as far as it can be: %s", str(error.orig))
    return True


def _with_replacements(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _report(message: str, text: str) -> None:
    if text not in _reported and len(_reported) < _MOST_REPORTED:
        _reported.add(text)
        _logger.error(message, text)
