"""A supervisor's own options, with their defaults and their checks."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from supervision import checks
from supervision.backoff import Backoff
from supervision.errors import SpecError
from supervision.spec import AutoShutdown, ChildSpec, Overrun, Stop, Strategy


@attrs.frozen(kw_only=True)
class Options:
    """`Supervisor` documents them. Numbers out of range and options that contradict each other raise SpecError."""

    name: str
    strategy: Strategy
    max_restarts: int
    period: float
    backoff: Backoff
    auto_shutdown: AutoShutdown
    max_children: int | None
    overrun: Overrun
    stop: Stop
    shutdown_deadline: float

    def __attrs_post_init__(self) -> None:
        checks.name("name", self.name)
        checks.whole("max_restarts", self.max_restarts)
        checks.positive("period", self.period)
        checks.instance("backoff", Backoff, self.backoff)
        if self.max_children is not None:
            checks.whole("max_children", self.max_children)
        if self.stop is Stop.TOGETHER and self.strategy is not Strategy.ONE_FOR_ONE:
            raise SpecError("stop", f"'together' goes with one_for_one only, not with {self.strategy.value}")
        checks.number("shutdown_deadline", self.shutdown_deadline)

    @property
    def grouped(self) -> bool:
        """Whether a restart concerns more than the child that failed."""
        return self.strategy is not Strategy.ONE_FOR_ONE

    def check_child(self, spec: object) -> ChildSpec:
        """`spec` if this supervisor may have it, else SpecError."""
        if not isinstance(spec, ChildSpec):
            raise SpecError("children", f"must be ChildSpecs, not {spec!r}")
        if spec.significant and self.auto_shutdown is AutoShutdown.NEVER:
            raise SpecError("significant", f"child {spec.id!r}: means nothing while auto_shutdown is 'never'")
        return spec

    def check_children(self, specs: Iterable[object]) -> tuple[ChildSpec, ...]:
        """All of `specs`, each checked, their ids unique and no more than `max_children`."""
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
