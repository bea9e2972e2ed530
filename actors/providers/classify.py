"""What a provider's failure means: whatever it raised, as one of the kinds that the actors decide by (B12, B13)."""

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
    """A call that did not succeed. ``retry_after`` is seconds, None where the provider did not say.

    ``spends_attempt`` belongs to ``OUTCOME_UNKNOWN``: the call failed by an error of its own, so if the provider turns
    out not to have the job, the try counts. ``cause`` is what was raised, None where our deadline passed.
    """

    kind: FailureKind
    message: str
    retry_after: float | None = None
    cause: BaseException | None = None
    spends_attempt: bool = False


def classify(call: str, error: Exception) -> Failure:
    """What ``error``, raised by the provider's ``call``, means (B12).

    A group means what its member means that claims least. For ``submit`` a :class:`errors.Protocol` and whatever is no
    :class:`errors.ProviderError` are an unknown outcome: the request may have been sent.
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
    """Whom a failed call is counted against by the circuit breaker."""

    NOBODY = "nobody"
    JOB = "job"  # the provider answered, badly, about one job: it counts only together with another failure
    PROVIDER = "provider"


_NEVER_COUNTED = frozenset({"logs"})


def blame(call: str, failure: Failure, *, about_one_job: bool, local: bool) -> Blame:
    """Whom ``failure`` of ``call`` is counted against.

    Nobody, where the provider answered in a way that is understood, and wherever a job's output is all that was
    asked for. A provider that cannot be reached is to blame itself. Where it was reached, and failed at a
    question ``about_one_job``, that job may be the reason. What is ``local`` has no network in between: there only
    what is surely unavailable counts, not what a job's own files or processes do.
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
    """Whether ``failure`` shows that the provider answers: it decided about the request, and was not too busy to."""
    answers = (errors.Invalid, errors.Auth, errors.Forbidden, errors.NotFound, errors.Conflict)
    return isinstance(failure.cause, answers)
