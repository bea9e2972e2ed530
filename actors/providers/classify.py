"""Classification of a provider's failures: whatever it raised becomes one of the kinds by which the actors decide
(B12, B13).
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from actors.jobs.os_text import kept
from actors.jobs.retry import FailureKind
from actors.providers import errors
from actors.providers.json_reading import amount
from supervision.errors import leaves

_LONGEST_MESSAGE = 2_000

# Of several failures at once the one that claims least is the answer: "not accepted" holds only if all say so.
_CAUTION = (
    FailureKind.OUTCOME_UNKNOWN,
    FailureKind.OTHER,
    FailureKind.UNAVAILABLE,
    FailureKind.RATE_LIMITED,
    FailureKind.AUTH,
    FailureKind.FORBIDDEN,
    FailureKind.INVALID,
)


@attrs.frozen
class Failure:
    """A call that did not succeed. ``retry_after``: seconds, None if the provider did not say.

    ``spends_attempt`` is for ``OUTCOME_UNKNOWN``: the call failed by an error of its own, so if the provider does not
    have the job, the attempt counts. ``cause``: what was raised, None if our deadline passed.
    """

    kind: FailureKind
    message: str
    retry_after: float | None = None
    cause: BaseException | None = None
    spends_attempt: bool = False


def classify(call: str, error: Exception) -> Failure:
    """The kind of ``error``, which the provider's ``call`` raised (B12).

    The kind of a group is that of the member that claims least. For ``submit`` a :class:`errors.Protocol`, and
    everything that is no :class:`errors.ProviderError`, is an unknown outcome: the request may have been sent.
    """
    verdicts = [_classify_one(call, leaf) for leaf in leaves(error) if isinstance(leaf, Exception)]
    return min(verdicts, key=lambda failure: (_CAUTION.index(failure.kind), failure.spends_attempt))


def _classify_one(call: str, error: Exception) -> Failure:
    kind = error.kind if isinstance(error, errors.ProviderError) else FailureKind.OTHER
    unexpected = isinstance(error, errors.Protocol) or not isinstance(error, errors.ProviderError)
    if unexpected and call == "submit":
        kind = FailureKind.OUTCOME_UNKNOWN
    return Failure(
        kind,
        _message(error),
        retry_after=amount(getattr(error, "retry_after", None)),
        cause=error,
        spends_attempt=unexpected and kind is FailureKind.OUTCOME_UNKNOWN,
    )


def _message(error: Exception) -> str:
    text = kept(str(error)[:_LONGEST_MESSAGE])
    if isinstance(error, errors.ProviderError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Blame(StrEnum):
    """Against what the circuit breaker counts a failed call."""

    NOBODY = "nobody"
    JOB = "job"  # the provider answered, badly, about one job: it counts only together with another failure
    PROVIDER = "provider"


_NEVER_COUNTED = frozenset({"logs"})


def blame(call: str, failure: Failure, *, about_one_job: bool, local: bool) -> Blame:
    """Against what ``failure`` of ``call`` is counted.

    Nothing, if the provider gave an understandable answer, and if only a job's output was requested. The provider, if
    it cannot be reached. If it was reached and failed at a question ``about_one_job``, the job may be the reason. If
    the provider is ``local``, there is no network in between: then only what is certainly unavailable counts, not what
    a job's own files or processes do.
    """
    cause = failure.cause
    if call in _NEVER_COUNTED:
        return Blame.NOBODY
    if cause is None:  # our deadline passed
        return Blame.JOB if about_one_job else Blame.PROVIDER
    counted = errors.Unavailable if local else (errors.Unavailable, errors.OutcomeUnknown, errors.Protocol)
    if not isinstance(cause, counted):
        return Blame.NOBODY
    if not (about_one_job and cause.reached):
        return Blame.PROVIDER
    refused = cause.status is not None and 400 <= cause.status < 500
    return Blame.NOBODY if refused else Blame.JOB


def counts_as_success(failure: Failure) -> bool:
    """Whether ``failure`` shows that the provider works: it decided about the request, and was not too busy to do
    so.
    """
    answers = (errors.Invalid, errors.Auth, errors.Forbidden, errors.NotFound, errors.Conflict)
    return isinstance(failure.cause, answers)
