"""Jobs by a part of a text: the id, the user, the configuration's name, the error.

``job_texts`` (:mod:`actors.store.derived`) has the trigrams of the texts of ended jobs. A text of three characters and
more is looked for by its trigrams, and each job that has them all is then compared with the text itself: the index only
chooses which jobs are read. Shorter texts have no trigram: jobs are read from the newest on, without their errors.

**Filling.** Putting one job into the index costs a third of a millisecond, of many at once 15 us each. So :func:`fill`
puts ended jobs in a batch at a time, some seconds after their end; jobs that are not in it yet, active ones among them,
are looked through. ``jobs.text_place`` is a job's row in the index, NULL where it has none. A job whose text changes
leaves the index in the same statement (a trigger), and comes back with a later batch.

**Filling goes on** in :func:`keep_filled`, at most :data:`_BATCH` jobs in a transaction: some 5 ms of the writer.

**Merging.** FTS5 writes a part of its own for each transaction, and would merge parts in the transaction that makes one
too many: 10 to 30 ms, which another writer waits for. That is switched off; :func:`merge` does a bounded piece of it in
a transaction of its own, from :func:`keep_filled` and between the pruner's batches.

**Order.** A place is the millisecond of the job's id and a number within it. So walking the index backwards meets jobs
from the newest to the oldest, those of one millisecond in any order, and can stop after a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count, groupby
from typing import TYPE_CHECKING, Any

import orjson
import trio
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    bindparam,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
    update,
)

from actors.jobs.ids import milliseconds_of
from actors.store import derived
from actors.store.dialect import holds, json_part, unindexed
from actors.store.errors import StoreError
from actors.store.prepared import Prepared
from actors.store.schema import jobs
from logconf import get_logger

if TYPE_CHECKING:
    from actors.store.store import Store

_logger = get_logger("actors.store")
TRIGRAM = 3
_INDEX = table("job_texts", column("rowid", Integer))
_OF_ONE_MILLISECOND = 1 << 18
"""Places for the jobs of one millisecond: a clock that was put back gives many ids the same one."""
_LATEST = (1 << 45) - 2
"""Milliseconds up to which places fit into SQLite's integers: the year 3084. Ids of a later clock share its places."""
NOT_INDEXED: ColumnElement[Any] = literal_column(f"jobs.{derived.ENDED_NOT_INDEXED.replace(' AND ', ' AND jobs.')}")
"""Ended jobs that are not in the index. Word for word the condition of their own index."""


def holds_text(part: str) -> ColumnElement[bool]:
    """Whether one of a job's texts holds ``part``, A to Z as a to z. A short one is not looked for in errors.

    Never in the whole request: its variables would let people guess what they may not see.
    """
    searched = [jobs.c.job_id, jobs.c.user_id, json_part(jobs.c.request, "config_name"), jobs.c.error_message]
    shown = searched if len(part) >= TRIGRAM else searched[:-1]
    return or_(*(holds(column, part, any_case=True) for column in shown))


def words_of(part: str) -> str | None:
    """The query of the index that finds every job that :func:`holds_text`; None: only looking through does."""
    trigrams = dict.fromkeys(part[at : at + TRIGRAM] for at in range(len(part) - TRIGRAM + 1))
    quoted = ['"' + one.replace('"', '""') + '"' for one in trigrams if "\0" not in one]
    return " AND ".join(quoted) or None


def newest(
    connection: Connection, words: str, fits: Iterable[ColumnElement[bool]], before: str | None, most: int
) -> list[str]:
    """The ids of the newest jobs in the index that fit, ``most`` of them at least where there are as many."""
    place = _INDEX.c.rowid
    query = (
        select(jobs.c.job_id, place.label("place"))
        .join_from(_INDEX, jobs, jobs.c.text_place == unindexed(place))
        .where(literal_column("job_texts").op("MATCH")(words), *fits)
        .order_by(place.desc())
    )
    if before is not None:
        query = query.where(place < _first_place(before) + _OF_ONE_MILLISECOND)
    found: list[str] = []
    moment = None
    with connection.execute(query) as rows:
        for row in rows:
            if len(found) >= most and row.place // _OF_ONE_MILLISECOND != moment:
                break
            moment = row.place // _OF_ONE_MILLISECOND
            found.append(row.job_id)
    return found


