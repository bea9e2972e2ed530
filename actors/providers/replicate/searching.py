"""Searches for a submission whose answer was lost: for the token in the input of the jobs in the list.

A job that is not found is surely absent only if three things are true: the list reached back to the submission, by
Replicate's own time; the request can no longer be on its way; and no job in question had its input deleted (this
happens an hour after its end). In every other case the outcome is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from actors.jobs.ids import time_of
from actors.jobs.records import Observation
from actors.providers.base import ABSENT, UNKNOWABLE, Found, Submitted
from actors.providers.replicate.api import ReplicateApi
from actors.providers.replicate.preparing import PREDICTION, TRAINING
from actors.providers.replicate.reading import RETENTION, SKEW, ends_before, handle_of
from actors.providers.replicate.unsettled import Unsettled

MOST_PAGES = 30
"""Of each list: older pages are not searched, and a person decides."""

KINDS = (PREDICTION, TRAINING)


@attrs.frozen
class Search:
    """What is searched for: the ``token`` under the input ``name``, in jobs of ``kinds`` created since ``since``.

    ``since``: in Replicate's time; None: all jobs are searched. ``sure``: whether the submission can only have been
    created since then, so that a job that is not found is absent.
    """

    name: str
    token: str
    kinds: tuple[str, ...]
    since: datetime | None
    sure: bool


def reach(
    key: str, unsettled: Unsettled | None, ours: datetime, theirs: datetime | None
) -> tuple[tuple[str, ...], datetime | None, bool]:
    """Return the kinds of jobs that a submission can have made, since when (in Replicate's time), and whether that is
    sure.

    ``unsettled``: what is known of the submission. Without it, nothing was submitted, or an earlier version submitted
    it. Then the submission is not older than its job. Our wall clock, which said when the job was accepted, may have
    been ahead; so the last hour is searched in any case. This costs no certainty, because nothing of that hour is
    deleted yet.
    """
    if unsettled is not None:
        began = unsettled.began
        return unsettled.kinds, None if began is None else began - SKEW, began is not None
    if theirs is None:
        return KINDS, None, False
    accepted = (time_of(key) or ours) - ours
    if accepted > SKEW:  # in the future: our clock was ahead, by an unknown amount
        return KINDS, None, False
    return KINDS, theirs + min(accepted - SKEW, -RETENTION), True


async def search(api: ReplicateApi, target: Search, seen: Callable[[Mapping[str, Any]], Observation | None]) -> Found:
    """Return the job with the token, ``ABSENT`` if no job can be it, or ``UNKNOWABLE`` if some job may be.

    ``seen``: gives the observation in an object, or None where it has none.
    """
    sure = target.sure
    for kind in target.kinds:
        cursor, pages = None, 0
        while True:
            page = await api.page(kind, cursor, target.since)
            pages += 1
            for body in page.jobs:
                if _is_it(body, target):
                    return Submitted(handle_of(kind, body), seen(body), existed=True)
                sure = sure and not _erased(body)
            if page.last or ends_before(page.jobs, target.since):
                break
            if pages >= MOST_PAGES or page.cursor is None or page.cursor == cursor:
                sure = False
                break
            cursor = page.cursor
    return ABSENT if sure else UNKNOWABLE


def _is_it(body: Mapping[str, Any], target: Search) -> bool:
    given = body.get("input")
    return isinstance(given, Mapping) and given.get(target.name) == target.token


def _erased(body: Mapping[str, Any]) -> bool:
    """Return whether the input of a job that may be ours was deleted."""
    ended = body.get("completed_at") is not None
    return body.get("source") != "web" and ended and (body.get("data_removed") is True or not body.get("input"))
