"""Judging an ending: what a child's task ended with, as a word, a cause and whether it has to get out.

trio's order. First: any leaf that is neither an `Exception` nor `Cancelled` (KeyboardInterrupt, SystemExit) has to get
out. Second: any `Exception` leaf is a failure, and the group it sits in, whole, its cause; `except Exception` would
miss `BaseExceptionGroup[Cancelled, ValueError]`. Third: nothing but a cancellation. As each child runs under a shielded
scope of its own, that was our own doing, and the scope has absorbed it. A `Cancelled` that got past the scope was
raised by hand, out of its place (stored and raised again, say): no scope around waits for it, so it is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import trio

from supervision.child import Ending


@attrs.frozen
class Verdict:
    """`word`: "returned", "cancelled", "failed" or "interrupted"; `cause`: the exception, whole."""

    word: str
    cause: BaseException | None


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group, however deep; of a bare one itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error


def judge(ending: Ending) -> Verdict:
    """What an ending amounts to."""
    error = ending.error
    if error is None:
        return Verdict("cancelled" if ending.cancelled else "returned", None)
    if any(not isinstance(leaf, Exception | trio.Cancelled) for leaf in leaves(error)):
        return Verdict("interrupted", error)
    return Verdict("failed", error)
