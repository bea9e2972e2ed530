"""Rows of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack

import attrs
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)

from actors.jobs import globs
from actors.jobs.codec import request_to_json
from actors.jobs.ids import earliest
from actors.jobs.records import ACTIVE_JOBS, Job, JobStatus
from actors.jobs.views import JobFilters
from actors.store import approvals, derived, dialect, names, text_search
from actors.store.dialect import constant, unindexed
from actors.store.names import Called
from actors.store.paging import bounded, stored_size
from actors.store.prepared import Prepared
from actors.store.rows import read_all, read_one
from actors.store.schema import approvals as approval_rows
from actors.store.schema import jobs, queue_entries
from actors.store.types import EncodedJSON

_NOT_PLAIN = ("request", "user_id", "status", "text_place", "config_name", "group_name")
_PLAIN = {column.name: column for column in jobs.columns if column.name not in _NOT_PLAIN}


_NEW = Prepared(insert(jobs))


def to_row(job: Job, encoded: bytes | None = None) -> dict[str, Any]:
    """``job`` as column values; ``encoded``: its request as JSON, if it is at hand."""
    row = {name: getattr(job, name) for name in _PLAIN}
    request = request_to_json(job.request) if encoded is None else EncodedJSON(encoded.decode())
    row |= {"status": job.status.value, "user_id": job.request.user_id, "request": request, "text_place": None}
    row |= {"config_name": job.request.config_name, "group_name": job.request.group}
    return row


def add(connection: Connection, new: Sequence[Job], encoded: Mapping[str, bytes | None] | None = None) -> None:
    """Insert new jobs; ``encoded``: by job id, the requests that are at hand as JSON."""
    encoded = encoded or {}
    _NEW.run_many(connection, [to_row(job, encoded.get(job.job_id)) for job in new])


_BY_ID = Prepared(select(jobs).where(jobs.c.job_id == bindparam("this")))
_BY_IDS = Prepared(select(jobs).where(jobs.c.job_id.in_(bindparam("these", expanding=True))))
_ONE = Prepared(update(jobs).where(jobs.c.job_id == bindparam("this"), jobs.c.version == bindparam("before")))


def get(connection: Connection, job_id: str) -> Job | None:
    """The job of this id."""
    return read_one(Job, _BY_ID.one_dict(connection, this=job_id))


def get_many(connection: Connection, job_ids: Iterable[str]) -> dict[str, Job]:
    """The jobs of these ids, by id."""
    return {job.job_id: job for job in read_all(Job, _BY_IDS.dicts(connection, these=job_ids))}


def change(connection: Connection, job: Job, now: datetime, **changes: Any) -> Job:
    """Change columns of ``job``, which is returned as it is now.

    Raises ``LookupError`` if its row is no longer of the version that was read.
    """
    after = attrs.evolve(job, **changes, updated_at=now, version=job.version + 1)
    values = {**changes, "status": after.status.value, "updated_at": now, "version": after.version}
    if _ONE.writing(values).run(connection, this=job.job_id, before=job.version, **values) != 1:
        raise LookupError(f"job {job.job_id} changed since it was read")
    return after


_APPROVAL_SIZE = select(func.coalesce(func.sum(approvals.SIZE), 0)).where(approval_rows.c.job_id == jobs.c.job_id)
SIZE = stored_size(
    jobs.c.request, jobs.c.progress, jobs.c.result, jobs.c.error_message, jobs.c.uncertain_reason, jobs.c.output_url
) + _APPROVAL_SIZE.scalar_subquery()  # fmt: skip
"""How many bytes of text a job has, its approval requests included."""


_LOOKED_THROUGH = 2_000
"""Of the newest jobs, before the index of names is read."""


def page(
    connection: Connection,
    *,
    before: str | None = None,
    limit: int = 100,
    **filters: Unpack[JobFilters],
) -> tuple[list[Job], bool]:
    """Jobs, newest first, and whether there are more; ``before``: only those older than this one."""
    chosen: Any = _newest(filters, before, limit + 1)
    if (text := filters.get("text")) and (words := text_search.words_of(text)):
        chosen = _with_text(connection, words, filters, before, limit + 1)
    elif recent := _recent(connection, filters, before, limit + 1):
        chosen = recent
    query = select(jobs.c.job_id, SIZE).where(jobs.c.job_id.in_(chosen)).order_by(jobs.c.job_id.desc())
    found, more = bounded(connection, query, limit)
    by_id = get_many(connection, [row.job_id for row in found])
    return [by_id[row.job_id] for row in found if row.job_id in by_id], more


def choose(connection: Connection, most: int, **filters: Unpack[JobFilters]) -> list[Called]:
    """The newest jobs that fit, ``most`` of them, as far as they are chosen by."""
    newest = select(*names.COLUMNS).where(jobs.c.job_id.in_(_newest(filters, None, most)))
    found = connection.execute(newest.order_by(jobs.c.job_id.desc()).limit(most))
    return [Called(*row) for row in found]


def _with_text(connection: Connection, words: str, filters: JobFilters, before: str | None, most: int) -> list[str]:
    """The ids of the newest jobs that fit, by the text index; jobs that are not in it are looked through."""
    statuses = tuple(filters.get("statuses", ())) or tuple(JobStatus)
    fits = [*conditions(filters, before), *of_organisation(filters.get("org_id")), *of_name(filters)]
    is_one_of = has_status(statuses)
    active = [_branch([jobs.c.status == constant(one), *fits], most) for one in statuses if one in ACTIVE_JOBS]
    ended = _branch([text_search.NOT_INDEXED, is_one_of, *fits], most)
    found = set(connection.execute(union_all(*active, ended)).scalars())
    found.update(text_search.newest(connection, words, [is_one_of, *fits], before, most))
    return sorted(found, reverse=True)[:most]


def conditions(
    filters: JobFilters,
    before: str | None,
    job_id: ColumnElement[str] = jobs.c.job_id,
    user_id: ColumnElement[str] = jobs.c.user_id,
    provider: ColumnElement[str] = jobs.c.provider,
) -> Iterator[ColumnElement[bool]]:
    """What a job must fulfil, its status, name, group and organisation apart. ``job_id``: the column that is walked."""
    for column, value in ((user_id, filters.get("user_id")), (provider, filters.get("provider"))):
        if value is not None:
            yield column == value
    if (since := filters.get("since")) is not None:
        yield job_id >= earliest(since)
    if (until := filters.get("until")) is not None:
        yield job_id < earliest(until)
    if before is not None:
        yield job_id < before
    if text := filters.get("text"):
        yield text_search.holds_text(text)


def _recent(connection: Connection, filters: JobFilters, before: str | None, most: int) -> list[str]:
    """The newest jobs with a name that fits a pattern, where the newest of all hold as many; else nothing.

    Most patterns fit many names, and reading the index of all of them would take longer.
    """
    name, group = filters.get("name"), filters.get("group")
    if name is None or globs.is_literal(name) or group is not None or most > _LOOKED_THROUGH:
        return []
    others: JobFilters = {**filters, "name": None}
    looked_at = jobs.c.job_id.in_(_newest(others, before, _LOOKED_THROUGH))
    query = select(jobs.c.job_id).where(looked_at, *of_name(filters))
    found = list(connection.execute(query.order_by(unindexed(jobs.c.job_id).desc()).limit(most)).scalars())
    return found if len(found) == most else []


def has_status(statuses: Iterable[JobStatus]) -> ColumnElement[bool]:
    """Whether a job has one of ``statuses``; no rows are looked for by it."""
    return unindexed(jobs.c.status).in_([constant(status) for status in statuses])


def of_name(filters: JobFilters) -> Iterator[ColumnElement[bool]]:
    """The conditions on name and group; no rows are looked for by them."""
    if (group := filters.get("group")) is not None:
        yield unindexed(jobs.c.group_name) == group
    if (name := filters.get("name")) is not None:
        yield dialect.glob(unindexed(jobs.c.config_name), globs.checked(name))


def _by_name(filters: JobFilters, before: str | None, most: int) -> Select[Any] | None:
    """The newest jobs of a group or with such a name, by the index of these; None: neither is asked for.

    Of names that may begin with anything the whole index of names is read, without the rows.
    """
    group, name = filters.get("group"), filters.get("name")
    if group is None and name is None:
        return None
    user_id: ColumnElement[Any] = jobs.c.user_id
    if group is not None:
        found = [jobs.c.group_name == group]
    elif globs.is_literal(name or ""):
        found = [jobs.c.config_name == name]
    else:
        found, user_id = [dialect.starts_with(jobs.c.config_name, globs.literal_start(name or ""))], unindexed(user_id)
    place, provider = unindexed(jobs.c.job_id), unindexed(jobs.c.provider)
    if statuses := tuple(filters.get("statuses", ())):
        found.append(has_status(statuses))
    found += [*conditions(filters, before, place, user_id, provider), *of_name(filters)]
    found += of_organisation(filters.get("org_id"))
    return select(jobs.c.job_id).where(*found).order_by(place.desc()).limit(most)


def of_organisation(org_id: str | None) -> Iterator[ColumnElement[bool]]:
    """The condition that a job is of this organisation."""
    if org_id is not None:
        yield exists().where(queue_entries.c.job_id == jobs.c.job_id, unindexed(queue_entries.c.org_id) == org_id)


def _newest(filters: JobFilters, before: str | None, most: int) -> Select[Any]:
    """The ids of the newest jobs that fit, ``most`` of them at least where there are as many.

    An index is walked in the order of the ids and left after ``most``. Where it begins with other columns than the id,
    that order is the ids' within one status, so each status has a branch of its own.
    """
    if (named := _by_name(filters, before, most)) is not None:
        return named
    org_id, statuses = filters.get("org_id"), tuple(filters.get("statuses", ()))
    if org_id and not {name for name, value in filters.items() if value} - {"org_id", "since", "until"}:
        place = queue_entries.c.job_id
        is_its = (queue_entries.c.org_id == org_id) & (queue_entries.c.org_id != literal_column("''"))
        return select(place).where(is_its, *conditions(filters, before, place)).order_by(place.desc()).limit(most)
    fits = [*conditions(filters, before), *of_organisation(org_id)]
    if not statuses and filters.get("user_id") is None and filters.get("provider") is None:
        return select(jobs.c.job_id).where(*fits).order_by(jobs.c.job_id.desc()).limit(most)
    branches = [_branch([jobs.c.status == constant(one), *fits], most) for one in statuses or JobStatus]
    return select(union_all(*branches).subquery())


def _branch(fits: Iterable[ColumnElement[bool]], most: int) -> Select[Any]:
    """The ids of the newest ``most`` jobs that fit, as a part of a UNION."""
    return select(select(jobs.c.job_id).where(*fits).order_by(jobs.c.job_id.desc()).limit(most).subquery())


def counts(connection: Connection) -> dict[JobStatus, int]:
    """How many jobs there are of each status."""
    return derived.counts_of(connection, jobs.name, JobStatus)


_OF_EACH_STATUS = jobs.c.status.in_([constant(status) for status in JobStatus])
"""True of every job: lets the index of a user's jobs find them by their ids."""


