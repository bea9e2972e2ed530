"""Column types that are the same on every database: UTC instants and JSON documents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import orjson
from sqlalchemy import BigInteger, Integer, Text, TypeDecorator
from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

BigId = BigInteger().with_variant(Integer, "sqlite")
"""A whole-number key: SQLite makes only INTEGER columns its row id."""


def microseconds(moment: datetime) -> int:
    """A moment as it is stored: whole microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """The moment of a stored number of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


class DamagedInstant(datetime):
    """What stands for a stored moment that is none; ``raw`` is what is stored, and what is written where it is copied.

    No record takes it (:mod:`actors.store.rows`), so its row alone is lost. Whoever reads columns without making a
    record can reckon with it: it is the beginning of 1970.
    """

    raw: object

    @classmethod
    def of(cls, raw: object) -> DamagedInstant:
        """The one for ``raw``."""
        made = cls(1970, 1, 1, tzinfo=UTC)
        made.raw = raw
        return made


def stored_instant(value: Any) -> datetime:
    """The moment in a column of a row, which may be damaged."""
    try:
        return instant(value)
    except (TypeError, OverflowError):
        return DamagedInstant.of(value)


def or_none(moment: datetime | None) -> datetime | None:
    """``moment``; None for a damaged one, which never comes and must not be waited for."""
    return None if type(moment) is DamagedInstant else moment


def amount(value: Any) -> int:
    """The whole number in a column of a row; 0 for what is none there, so that a sum over many rows is not lost."""
    return value if isinstance(value, int) else 0


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as whole microseconds since 1970: compares exactly, on every database alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuses naive datetimes with ``TypeError``: they mean nothing in a table."""
        if value is None:
            return None
        return value.raw if type(value) is DamagedInstant else microseconds(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:
        """What makes an instant, aware, in UTC, of a stored number: directly, for each row has several."""
        return _instant_or_none


def _instant_or_none(value: int | None) -> datetime | None:
    return None if value is None else stored_instant(value)


class Damaged:
    """What stands for a JSON text that cannot be read: nothing that any record takes, so that its row alone is lost."""


@attrs.frozen
class EncodedJSON:
    """A JSON document that was encoded already, as :func:`to_json` does it, and is stored as it is."""

    text: str


def to_json(value: Any) -> str:
    """``value`` as JSON is stored. Raises ``TypeError`` for what JSON cannot hold."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


class JSONText(TypeDecorator[Any]):
    """A JSON object or list in a text column; :class:`EncodedJSON` is written as it is."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Raises ``TypeError`` for what JSON cannot hold."""
        if value is None:
            return None
        return value.text if type(value) is EncodedJSON else to_json(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], Any]:
        """What makes an object or a list of a stored text."""
        return _from_json


def _from_json(value: str | None) -> Any:
    """The object or list; :class:`Damaged` for what is not JSON: an error here would lose all rows of a query."""
    try:
        return None if value is None else orjson.loads(value)
    except orjson.JSONDecodeError:
        return Damaged()
