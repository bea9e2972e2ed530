"""The schema of a database beside the one that the code describes."""

from __future__ import annotations

import warnings
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import SAWarning

from actors.store.schema import metadata


def difference(connection: Connection) -> list[Any]:
    """What Alembic would change; what :mod:`actors.store.derived` makes is not known to it."""

    def known(_item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        return not (kind == "table" and name is not None and name.startswith("job_texts"))

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index", SAWarning)
        return list(compare_metadata(MigrationContext.configure(connection, opts={"include_object": known}), metadata))
