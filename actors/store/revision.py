"""The revision of a database's schema, and migration to the newest one.

Alembic is imported only if an older schema must be migrated, because it takes longer to load than the rest of the
store.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from actors.store import derived, dialect
from actors.store.errors import StoreTooNew, StoreUnavailable
from actors.store.schema import metadata

NEWEST = "0006"
KNOWN = frozenset(f"{number:04}" for number in range(2, int(NEWEST) + 1))
MIGRATIONS = Path(__file__).parent / "migrations"
"""Alembic's folder: its scripts, one for each revision after that of 0.1.0."""


def stored_revision(connection: Connection) -> str | None:
    """The revision the database says it has; None for an empty database.

    Raises :class:`StoreUnavailable` for a database that holds tables of somebody else.
    """
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if tables:
        raise StoreUnavailable(f"the database holds tables that are not Greenroom's ({', '.join(sorted(tables)[:3])})")
    return None


def bring_up_to_date(connection: Connection) -> None:
    """Make or migrate the schema. Raises :class:`StoreTooNew` where the database comes from a later version."""
    revision = stored_revision(connection)
    if revision == NEWEST:
        return
    if revision is not None and revision not in KNOWN:
        raise StoreTooNew(f"the database has revision {revision}, newer than this Greenroom knows; upgrade Greenroom")
    if revision is None:
        _create(connection)
    else:
        _migrate(connection)


def _create(connection: Connection) -> None:
    """Build the newest schema at once in an empty database. A test holds it equal to the result of migrations."""
    dialect.begin(connection)
    if stored_revision(connection) is not None:  # another process has been faster
        connection.exec_driver_sql("COMMIT")
        bring_up_to_date(connection)
        return
    metadata.create_all(connection, checkfirst=False)
    derived.create(connection)
    for statement in derived.series_statements():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    connection.execute(text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": NEWEST})
    connection.exec_driver_sql("INSERT INTO counters (name, value) VALUES ('events', 0)")
    connection.exec_driver_sql("COMMIT")


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    if not connection.in_transaction():
        connection.begin()  # so that Alembic takes part in the transaction, and does not commit it
    dialect.begin(connection)
    command.upgrade(config, "head")
    connection.exec_driver_sql("COMMIT")
