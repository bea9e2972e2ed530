"""Every statement that the product runs under the tests, and how SQLite would find its rows.

A statement is taken as it is prepared, its values bound: with values written in, an index of some rows would seem to be
used where it is not. The plan is that of an empty database without statistics, so it does not depend on what a test
stored. A scan is allowed by name in :data:`ALLOWED`, with the reason why its cost has a bound.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from actors.store import prepared

_HERE = Path(__file__).parent
_PRODUCT = str(_HERE.parent / "actors")
_BETWEEN = (str(_HERE / "statement_plans.py"), "sqlalchemy", "alembic", "contextlib.py")

SMALL = {
    "access_tokens": "one row for each token that an administrator made; read at a start and for the list of tokens",
    "approval_rules": "one row for each rule",
    "alembic_version": "one row",
    "ended_parents": "a work list: whether it has a row, and the first of them by its index",
    "counters": "one row for each counter",
    "hand_over_deaths": "jobs that are suspected of having killed the process",
    "json_each": "the list that is given with the statement",
    "lanes": "one row for each kind of entry that is ready: what a look of the scheduler is made of",
    "notification_groups": "groups of which not all jobs have ended, by target",
    "notification_targets": "targets that are disabled",
    "provider_gates": "one row for each provider that is paused or closed",
    "sqlite_master": "one row for each table and index",
    "settings": "one row for each setting that was changed at run time",
    "status_counts": "one row for each status",
    "web_sessions": "sessions of browsers, of which each token has a bounded number",
}
"""Tables that do not grow with jobs."""

PARTIAL = {
    "entries_deferred": "entries that wait for their next try",
    "entries_restored": "entries about which something is to be found out after a restore",
    "entries_running": "entries that run",
    "entries_waiting": "entries that wait",
    "notifications_open": "notifications that have not ended; all of them end at a restore",
    "notifications_due": "notifications that have not ended, the first of each job and target",
    "submissions_open": "submissions that are not closed",
    "approvals_deadline": "approval requests that are open",
    "jobs_uncertain": "jobs whose outcome is unknown",
    "jobs_not_in_text_index": "jobs that ended since the last batch of the text index",
}
"""Indexes of the rows of a few jobs: those that have not ended, or that something remains to be done about."""

_SHORT_TEXT = r"instr\(lower\(jobs\.job_id\).{,200}\n ?LIMIT"
_NO_ORGANISATION = r"FROM jobs \nWHERE EXISTS \(SELECT \* \nFROM queue_entries .{,120}\n LIMIT"
SORTED = (
    r"AS anon_1 \nFROM jobs (\nWHERE (?!jobs\.job_id IN \().{,900})?ORDER BY jobs\.[^()]{,120}\n LIMIT \? OFFSET \?$"
)
ALLOWED = {
    SORTED: "a list in the order of a column: walks its index until a page is found, or the deadline ends it",
    r"^SELECT events\.time \nFROM events ORDER BY events\.seq DESC\n LIMIT": "reads the newest row",
    r"FROM notifications ORDER BY notifications\.notification_id DESC\n LIMIT": "walks the key as far as a page",
    r"FROM approvals ORDER BY approvals\.approval_id DESC\n LIMIT": "walks the key backwards as far as a page",
    r"\(SELECT jobs\.job_id \nFROM jobs ORDER BY jobs\.job_id DESC\n LIMIT": "walks the key backwards as far as a page",
    _NO_ORGANISATION: "jobs of no organisation: walks the key backwards until a page is found, or the deadline ends it",
    _SHORT_TEXT: "a text without a trigram: walks the key backwards until a page is found, or the deadline ends it",
}
"""Regular expressions of statements that scan a table, and why they may."""

_NO_TABLE = r"CONSTANT ROW|\d+ CONSTANT ROWS|\(|anon_\d+\b|\w+ VIRTUAL TABLE INDEX \d+:M"
_SCAN = re.compile(rf"SCAN (?!{_NO_TABLE})(\w+)(?: USING (?:COVERING )?INDEX (\w+))?")

statements: dict[str, list[str]] = {}
"""By statement: the lines of its plan."""


def _is_products() -> bool:
    """Whether the nearest frame that is nobody's library is the product's."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PRODUCT) and not name.endswith("prepared.py"):
            return True
        if not any(part in name for part in _BETWEEN) and not name.startswith(_PRODUCT):
            return False
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _note(connection: Connection, text: str) -> None:
    if text in statements or not text.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
        return
    if not _is_products():
        return
    statements[text] = plan(connection.connection.driver_connection, text)


_LISTED = re.compile(r"(?<![+.\w])(\w+)\.(job_id|key) IN \(\?(?:, \?)*\)")


def plan(driver: Any, text: str) -> list[str]:
    """How SQLite would find the rows of this statement, lists of ids being long: short ones hide a bad plan."""
    text = _LISTED.sub(rf"\1.\2 IN (?{', ?' * 63})", text)
    named = dict.fromkeys(re.findall(r"(?<![:\w]):(\w+)", text))
    values: Any = named or (None,) * len(re.sub(r"'[^']*'", "", text).split("?")[1:])
    cursor = driver.cursor()
    cursor.row_factory = None
    try:
        return [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    finally:
        cursor.close()


def scans(text: str, lines: list[str]) -> list[str]:
    """The lines of a plan that read a whole table or index and are not allowed."""
    if any(re.search(pattern, text, re.DOTALL) for pattern in ALLOWED):
        return []
    found = []
    for line in lines:
        for table, index in _SCAN.findall(line):
            if table not in SMALL and index not in PARTIAL:
                found.append(line)
    return found


def unused_lists(text: str, lines: list[str]) -> list[str]:
    """The tables of which a list of ids says which rows are meant, but whose rows are found by something else.

    Such a statement reads all rows that the other condition names, to take a few of them: with many jobs it is slow.
    """
    searches = [line for line in lines if line.startswith("SEARCH")]
    return [
        f"{table}.{column}"
        for table, column in _LISTED.findall(text)
        if not any(line.startswith(f"SEARCH {table} ") and f"{column}=?" in line for line in searches)
    ]


@contextmanager
def recorded() -> Iterator[None]:
    """Take the plan of every statement that the product runs meanwhile."""
    run = prepared._with_cursor

    def noted(connection: Connection, use: Any, text: str, arguments: Any) -> Any:
        _note(connection, text)
        return run(connection, use, text, arguments)

    def before(connection: Connection, _cursor: Any, text: str, *_others: Any) -> None:
        _note(connection, text)

    event.listen(Engine, "before_cursor_execute", before)
    prepared._with_cursor = noted
    try:
        yield
    finally:
        prepared._with_cursor = run
        event.remove(Engine, "before_cursor_execute", before)
