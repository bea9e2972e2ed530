"""Observes many jobs with few requests: reads pages of the list while they show many of them, then asks one by one.

A list is newest first and does not prove that a job is absent: a job that it did not show is requested by its id. Pages
are read until all jobs were seen, until the list is older than the oldest of them, or until so many pages in a row
showed none that asking for the rest costs no more. A look that ran out of time continues where it stopped, so that a
slow list does not hide any job for ever.
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
from actors.providers.replicate.reading import SKEW, ends_before, kind_and_id, moment

AT_MOST = 15.0
"""Seconds of one look, within what the guard allows for it; what was not reached is not in the view."""

MOST_PAGES = 1_000

Read = Callable[[Mapping[str, Any]], Observation]


@attrs.define
class _Look:
    """One look: what was seen, by key; and by kind, the ids of the jobs that are still missing, with their keys."""

    missing: dict[str, dict[str, str]] = attrs.field(factory=dict)
    observations: dict[str, Observation] = attrs.field(factory=dict)
    absent: set[str] = attrs.field(factory=set)
    failed: dict[str, str] = attrs.field(factory=dict)
    errors: list[ProviderError] = attrs.field(factory=list)

    @classmethod
    def at(cls, handles: Mapping[str, Handle]) -> _Look:
        """Return a look at these jobs. A handle that names no job has failed."""
        look = cls()
        for key, handle in handles.items():
            try:
                kind, job_id = kind_and_id(handle)
                look.missing.setdefault(kind, {})[job_id] = key
            except Protocol as error:
                look.failed[key] = f"its handle names no job: {error}"
        return look

    @property
    def all_missing(self) -> frozenset[str]:
        """The ids of the jobs that were not seen yet."""
        return frozenset(job for jobs in self.missing.values() for job in jobs)


class Observer:
    """Looks at jobs. It remembers when these jobs were created, and how many pages the last look took."""

    def __init__(self, api: ReplicateApi, read: Read) -> None:
        self._api = api
        self._read = read
        self._created: dict[str, datetime] = {}
        self._pages = {PREDICTION: 1, TRAINING: 1}
        self._stopped_at: dict[str, str | None] = {}
        self._first: frozenset[str] = frozenset()

    async def look(self, handles: Mapping[str, Handle]) -> View:
        """Return the state of the jobs with these keys. Raises the first failure if nothing at all could be seen."""
        look = _Look.at(handles)
        asked = look.all_missing
        self._created = {job: at for job, at in self._created.items() if job in asked}
        with trio.move_on_after(AT_MOST) as scope:
            for kind, missing in look.missing.items():
                await self._look(kind, missing, look)
        self._first = look.all_missing
        if scope.cancelled_caught:
            look.errors.append(Unavailable(f"the jobs could not be read within {AT_MOST:g} s"))
        if look.errors and not look.observations and not look.absent:
            raise look.errors[0]
        return View(look.observations, frozenset(look.absent), look.failed, complete=not self._first)

    async def _look(self, kind: str, missing: dict[str, str], look: _Look) -> None:
        if len(missing) > self._pages[kind]:
            try:
                self._pages[kind] = await self._list(kind, missing, look)
            except Protocol:  # one job in the list may be the reason: so each is asked for itself
                self._stopped_at.pop(kind, None)
            except ProviderError as error:  # what the pages before it showed is good
                self._stopped_at.pop(kind, None)  # a place in the list that is no more must not be asked for again
                look.errors.append(error)
                look.failed |= {key: str(error) for key in missing.values()}
                return
        else:
            self._pages[kind] = max(1, self._pages[kind] // 2)  # so that the list is tried again some time
        async with trio.open_nursery() as nursery:
            for job_id in sorted(missing, key=lambda job: job not in self._first):
                nursery.start_soon(self._get, kind, job_id, missing, look)

    async def _list(self, kind: str, missing: dict[str, str], look: _Look) -> int:
        """Read pages, and return how many there were."""
        since = min((self._created[job] for job in missing), default=None) if self._knows(missing) else None
        since = None if since is None else since - SKEW
        begun = cursor = self._stopped_at.pop(kind, None)
        fruitless, pages = 0, 0
        while missing and fruitless < len(missing) and pages < MOST_PAGES:
            self._stopped_at[kind] = cursor
            page = await self._api.page(kind, cursor, since)
            pages += 1
            found = sum(self._note(body, missing, look) for body in page.jobs)
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

    def _note(self, body: Mapping[str, Any], missing: dict[str, str], look: _Look) -> bool:
        """Take the status from an object if its job is still missing. Returns False for any other object."""
        job_id = body.get("id")
        key = missing.pop(job_id, None) if isinstance(job_id, str) else None
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

    async def _get(self, kind: str, job_id: str, missing: dict[str, str], look: _Look) -> None:
        try:
            body = await self._api.get(kind, job_id)
        except NotFound:
            look.absent.add(missing.pop(job_id))
        except ProviderError as error:
            look.errors.append(error)
            look.failed[missing.pop(job_id)] = str(error)
        else:
            self._note({**body, "id": job_id}, missing, look)
