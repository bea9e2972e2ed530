"""Child specifications and a supervisor's options, which are checked before anything runs."""

from __future__ import annotations

import abc
import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import attrs
import trio
from attrs.validators import optional

from supervision import checks
from supervision.backoff import Backoff
from supervision.errors import SpecError
from supervision.snapshots import ChildInfo

WORKER_SHUTDOWN = 5.0  # seconds; OTP's default for a worker


class Restart(checks.Choice):
    """When a child that ended is started again: always, only after a failure, or never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(checks.Choice):
    """Which children are restarted with a failed one: no others, all others, or those started after it."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class OnGiveUp(checks.Choice):
    """What happens when a child fails beyond its limits: the supervisor fails, or the child stays down (parked)."""

    ESCALATE = "escalate"
    PARK = "park"


class AutoShutdown(checks.Choice):
    """When the end of significant children ends the supervisor: never, after the first one, or after the last one."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Overrun(checks.Choice):
    """What happens when a child outlives its shutdown limit: it is waited for, or the supervisor fails."""

    WAIT = "wait"
    ESCALATE = "escalate"


class Stop(checks.Choice):
    """How children are stopped: in reverse start order, each after the one before has ended; or all at once."""

    IN_ORDER = "in_order"
    TOGETHER = "together"


class Supervises(abc.ABC):
    """The part of a supervisor that a child specification uses."""

    @abc.abstractmethod
    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start the children, keep them, stop them."""

    @abc.abstractmethod
    def children(self) -> list[ChildInfo]:
        """The children as they are at this moment."""


_POSITIVE = optional(checks.number(more_than=0))


def _check_start(_: object, field: attrs.Attribute[Any], start: object) -> None:
    if isinstance(start, Supervises):
        raise SpecError(field.name, "is a supervisor; did you mean its `.run`?")
    if inspect.iscoroutine(start):
        start.close()
        raise SpecError(field.name, "is a coroutine; pass the function, without calling it")
    if not callable(start):
        raise SpecError(field.name, f"must be an async function, not {start!r}")
    function = inspect.unwrap(getattr(start, "__func__", start))
    code = getattr(function, "__code__", None)
    if code is None:
        return  # a partial or a callable object shows what it takes when it is called
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if "task_status" not in taken and not code.co_flags & inspect.CO_VARKEYWORDS:
        raise SpecError(field.name, f"{function.__qualname__} must accept the keyword argument task_status")


def _check_args(_: object, field: attrs.Attribute[Any], args: object) -> None:
    if isinstance(args, str | bytes) or not isinstance(args, Sequence):
        raise SpecError(field.name, f"must be a tuple or a list, not {args!r}")


@checks.checked_arguments
@attrs.frozen
class ChildSpec:
    """One child: what runs, and what happens when it ends.

        id -- unique among its siblings.
        start -- `async def start(*args, task_status)`; it calls `task_status.started()` when it is ready. For a child
            supervisor `Supervisor([...]).run` itself (a function that wraps it counts as a worker).
        args -- positional arguments for `start`.
        restart -- "permanent" | "transient" | "temporary".
        shutdown -- seconds in which it must end once it is cancelled; None: 5 for a worker, no limit for a supervisor;
            0: no time, it is overrun unless it ends at its first checkpoint.
        start_deadline -- seconds in which it must be ready; None: no limit.
        heartbeat -- the most seconds between two `supervision.heartbeat()` calls of a ready child; None: not watched.
        backoff -- overrides the supervisor's, also `Backoff.none()`.
        on_give_up -- "escalate": the supervisor fails; "park": the child stays down, its siblings continue.
        significant -- its end counts for the supervisor's `auto_shutdown`; not allowed with restart="permanent".

    Wrong values raise SpecError, which names the field.
    """

    id: str = attrs.field(validator=checks.name)
    start: Callable[..., Awaitable[object]] = attrs.field(validator=_check_start)
    args: Sequence[Any] = attrs.field(default=(), kw_only=True, validator=_check_args)
    restart: Restart = attrs.field(default=Restart.PERMANENT, kw_only=True, converter=Restart)
    shutdown: float | None = attrs.field(default=None, kw_only=True, validator=optional(checks.number()))
    start_deadline: float | None = attrs.field(default=None, kw_only=True, validator=_POSITIVE)
    heartbeat: float | None = attrs.field(default=None, kw_only=True, validator=_POSITIVE)
    backoff: Backoff | None = attrs.field(default=None, kw_only=True, validator=optional(checks.instance(Backoff)))
    on_give_up: OnGiveUp = attrs.field(default=OnGiveUp.ESCALATE, kw_only=True, converter=OnGiveUp)
    significant: bool = attrs.field(default=False, kw_only=True, validator=checks.flag)

    def __attrs_post_init__(self) -> None:
        if self.significant and self.restart is Restart.PERMANENT:
            raise SpecError("significant", "a permanent child cannot be: it never ends for good")

    @property
    def supervisor(self) -> Supervises | None:
        """The supervisor that this child is, or None for a worker."""
        owner = getattr(self.start, "__self__", None)
        return owner if isinstance(owner, Supervises) and self.start == owner.run else None

    @property
    def shutdown_limit(self) -> float:
        """Seconds from the cancellation to the overrun."""
        if self.shutdown is not None:
            return self.shutdown
        return WORKER_SHUTDOWN if self.supervisor is None else math.inf


