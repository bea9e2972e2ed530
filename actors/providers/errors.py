"""The errors of providers. Each kind has its own consequence for the job (B12).

A provider raises nothing else. The kind decides whether the job fails, is requeued or is asked about. So a provider
that is not sure whether its call was accepted must raise :class:`OutcomeUnknown`, and never guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from actors.jobs.retry import FailureKind


class ProviderError(Exception):
    """A call was refused for a reason with no kind of its own; surely not accepted.

    ``kind``: what the actors decide by. ``reached``: the request got to the provider, so that what went wrong may be
    about this request alone. ``status``: the HTTP status of the answer, None where there was none or where it does not
    matter.
    """

    kind = FailureKind.OTHER
    reached = True
    status: int | None = None


@attrs.frozen
class FieldFault:
    """One thing that is wrong with a job request.

    ``field``: the field to change, such as ``params.lr``; None: no single one. ``message``: a sentence that names it.
    """

    field: str | None
    message: str

    def __str__(self) -> str:
        return self.message


def wrong(field: str, words: str) -> FieldFault:
    """The fault of ``field`` whose message is its name and ``words``, which may begin with a colon."""
    return FieldFault(field, f"{field}{'' if words.startswith(':') else ' '}{words}")


class Invalid(ProviderError):
    """The request itself is wrong; no repetition will help.

    ``field``: the field of the request to change, such as ``spec.queue``; None: no single one. ``faults``: all that is
    wrong, each a ``FieldFault`` with its own field and message; ``Invalid(message, field=...)`` has one,
    ``Invalid(*faults)`` has several.
    """

    kind = FailureKind.INVALID

    def __init__(self, *faults: str | FieldFault, field: str | None = None) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(FieldFault(field, one) if isinstance(one, str) else one for one in faults)
        self.field = self.faults[0].field if self.faults else field


class Auth(ProviderError):
    """The credentials are missing or not accepted; the message names the setting, never the secret."""

    kind = FailureKind.AUTH


class Forbidden(ProviderError):
    """The credentials are known and not allowed to do this (payment included)."""

    kind = FailureKind.FORBIDDEN


class NotFound(ProviderError):
    """The provider knows no such job."""


class Conflict(ProviderError):
    """The request clashes with what the provider already has."""


class RateLimited(ProviderError):
    """Too many requests; surely not accepted. ``retry_after`` is seconds, None when not said."""

    kind = FailureKind.RATE_LIMITED

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """The provider could not be reached or is down; surely not accepted. ``retry_after`` is seconds.

    ``reached`` is true where it was reached and answered by a failure of its own, or not at all.
    """

    kind = FailureKind.UNAVAILABLE

    def __init__(self, message: str = "", retry_after: float | None = None, *, reached: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.reached = reached


class OutcomeUnknown(ProviderError):
    """The request was sent and its answer never came: it may or may not have been accepted."""

    kind = FailureKind.OUTCOME_UNKNOWN


class Protocol(ProviderError):
    """The provider answered in a form that is not understood; it is not known whether it accepted."""


@contextmanager
def explained_as(kind: type[ProviderError], what: str, *causes: type[Exception], **options: Any) -> Iterator[None]:
    """Raise ``kind``, whose message begins with ``what``, for one of ``causes`` (none: ``OSError``) in the block.

    ``options``: of ``kind``, beside its message.
    """
    expected = causes or (OSError,)
    try:
        yield
    except expected as error:
        raise kind(f"{what}: {error}", **options) from error