def _first_place(job_id: str) -> int:
    """The first place of the jobs of one millisecond."""
    return min(milliseconds_of(job_id) or 0, _LATEST) * _OF_ONE_MILLISECOND


_NEXT = select(jobs.c.job_id).where(NOT_INDEXED).order_by(jobs.c.job_id)
_LAST_PLACE = Prepared(
    select(func.max(jobs.c.text_place)).where(
        jobs.c.text_place >= bindparam("first"), jobs.c.text_place < bindparam("end")
    )
)
_PLACE = Prepared(update(jobs).where(jobs.c.job_id == bindparam("this")), ["text_place"])
_PUT = text(
    f"INSERT INTO job_texts(rowid, {derived.TEXT_COLUMNS}) SELECT jobs.text_place, {derived.texts_of('jobs')}"
    " FROM jobs WHERE jobs.job_id IN (SELECT value FROM json_each(:ids))"
)


_LOOK, _PAUSE = 30.0, 0.05
"""Seconds between two looks for jobs that are not in the index, and between two transactions."""
_BATCH = 200


async def keep_filled(store: Store) -> None:
    """Put ended jobs into the index until cancelled, whenever a batch of them is missing there.

    An error is one WARNING until it works again: searches are slower, and still right.
    """
    works = True
    while True:
        await trio.sleep(_LOOK)
        try:
            while await store.read(lambda connection: number_missing(connection, _BATCH)) == _BATCH:
                await store.write(lambda tx: fill(tx.connection, _BATCH))
                await trio.sleep(_PAUSE)
                while await store.write(lambda tx: merge(tx.connection)):  # noqa: ASYNC110 - a pause for other writers
                    await trio.sleep(_PAUSE)
            works = True
        except StoreError as error:
            if works:
                _logger.warning("The index of texts could not be filled: %s", error)
            works = False


_MERGED = 16
"""Pages that one transaction merges: two or three milliseconds."""
_MERGE = text("INSERT INTO job_texts(job_texts, rank) VALUES ('merge', :pages)")


def merge(connection: Connection, pages: int = _MERGED) -> bool:
    """Merge some of the parts that changes have left in the index. False: there was nothing to merge.

    Each transaction that changes the index adds a part, and a search reads all of them. ``pages``: how many to write.
    """
    before = _CHANGES.one(connection)
    connection.execute(_MERGE, {"pages": pages})
    after = _CHANGES.one(connection)
    assert before is not None
    assert after is not None
    return bool(after[0] - before[0] >= _SOME)


_CHANGES = Prepared(select(func.total_changes()))
_SOME = 2
"""Changed rows, counted by SQLite, from which on a merge has done something."""


_MISSING = Prepared(select(func.count()).select_from(_NEXT.limit(bindparam("most")).subquery()))


def number_missing(connection: Connection, most: int) -> int:
    """How many ended jobs are not in the index; counts up to ``most``."""
    return int(_MISSING.all(connection, most=most)[0][0])


def fill(connection: Connection, most: int) -> int:
    """Put up to ``most`` ended jobs into the index, the oldest first: how many."""
    ids = list(connection.execute(_NEXT.limit(most)).scalars())
    rows: list[dict[str, Any]] = []
    for first, of_moment in groupby(ids, _first_place):
        last = _LAST_PLACE.all(connection, first=first, end=first + _OF_ONE_MILLISECOND)[0][0]
        places = count(first if last is None else last + 1)
        rows += ({"this": job_id, "text_place": place} for job_id, place in zip(of_moment, places, strict=False))
    _PLACE.run_many(connection, rows)
    connection.execute(_PUT, {"ids": orjson.dumps(ids).decode()})
    return len(ids)
