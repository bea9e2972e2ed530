"""Submits a job once under each key, and puts the token where a search can find it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit
from weakref import WeakValueDictionary

import attrs
import trio

from actors.jobs.records import Observation
from actors.providers.base import ABSENT, UNKNOWABLE, Found, Prepared, Submitted
from actors.providers.errors import OutcomeUnknown, Protocol, ProviderError
from actors.providers.replicate.api import ReplicateApi
from actors.providers.replicate.options import ReplicateOptions
from actors.providers.replicate.reading import handle_of
from actors.providers.replicate.searching import Search, reach, search
from actors.providers.replicate.unsettled import Unsettled
from actors.providers.submission_notes import SubmissionNotes

REMEMBERED = 10_000
"""Keys that this process knows the outcome of; older ones are in the runtime's rows alone."""

EVENTS = ("start", "completed")
"""The events that Replicate is to deliver: the changes of a job's status."""


@attrs.define
class Submitter:
    """Creates jobs, and finds those whose answer was lost. ``read``: gives the observation in an object."""

    _api: ReplicateApi
    _options: ReplicateOptions
    _now: Callable[[], datetime]
    _read: Callable[[Mapping[str, Any]], Observation]
    _notes: SubmissionNotes
    _born: float | None = None
    _given: OrderedDict[str, Submitted | None] = attrs.field(factory=OrderedDict)  # None: forgotten
    _unclear: dict[str, Unsettled] = attrs.field(factory=dict)
    _turns: WeakValueDictionary[str, trio.Lock] = attrs.field(factory=WeakValueDictionary)

    async def submit(self, key: str, token: str, prepared: Prepared) -> Submitted:
        """Create the job, unless it is there under ``key``."""
        async with self._turns.setdefault(key, trio.Lock()):
            return await self._submit(key, token, prepared)

    async def _submit(self, key: str, token: str, prepared: Prepared) -> Submitted:
        known = self._given.get(key)
        if known is not None:
            return Submitted(known.handle, existed=True)
        if key in self._unclear and isinstance(found := await self._search(key, token), Submitted):
            return found
        kind = prepared.body["kind"]
        unsettled = Unsettled((kind,), await self._their_time())
        await self._notes.write(key, unsettled.note())
        self._unclear[key] = unsettled
        try:
            created = await self._api.create(
                prepared.body["path"], self._body(prepared, token), prepared.body["cancel_after"]
            )
            handle = handle_of(kind, created)
        except (OutcomeUnknown, Protocol):
            raise
        except ProviderError:
            del self._unclear[key]
            self._notes.settle(key)
            raise
        finally:
            unsettled.ended = trio.current_time()
        submitted = Submitted(handle, self._seen(created))
        self._remember(key, submitted)
        return submitted

    def _body(self, prepared: Prepared, token: str) -> dict[str, Any]:
        body = dict(prepared.body["json"])
        if self._options.token_input is not None:
            body["input"] = {**body["input"], self._options.token_input: token}
        if self._options.webhook_url is not None and "webhook" not in body:
            body["webhook"] = _with_token(self._options.webhook_url, token)
            body["webhook_events_filter"] = list(EVENTS)
        return body

    def _seen(self, body: Mapping[str, Any]) -> Observation | None:
        try:
            return self._read(body)
        except Protocol:  # it exists; its state is read later
            return None

    async def find(self, key: str, token: str) -> Found:
        """What the token leads to. Raises :class:`ProviderError` while an unfound one may still be on its way."""
        if key in self._given and self._options.token_input is not None:
            await trio.lowlevel.checkpoint()
            known = self._given[key]
            return ABSENT if known is None else Submitted(known.handle, existed=True)
        found = await self._search(key, token)
        if found is ABSENT:
            self._not_too_soon(self._unclear.get(key))
            self._unclear.pop(key, None)
            self._notes.settle(key)
        return found

    async def _search(self, key: str, token: str) -> Found:
        if self._options.token_input is None:
            await trio.lowlevel.checkpoint()
            return UNKNOWABLE
        now, theirs = self._now(), await self._their_time()
        unsettled = self._unclear.get(key) or await self._noted(key)
        target = Search(self._options.token_input, token, *reach(key, unsettled, now, theirs))
        found = await search(self._api, target, self._seen)
        if isinstance(found, Submitted):
            self._remember(key, found)
        return found

    async def _noted(self, key: str) -> Unsettled | None:
        note = await self._notes.read(key)
        return None if note is None else Unsettled.of(note)

    async def _their_time(self) -> datetime | None:
        return None if self._options.token_input is None else await self._api.their_time()

    def _not_too_soon(self, unsettled: Unsettled | None) -> None:
        now = trio.current_time()  # a wall clock that is put forward must not end this wait: the job would run twice
        self._born = now if self._born is None else self._born
        last = self._born if unsettled is None else unsettled.ended or now
        left = self._options.settle_seconds - (now - last)
        if left > 0:
            raise ProviderError(f"not found, and too soon to be sure: asked again within {left:.0f} s")

    async def stand_in_rows(self, keys: Iterable[str]) -> None:
        """Note that the handles of these jobs are in the rows, so that the records for a search can be deleted."""
        await self._notes.drop(keys)

    async def forget(self, key: str) -> None:
        """Forget an ended job of that key, so that it is not found again."""
        self._remember(key, None)
        await self._notes.drop([key])

    def _remember(self, key: str, outcome: Submitted | None) -> None:
        self._unclear.pop(key, None)
        self._given[key] = outcome
        if len(self._given) > REMEMBERED:
            self._given.popitem(last=False)


def _with_token(url: str, token: str) -> str:
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode({"token": token})) if part)
    return urlunsplit(parts._replace(query=query))
