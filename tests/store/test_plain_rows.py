"""Rows read past SQLAlchemy's own row objects, and lanes remembered by their rows."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from actors.store.dialect import open_engine, plain_rows
from actors.store.schema import lanes


@pytest.fixture
def connection():
    engine = open_engine(None)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_plain_rows_are_what_the_driver_gives(connection):
    assert plain_rows(connection, text("SELECT 1 AS one, 'two' AS two UNION SELECT 3, 'four'")) == [
        (1, "two"),
        (3, "four"),
    ]


def test_a_failure_in_the_middle_of_the_rows_is_a_database_error_like_any_other(connection):
    """The store's border knows :class:`DBAPIError` alone; the driver's own would pass it by."""
    driver = connection.connection.driver_connection
    numbers = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n")
    driver.set_progress_handler(lambda: True, 100_000)
    with pytest.raises(DBAPIError, match="interrupted"):
        plain_rows(connection, numbers)
    driver.set_progress_handler(None, 0)
    assert plain_rows(connection, text("SELECT 1")) == [(1,)]


def test_the_columns_of_a_lane_stand_in_the_order_in_which_its_row_is_unpacked():
    """Lanes are made of rows by place: a column added in the middle of the table must not go unnoticed."""
    assert [column.name for column in lanes.columns] == [
        "lane_id", "user_id", "org_id", "team_id", "provider", "cpus", "gpus", "memory", "base_priority", "override",
        "number", "head_job_id", "head_queued_at", "head_queued_seq", "blocked_since", "tag",
    ]  # fmt: skip
