"""A value that was given to the database and cannot be kept there: a refusal of its own caller (B21)."""

from __future__ import annotations

from sqlalchemy.exc import StatementError

from actors.jobs.refusal import RefusalKind, Refused


def refusal_of(error: BaseException) -> Refused | None:
    """The refusal of a value that was given to the database and cannot be kept; None: ``error`` is something else."""
    cause = error.orig if isinstance(error, StatementError) else error
    if isinstance(cause, UnicodeEncodeError):
        return Refused(f"a text holds {cause.object[cause.start : cause.end]!r}: it must be UTF-8", RefusalKind.INVALID)
    if isinstance(error, StatementError) and isinstance(cause, TypeError | ValueError | OverflowError):
        return Refused(f"a value cannot be kept: {cause}", RefusalKind.INVALID)
    return None
