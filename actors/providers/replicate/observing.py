"""Many jobs observed in few requests: by pages of the list as long as those have many of them, the rest one by one.

A list is newest first and does not prove absence: a job that it did not show is requested by its id. Pages are read
until all jobs were seen, until the list is older than the oldest of them, or until so many pages in a row showed none
that asking for the rest costs no more. A look that its time cut off is taken up where it stopped, so that a slow list
hides nobody for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs
import trio

from actors.jobs.records import Observation
from actors.providers.base import Handle, View
from actors.providers.errors import NotFound, Protocol, ProviderError, Unavailable
from actors.providers.replicate.api import ReplicateApi
from actors.providers.replicate.preparing import PREDICTION, TRAINING
from actors.providers.replicate.reading import SKEW, ends_before, kind_of, moment, remote_id

AT_MOST = 15.0
"""Seconds of one look, within what the guard allows for it; what was not reached is not in the view."""

MOST_PAGES = 1_000

Read = Callable[[Mapping[str, Any]], Observation]


@attrs.define
class _Look:
    """One look at the jobs of one kind, by id: what was seen, what is missing still."""

    missing: dict[str, str]
    observations: dict[str, Observation] = attrs.field(factory=dict)
    absent: set[str] = attrs.field(factory=set)
    failed: dict[str, str] = attrs.field(factory=dict)
    errors: list[ProviderError] = attrs.field(factory=list)


class Observer:
    """Looks at jobs; remembers of those it looks at when they were created, and how many pages that took."""

    def __init__(self, api: ReplicateApi, read: Read) -> None:
        self._api = api
        self._read = read
        self._created: dict[str, datetime] = {}
        self._pages = {PREDICTION: 1, TRAINING: 1}
        self._stopped_at: dict[str, str | None] = {}
        self._first: frozenset[str] = frozenset()

    async def look(self, handles: Mapping[str, Handle]) -> View:
        """What became of the jobs of these keys. Raises what failed where nothing at all could be seen."""
        looks, failed = _sorted(handles)
        self._created = {
            job: at for job, at in self._created.items() if any(job in one.missing for one in looks.values())
        }
        with trio.move_on_after(AT_MOST) as scope:
            for kind, look in looks.items():
                await self._look(kind, look)
        self._first = frozenset(job for look in looks.values() for job in look.missing)
        view = View(failed=failed, complete=not any(look.missing for look in looks.values()))
        for look in looks.values():
            view = attrs.evolve(
                view,
                observations={**view.observations, **look.observations},
                absent=view.absent | look.absent,
                failed={**view.failed, **look.failed},
            )
        errors = [error for look in looks.values() for error in look.errors]
        if scope.cancelled_caught:
            errors.append(Unavailable(f"the jobs could not be read within {AT_MOST:g} s"))
        if errors and not view.observations and not view.absent:
            raise errors[0]
        return view

    async def _look(self, kind: str, look: _Look) -> None:
        if len(look.missing) > self._pages[kind]:
            try:
                self._pages[kind] = await self._list(kind, look)
            except Protocol:  # one job in the list may be the reason: so each is asked for itself
                self._stopped_at.pop(kind, None)
            except ProviderError as error:  # what the pages before it showed is good
                self._stopped_at.pop(kind, None)  # a place in the list that is no more must not be asked for again
                look.errors.append(error)
                look.failed |= {key: str(error) for key in look.missing.values()}
                return
        else:
            self._pages[kind] = max(1, self._pages[kind] // 2)  # so that the list is tried again some time
        async with trio.open_nursery() as nursery:
            for job_id in sorted(look.missing, key=lambda job: job not in self._first):
                nursery.start_soon(self._get, kind, job_id, look)

    async def _list(self, kind: str, look: _Look) -> int:
        """Read pages; how many there were."""
        since = min((self._created[job] for job in look.missing), default=None) if self._knows(look.missing) else None
        since = None if since is None else since - SKEW
        begun = cursor = self._stopped_at.pop(kind, None)
        fruitless, pages = 0, 0
        while look.missing and fruitless < len(look.missing) and pages < MOST_PAGES:
            self._stopped_at[kind] = cursor
            page = await self._api.page(kind, cursor, since)
            pages += 1
            found = sum(self._note(body, look) for body in page.jobs)
            fruitless = 0 if found else fruitless + 1
            if page.cursor is None or page.cursor == cursor or ends_before(page.jobs, since):
                if begun is None:
                    break
                begun, page = None, attrs.evolve(page, cursor=None)  # the newest pages, which this look left out
            cursor = page.cursor
        self._stopped_at.pop(kind, None)
        return max(1, pages)

    def _knows(self, missing: Iterable[str]) -> bool:
        return all(job in self._created for job in missing)

    def _note(self, body: Mapping[str, Any], look: _Look) -> bool:
        """Take the status from an object if its job is still missing; False for any other object."""
        job_id = body.get("id")
        key = look.missing.pop(job_id, None) if isinstance(job_id, str) else None
        if key is None:
            return False
        assert isinstance(job_id, str)
        if (created := moment(body.get("created_at"))) is not None:
            self._created[job_id] = created
        try:
            look.observations[key] = self._read(body)
        except Protocol as error:
            look.failed[key] = str(error)
        return True

    async def _get(self, kind: str, job_id: str, look: _Look) -> None:
        try:
            body = await self._api.get(kind, job_id)
        except NotFound:
            look.absent.add(look.missing.pop(job_id))
        except ProviderError as error:
            look.errors.append(error)
            look.failed[look.missing.pop(job_id)] = str(error)
        else:
            self._note({**body, "id": job_id}, look)


def _sorted(handles: Mapping[str, Handle]) -> tuple[dict[str, _Look], dict[str, str]]:
    """The jobs by kind, and what is wrong with the handles that name none."""
    looks: dict[str, _Look] = {}
    failed = {}
    for key, handle in handles.items():
        try:
            looks.setdefault(kind_of(handle), _Look({})).missing[remote_id(handle.get("id"))] = key
        except Protocol as error:
            failed[key] = f"its handle names no job: {error}"
    return looks, failed
