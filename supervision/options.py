"""A supervisor's own options, with their defaults and their checks."""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs
from attrs.validators import optional

from supervision import checks
from supervision.backoff import Backoff
from supervision.errors import SpecError
from supervision.spec import AutoShutdown, ChildSpec, Overrun, Stop, Strategy


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.frozen)
class SupervisorOptions:
    """`Supervisor` documents them. Numbers out of range and options that contradict each other raise SpecError."""

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
