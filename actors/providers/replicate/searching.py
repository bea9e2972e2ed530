"""Where a submission went whose answer was lost: the list is searched for the token in the job's input.

What is not found is surely absent only if the list reached back to the hand-over, if the request can no longer be on
its way, and if no job in question had its input erased (an hour after its end). Everything else is not known.

The hand-over's time was told by our wall clock, which may be ahead of Replicate's, or was ahead at that time and has
been put back since: then the search reaches back further, since a job overlooked would be computed twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from actors.jobs.ids import time_of
from actors.providers.base import ABSENT, UNKNOWABLE, Found, Submitted
from actors.providers.errors import ProviderError
from actors.providers.replicate.api import ReplicateApi
from actors.providers.replicate.preparing import PREDICTION, TRAINING
from actors.providers.replicate.reading import handle_of, moment, observation_of

SKEW = timedelta(minutes=1)
"""By how much the clocks here and there may differ."""

MOST_PAGES = 30
"""Of each list: further back nobody searches, and a person decides."""

_BACK = timedelta(hours=1)
_NO_CLOCK = timedelta(days=3650)
_KINDS = (PREDICTION, TRAINING)


@attrs.frozen
class Search:
    """What is searched: the ``token`` under the input ``name``, in jobs created since ``since`` (None: in all)."""

    name: str
    token: str
    since: datetime | None
    kinds: Iterable[str] = _KINDS


def handed_over_after(key: str, now: datetime) -> datetime | None:
    """The earliest time at which a hand-over under ``key`` can have been made: when its job was accepted.

    None where that lies in the future: the clock was put back since, and nobody knows by how much.
    """
    accepted = time_of(key) or now - _BACK
    return accepted if accepted <= now + SKEW else None


async def search(api: ReplicateApi, wanted: Search, now: datetime, usd_per_second: float | None) -> Found:
    """The job with the token, ``ABSENT`` where no job can be it, ``UNKNOWABLE`` where some may.

    ``now``: by our clock, a moment before the search.
    """
    sure, asked_clock = True, False
    since = None if wanted.since is None else wanted.since - SKEW
    for kind in wanted.kinds:
        cursor, pages = None, 0
        while True:
            page = await api.page(kind, cursor, since)
            pages += 1
            if since is not None and not asked_clock and page.sent_at is not None:
                asked_clock, ahead = True, now - page.sent_at
                if ahead > SKEW / 2:  # once more, by their clock
                    since = since - ahead if ahead < _NO_CLOCK else None
                    continue
            for body in page.jobs:
                if _is_it(body, wanted):
                    return Submitted(handle_of(kind, body), _seen(body, now, usd_per_second), existed=True)
                sure = sure and not _erased(body)
            if page.cursor is None or page.cursor == cursor or _older(page.jobs, since):
                break
            if pages >= MOST_PAGES:
                sure = False
                break
            cursor = page.cursor
    return ABSENT if sure else UNKNOWABLE


def _is_it(body: Mapping[str, Any], wanted: Search) -> bool:
    given = body.get("input")
    return isinstance(given, Mapping) and given.get(wanted.name) == wanted.token


def _erased(body: Mapping[str, Any]) -> bool:
    """Whether the input of a job that may be ours can no longer be read."""
    ended = body.get("completed_at") is not None
    return body.get("source") != "web" and ended and (body.get("data_removed") is True or not body.get("input"))


def _older(jobs: Iterable[Mapping[str, Any]], since: datetime | None) -> bool:
    """Whether a page, newest first, reached back beyond ``since``."""
    times = [created for body in jobs if (created := moment(body.get("created_at"))) is not None]
    return bool(times) and since is not None and times[-1] < since


def _seen(body: Mapping[str, Any], now: datetime, usd_per_second: float | None) -> Any:
    try:
        return observation_of(body, now, usd_per_second)
    except ProviderError:
        return None
