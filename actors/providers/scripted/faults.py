"""Describes as data what can go wrong at a provider: which call fails, how often, when, and in which way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Generic, Literal, Protocol, TypeVar, get_args

import attrs

from actors.jobs.quantities import Seconds
from actors.providers import errors
from actors.validation.values import OR_MORE, fits


class FaultKind(StrEnum):
    """What goes wrong. The last three kinds concern the call ``push``, the four before them what is reported about a
    job.
    """

    SLOW = "slow"  # answers after ``seconds``
    REFUSED = "refused"  # refuses, as ``refusal`` says
    DOWN = "down"  # cannot be reached; surely not accepted
    LOST_ANSWER = "lost_answer"  # acts (unless ``accepted`` is false), then its answer is lost
    HANG = "hang"  # acts (unless ``accepted`` is false), then never answers
    GARBAGE = "garbage"  # acts (unless ``accepted`` is false), then answers in a shape not understood
    CRASH = "crash"  # acts (unless ``accepted`` is false), then fails by a bug of the provider's own
    UNKNOWN_STATUS = "unknown_status"  # reports a status that is in no table
    UNSEEN = "unseen"  # leaves jobs out of an incomplete view
    UNREACHABLE = "unreachable"  # reports jobs as lost, without a proof that they have ended
    NEVER_ENDS = "never_ends"  # submit: the job runs for ever; cancel: accepted and not obeyed
    DROP = "drop"
    DOUBLE = "double"
    LATE = "late"  # comes after ``seconds``


class Refusal(StrEnum):
    """How a refused call is refused; each is an error of :mod:`actors.providers.errors`."""

    INVALID = "invalid"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    OTHER = "other"


#: Seconds, some 31 years: a few of them added to any date are still a date.
LONGEST = 1_000_000_000

CallName = Literal["check", "submit", "find", "observe", "cancel", "logs", "forget", "push"]
CALLS: tuple[str, ...] = get_args(CallName)
REQUESTS = CALLS[:-1]

_AT_PUSH = frozenset({FaultKind.DROP, FaultKind.DOUBLE, FaultKind.LATE})
_ONLY_AT: Mapping[FaultKind, tuple[str, ...]] = {
    **dict.fromkeys((FaultKind.UNKNOWN_STATUS, FaultKind.UNSEEN, FaultKind.UNREACHABLE), ("observe",)),
    FaultKind.NEVER_ENDS: ("submit", "cancel"),
    **dict.fromkeys(sorted(_AT_PUSH), ("push",)),
}
ACTS_FIRST = frozenset({FaultKind.LOST_ANSWER, FaultKind.HANG, FaultKind.GARBAGE, FaultKind.CRASH})

_REFUSALS: Mapping[Refusal, type[errors.ProviderError]] = {
    Refusal.INVALID: errors.Invalid,
    Refusal.AUTH: errors.Auth,
    Refusal.FORBIDDEN: errors.Forbidden,
    Refusal.NOT_FOUND: errors.NotFound,
    Refusal.CONFLICT: errors.Conflict,
    Refusal.OTHER: errors.ProviderError,
}


IS_SECONDS = fits(
    lambda value: 0 <= value <= LONGEST, f"must be a number of seconds from 0 to {LONGEST}", with_value=True
)


@attrs.frozen
class Fault:
    """One fault of a provider's calls. Raises :class:`ValueError` naming the field for what makes no sense.

    ``kind``: what happens. ``calls``: which calls it strikes; empty: all that its kind can strike. ``times``: how many
    calls it strikes; None: all. ``skip``: how many calls pass before. ``since``: it strikes from then on, after the
    provider was started. ``until``: it strikes until then; None: without end. ``seconds``: a wait before anything
    happens, for every kind. ``refusal``: how a refused call is refused. ``retry_after``: when a refused call
    may be repeated. ``accepted``: whether a call whose answer is lost took effect.
    """

    kind: FaultKind
    calls: tuple[CallName, ...] = ()
    times: int | None = attrs.field(default=1, validator=OR_MORE)
    skip: int = attrs.field(default=0, validator=OR_MORE)
    since: Seconds = attrs.field(default=0.0, validator=IS_SECONDS)
    until: Seconds | None = attrs.field(default=None, validator=IS_SECONDS)
    seconds: Seconds = attrs.field(default=0.0, validator=IS_SECONDS)
    refusal: Refusal = Refusal.OTHER
    retry_after: Seconds | None = attrs.field(default=None, validator=IS_SECONDS)
    accepted: bool = True

    def __attrs_post_init__(self) -> None:
        possible = _ONLY_AT.get(self.kind, REQUESTS)
        for call in self.calls:
            if call not in possible:
                raise ValueError(f"calls: {self.kind} can strike {', '.join(possible)}, not {call!r}")

    def strikes(self, call: str, elapsed: float) -> bool:
        """Return whether this fault concerns calls of this name, ``elapsed`` seconds after the remote was opened."""
        made_for = call in (self.calls or _ONLY_AT.get(self.kind, REQUESTS))
        return made_for and elapsed >= self.since and (self.until is None or elapsed < self.until)

    def error(self) -> Exception | None:
        """Return what the call raises that this fault hits; None where the call answers after all, or never."""
        match self.kind:
            case FaultKind.DOWN:
                return errors.Unavailable("the scripted provider is down", self.retry_after)
            case FaultKind.LOST_ANSWER:
                return errors.OutcomeUnknown("the answer was lost")
            case FaultKind.GARBAGE:
                return errors.Protocol("the answer was '<html>Bad gateway</html>', not an object")
            case FaultKind.CRASH:
                return RuntimeError("a bug in the scripted provider")
            case FaultKind.REFUSED if self.refusal is Refusal.RATE_LIMITED:
                return errors.RateLimited("too many requests", self.retry_after)
            case FaultKind.REFUSED:
                return _REFUSALS[self.refusal](f"refused as scripted ({self.refusal})")
            case _:
                return None


class Rule(Protocol):
    """What a fault book needs to count: the fault hits ``times`` calls (None: all) after the first ``skip`` calls."""

    @property
    def times(self) -> int | None:
        """How many calls the fault hits."""

    @property
    def skip(self) -> int:
        """How many calls pass before the first one that is hit."""


R = TypeVar("R", bound=Rule)


class FaultBook(Generic[R]):
    """Holds faults in order, and counts the calls of each. A call gets the first fault that still has calls to hit."""

    def __init__(self, faults: Iterable[R] = ()) -> None:
        self._entries: list[_Entry[R]] = []
        self.add(*faults)

    def add(self, *faults: R) -> None:
        """Add ``faults`` behind those that are there."""
        self._entries.extend(map(_Entry, faults))

    def clear(self) -> None:
        """Remove all of them."""
        self._entries.clear()

    def take(self, concerns: Callable[[R], bool]) -> R | None:
        """Return the fault that hits this call, if any, and count it. ``concerns`` tells whether a fault is meant
        for such calls.
        """
        for entry in self._entries:
            fault = entry.fault
            if concerns(fault) and (fault.times is None or entry.met < fault.skip + fault.times):
                entry.met += 1
                if entry.met > fault.skip:
                    return fault
        return None


@attrs.define
class _Entry(Generic[R]):
    fault: R
    met: int = 0  # calls that it is made for