# A supervisor's own options, with their defaults and their checks.


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.frozen)
class SupervisorOptions:
    """The options, which `Supervisor` documents. Values out of range and contradicting options raise SpecError."""

    name: str = attrs.field(default="supervisor", validator=checks.name)
    strategy: Strategy = attrs.field(default=Strategy.ONE_FOR_ONE, converter=Strategy)
    max_restarts: int = attrs.field(default=3, validator=checks.whole())
    period: float = attrs.field(default=5.0, validator=checks.number(more_than=0))
    backoff: Backoff = attrs.field(default=Backoff.none(), validator=checks.instance(Backoff))
    auto_shutdown: AutoShutdown = attrs.field(default=AutoShutdown.NEVER, converter=AutoShutdown)
    max_children: int | None = attrs.field(default=None, validator=optional(checks.whole()))
    overrun: Overrun = attrs.field(default=Overrun.WAIT, converter=Overrun)
    stop: Stop = attrs.field(default=Stop.IN_ORDER, converter=Stop)
    shutdown_deadline: float = attrs.field(default=math.inf, validator=checks.number())

    def __attrs_post_init__(self) -> None:
        if self.stop is Stop.TOGETHER and self.grouped:
            raise SpecError("stop", f"'together' goes with one_for_one only, not with {self.strategy.value}")

    @property
    def grouped(self) -> bool:
        """Whether a restart also restarts other children than the one that failed."""
        return self.strategy is not Strategy.ONE_FOR_ONE

    def check_child(self, spec: object) -> ChildSpec:
        """Return `spec` if this supervisor may have it, else raise SpecError."""
        if not isinstance(spec, ChildSpec):
            raise SpecError("children", f"must be ChildSpecs, not {spec!r}")
        if spec.significant and self.auto_shutdown is AutoShutdown.NEVER:
            raise SpecError("significant", f"child {spec.id!r}: means nothing while auto_shutdown is 'never'")
        return spec

    def check_children(self, specs: Iterable[object]) -> tuple[ChildSpec, ...]:
        """All of `specs`, each checked. Raises SpecError also if ids are repeated, or there are more than
        `max_children`.
        """
        if isinstance(specs, ChildSpec):
            raise SpecError("children", "must be a list of ChildSpecs; did you mean [spec]?")
        checked = tuple(self.check_child(spec) for spec in specs)
        seen: set[str] = set()
        for spec in checked:
            if spec.id in seen:
                raise SpecError("id", f"duplicate child id {spec.id!r}")
            seen.add(spec.id)
        if self.max_children is not None and len(checked) > self.max_children:
            raise SpecError("max_children", f"is {self.max_children}, but {len(checked)} children are given")
        return checked
