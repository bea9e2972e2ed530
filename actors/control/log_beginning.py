"""Where to begin in a job's output: at its last lines, or with what was written since a time."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import cast

import attrs

from actors.control.context import Context
from actors.control.log_follower import Piece, unreadable
from actors.control.log_place import LogPlace
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import JobView
from actors.providers.guard import Failure
from actors.providers.log_notices import LogNotice

MOST_BYTES = 8 << 20
"""The most bytes of last lines, if an output can only be read from its beginning, because they are held in memory."""


@attrs.frozen
class Beginning:
    """Output to show first, and the cursor to continue from. ``nothing``: there is no such output, and none will
    come.
    """

    head: bytes = b""
    cursor: str | None = None
    nothing: bool = False


async def beginning(
    context: Context,
    view: JobView,
    place: LogPlace,
    read: Callable[[], AsyncIterator[Piece]],
    lines: int | None,
    since: datetime | None,
) -> Beginning:
    """Where the last ``lines`` lines of the job's output begin, or what was written ``since`` a time; of both, the
    later.

    Applies to the attempt of ``place``. ``read`` reads the whole output, for providers that cannot seek. Raises
    :class:`Refused` if it is not known when output was written.
    """
    job, submission = view.job, place.submission
    if submission is None or submission.handle is None:
        return Beginning()
    tried = next((one for one in view.attempts or () if one.key == submission.key), job)
    if since is not None and tried.started_at is not None and tried.started_at >= since:
        since = None  # all of it
    if lines is None and since is None:
        return Beginning()
    provider = context.providers.get(job.provider)
    if provider is None:
        raise Refused(f"provider {job.provider} is not configured here", RefusalKind.UNAVAILABLE)
    if provider.seeks_logs:
        found = await provider.log_cursor(submission.key, submission.handle, lines=lines, since=since)
        if isinstance(found, Failure):
            raise unreadable(found)
        if found is not None:
            return Beginning(cursor=place.at(found))
    if since is not None:
        if place.is_over and tried.completed_at is not None and tried.completed_at < since:
            return Beginning(nothing=True)
        message = f"when output of this job came is not known (provider {job.provider}); give a number of lines (tail)"
        raise Refused(message, RefusalKind.INVALID, "since")
    assert lines is not None
    return await _last_lines(read, lines)


async def first_lines(head: bytes, pieces: AsyncIterator[Piece], lines: int | None) -> AsyncGenerator[bytes, None]:
    """The first ``lines`` lines (None: all) of ``head`` followed by ``pieces``; notices do not count.

    A job continues to write while its last lines are read; later lines are left out. The caller closes ``pieces``.
    """
    left = 0 if lines is None else lines - head.count(b"\n")
    if head:
        yield head
    if lines is not None and left <= 0:
        return
    async for data, _cursor in pieces:
        if lines is None or isinstance(data, LogNotice):
            yield data
            continue
        kept = data.split(b"\n", left)
        left -= len(kept) - 1
        if not left:
            yield data[: len(data) - len(kept[-1])]
            return
        yield data


async def _last_lines(read: Callable[[], AsyncIterator[Piece]], lines: int) -> Beginning:
    """The last lines of an output that is read from its beginning: at most :data:`MOST_BYTES`."""
    kept: deque[bytes] = deque()
    size, cursor = 0, None
    async with aclosing(cast("AsyncGenerator[Piece, None]", read())) as pieces:
        async for data, cursor in pieces:  # noqa: B007 - the last one is kept
            kept.append(data)
            size += len(data)
            while size - len(kept[0]) >= MOST_BYTES:
                size -= len(kept.popleft())
    whole = b"".join(kept)[-MOST_BYTES:]
    return Beginning(_tail(whole, lines), cursor)


def _tail(text: bytes, lines: int) -> bytes:
    """The last ``lines`` lines of ``text``; the very last one may lack its end."""
    if lines == 0:
        return b""
    place = len(text) - text.endswith(b"\n")
    for _ in range(lines):
        place = text.rfind(b"\n", 0, place)
        if place < 0:
            return text
    return text[place + 1 :]
