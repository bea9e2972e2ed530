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
    """A call was refused for a reason that has no kind of its own; it was surely not accepted.

    ``kind``: the kind by which the actors decide what to do. ``reached``: the request reached the provider, so that the
    failure may be about this request alone. ``status``: the HTTP status of the answer; None: there was none, or it does
    not matter.
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
    """The request itself is wrong; repeating it does not help.

    ``field``: the field of the request to change, such as ``spec.queue``; None: no single one. ``faults``: everything
    that is wrong, each a ``FieldFault`` with its own field and message. ``Invalid(message, field=...)`` has one,
    ``Invalid(*faults)`` has several.
    """

    kind = FailureKind.INVALID

    def __init__(self, *faults: str | FieldFault, field: str | None = None) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(FieldFault(field, one) if isinstance(one, str) else one for one in faults)
        self.field = self.faults[0].field if self.faults else field


class Auth(ProviderError):
    """The credentials are missing or not accepted. The message names the setting, never the secret."""

    kind = FailureKind.AUTH


class Forbidden(ProviderError):
    """The credentials are known, but do not allow this. A missing payment is such a case, too."""

    kind = FailureKind.FORBIDDEN


class NotFound(ProviderError):
    """The provider does not know this job."""


class Conflict(ProviderError):
    """The request conflicts with what the provider already has."""


class RateLimited(ProviderError):
    """There were too many requests; this one was surely not accepted. ``retry_after``: in seconds; None: not known."""

    kind = FailureKind.RATE_LIMITED

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """The provider cannot be reached or is down; the call was surely not accepted. ``retry_after``: in seconds.

    ``reached``: whether the provider was reached, and then answered with a failure of its own or not at all.
    """

    kind = FailureKind.UNAVAILABLE

    def __init__(self, message: str = "", retry_after: float | None = None, *, reached: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.reached = reached


class OutcomeUnknown(ProviderError):
    """The request was sent, but no answer came: it may or may not have been accepted."""

    kind = FailureKind.OUTCOME_UNKNOWN


class Protocol(ProviderError):
    """The answer of the provider has an unknown form; it is not known whether the provider accepted the call."""


@contextmanager
def explained_as(kind: type[ProviderError], what: str, *causes: type[Exception], **options: Any) -> Iterator[None]:
    """Raise ``kind`` with a message that begins with ``what`` if the block raises one of ``causes`` (none given:
    ``OSError``).

    ``options``: further arguments of ``kind``.
    """
    expected = causes or (OSError,)
    try:
        yield
    except expected as error:
        raise kind(f"{what}: {error}", **options) from error