_OF_USER = jobs.c.user_id == bindparam("user_id")
_SUBMITTED_SINCE = Prepared(
    select(func.count()).where(
        _OF_USER, _OF_EACH_STATUS, jobs.c.job_id >= bindparam("earliest"), jobs.c.created_at > bindparam("since")
    )
)
_ANY = Prepared(select(jobs.c.job_id).where(_OF_USER).limit(1))


def submitted_since(connection: Connection, user_id: str, since: datetime) -> int:
    """How many jobs this user submitted after ``since``."""
    return int(_SUBMITTED_SINCE.all(connection, user_id=user_id, earliest=earliest(since), since=since)[0][0])


def has_any(connection: Connection, user_id: str) -> bool:
    """Whether this user ever submitted a job."""
    return _ANY.one(connection, user_id=user_id) is not None


_EARLIER = _OF_USER & _OF_EACH_STATUS & (jobs.c.job_id < bindparam("this"))
_EARLIER_SINCE = Prepared(
    select(func.count()).where(_EARLIER, jobs.c.job_id >= bindparam("earliest"), jobs.c.created_at > bindparam("since"))
)
_ANY_EARLIER = Prepared(select(jobs.c.job_id).where(_EARLIER).limit(1))


def before(connection: Connection, job: Job, since: datetime) -> tuple[int, bool]:
    """Of the same user's jobs before ``job``: how many were submitted after ``since``, and whether there was any."""
    known = {"user_id": job.request.user_id, "this": job.job_id}
    number = int(_EARLIER_SINCE.all(connection, earliest=earliest(since), since=since, **known)[0][0])
    return number, _ANY_EARLIER.one(connection, **known) is not None


_UNCERTAIN = Prepared(select(jobs.c.job_id).where(jobs.c.uncertain_since.is_not(None)).order_by(jobs.c.job_id))


def uncertain(connection: Connection) -> list[str]:
    """Ids of active jobs of which it is unknown whether they run; those that ended are no longer uncertain."""
    return [job_id for (job_id,) in _UNCERTAIN.all(connection)]
