"""Makes the pages of a list: newest first, a hundred jobs each, with cursors that stay right while jobs are added."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from urllib.parse import urlencode

import attrs

from actors.testing.fake_replicate.jobs import RemoteJob
from actors.testing.fake_replicate.wire import refuse

PAGE = 100

_number, _created = attrgetter("number"), attrgetter("created_at")


@attrs.frozen
class Page:
    """One page, and the queries of the pages before and after it."""

    jobs: Sequence[RemoteJob]
    next: str | None
    previous: str | None


def page(jobs: Sequence[RemoteJob], query: Mapping[str, str], size: int = PAGE) -> Page:
    """Return the page of ``jobs`` (in the order of their creation) that ``query`` asks for.

    Raises :class:`~actors.testing.fake_replicate.wire.Refusal` for a query that cannot be read.
    """
    kept = _filtered(jobs, query)
    towards, number = _cursor(query.get("cursor"))
    if towards == "older":
        end = bisect_left(kept, number, key=_number)
        start = max(0, end - size)
    elif towards == "newer":
        start = bisect_left(kept, number + 1, key=_number)
        end = min(len(kept), start + size)
    else:
        start, end = max(0, len(kept) - size), len(kept)
    shown = kept[start:end]
    older = _query(query, "older", shown[0].number) if shown and start > 0 else None
    newer = _query(query, "newer", shown[-1].number) if shown and end < len(kept) else None
    return Page(shown[::-1], older, newer)


def _filtered(jobs: Sequence[RemoteJob], query: Mapping[str, str]) -> Sequence[RemoteJob]:
    if "source" in query:
        if query["source"] != "web":
            raise refuse(422, "source must be web")
        jobs = [job for job in jobs if job.source == "web"]
    start, end = 0, len(jobs)
    if "created_after" in query:
        start = bisect_left(jobs, _moment(query, "created_after"), key=_created)
    if "created_before" in query:
        end = bisect_left(jobs, _moment(query, "created_before"), key=_created)
    return jobs[start:end] if (start, end) != (0, len(jobs)) else jobs


def _moment(query: Mapping[str, str], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise refuse(422, f"{name} is not a date") from None
    if moment.tzinfo is None:
        raise refuse(422, f"{name} has no time zone")
    return moment


def _cursor(text: str | None) -> tuple[str, int]:
    if text is None:
        return "", 0
    try:
        towards, number = base64.urlsafe_b64decode(text).decode().split(":")
        return towards, int(number)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise refuse(404, "Invalid cursor") from None


def _query(query: Mapping[str, str], towards: str, number: int) -> str:
    cursor = base64.urlsafe_b64encode(f"{towards}:{number}".encode()).decode()
    return urlencode({**query, "cursor": cursor})
