"""Pages of rows that are bounded in number and in bytes (D2), whatever the rows hold."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Select, cast, func

from actors.jobs import maxima


def stored_size(*columns: ColumnElement[Any]) -> ColumnElement[int]:
    """How many bytes these columns hold; one that is empty holds none."""
    total: ColumnElement[int] | None = None
    for column in columns:
        size = func.coalesce(func.length(cast(column, LargeBinary)), 0)
        total = size if total is None else total + size
    assert total is not None
    return total


def bounded(connection: Connection, query: Select[Any], limit: int) -> tuple[list[Any], bool]:
    """Rows of ``query``, the last column of which is a size in bytes, and whether there are more.

    At most ``limit`` rows, and at most :data:`~actors.jobs.maxima.ANSWER` bytes, yet always one row where there is one.
    Rows that are left out are not read: their sizes alone are, up to the first that does not fit.
    """
    found: list[Any] = []
    size = 0
    with connection.execute(query.limit(limit + 1)) as rows:
        for row in rows:
            size += row[-1]
            if len(found) >= limit or (found and size > maxima.ANSWER):
                return found, True
            found.append(row)
    return found, False
