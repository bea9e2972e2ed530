"""What supervision raises, and who must act on it.

Every error here is a `SupervisionError`. `SpecError` is for the author of the specification, the refusals
(`AlreadyRunning` to `UnknownChild`) are for the caller. The others say that the child named by `.child` has failed.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import trio


class SupervisionError(Exception):
    """The base of this package's errors. Raised itself, it refuses a request that no running supervisor can serve."""


class SpecError(SupervisionError, ValueError):
    """A specification or an option is wrong. `field` names it; the message suggests what was meant."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class ChildError(SupervisionError):
    """An error about one child, whose id is `child`."""

    def __init__(self, child: str, message: str) -> None:
        super().__init__(message)
        self.child = child


class ChildStartError(ChildError):
    """A child did not become ready: it raised (`__cause__`), returned, was stopped, or missed its start deadline."""


class ChildHung(ChildError):
    """A child missed its heartbeat. If its cancellation ended in an exception, that is the `__cause__`."""


class ShutdownOverrun(ChildError):
    """A child outlived its `shutdown` limit, or the supervisor's `shutdown_deadline`, under `overrun="escalate"`."""


@attrs.frozen
class RestartRecord:
    """One restart in the window: its time (`trio.current_time()`), its child, and why the child had ended."""

    at: float
    child: str
    reason: str


class RestartIntensityReached(ChildError):
    """The supervisor gave up, because `child` failed more often than the limits allow. The last cause is the
    `__cause__`.

    `history` has the restarts inside the window, oldest first.
    """

    def __init__(self, child: str, message: str, history: tuple[RestartRecord, ...] = ()) -> None:
        super().__init__(child, message)
        self.history = history


class AlreadyRunning(ChildError):
    """`start_child`: a child of this id is alive."""


class AlreadyPresent(ChildError):
    """`start_child`: a child of this id is listed, but down; `restart_child` starts it."""


class TooManyChildren(ChildError):
    """`start_child`: `max_children` are alive or due to be restarted."""


class ChildRunning(ChildError):
    """`restart_child`, `delete_child`: the child is alive; stop it first."""


class ChildRestarting(ChildError):
    """`restart_child`, `delete_child`: the supervisor is about to restart the child; stop it first."""


class UnknownChild(ChildError):
    """No child of this id is listed."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group at any depth; for an exception that is no group, the exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error


def combined(errors: list[BaseException], message: str) -> BaseException | None:
    """The exception to raise for all of `errors`: failures take precedence over cancellations; several failures are
    one group.
    """
    failures = [error for error in errors if not isinstance(error, trio.Cancelled)]
    if len(failures) > 1:
        return BaseExceptionGroup(message, failures)
    return next(iter(failures or errors), None)
