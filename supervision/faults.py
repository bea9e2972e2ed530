"""Fault injection: named points in the code, and a seeded plan that says which fault happens at which use of a point.

    plan = FaultPlan(seed=7).at("start.before:db", occurrence=2, do="crash")
    with plan:
        ...                                   # the second start of child "db" raises InjectedFault

A point is one line in the code under test. Without an active plan it costs the test of a module variable:

    if faults.active is not None:
        await faults.async_point("provider.before", provider)

`point` does the same in code that is not async. `carry` is for what is sent: it returns what arrives, which may be
nothing, the item twice, or a damaged item. A crash at a point is an ordinary exception, and is reported like one. The
plan's seed alone determines all random decisions, so that a run can be repeated.
"""

from __future__ import annotations

import fnmatch
import os
import random
from types import TracebackType
from typing import Any, TypeVar

import attrs
import trio
from attrs.validators import optional

from supervision import checks
from supervision.checks import suggestion
from supervision.child import current_child
from supervision.errors import SpecError

T = TypeVar("T")

SEED_VARIABLE = "SUPERVISION_FAULT_SEED"

#: The points that `supervision` has itself; their subject is the child's id.
START_BEFORE, START_AFTER = "start.before", "start.after"


class Fault(checks.Choice):
    """What can happen at a point."""

    __field__ = "do"

    CRASH = "crash"
    HANG = "hang"
    DELAY = "delay"
    CANCEL = "cancel"
    DROP = "drop"
    DUPLICATE = "duplicate"
    GARBLE = "garble"


_MOST_PASSED = 1_000
"""A plan remembers at most this many names of points that were passed, for suggestions."""

_IN_TRANSIT = frozenset({Fault.DROP, Fault.DUPLICATE, Fault.GARBLE})
_AT_POINTS = frozenset(Fault) - _IN_TRANSIT
_AT_SENDING = _IN_TRANSIT | {Fault.CRASH}


class InjectedFault(Exception):
    """The exception of a "crash" for which the plan names no other."""


@attrs.frozen
class Garbled:
    """What "garble" makes of an item that is neither text nor bytes: an object that no receiver can handle."""

    original: object


@attrs.define(eq=False)
class Rule:
    """One rule of a plan, and how often its point was passed."""

    point: str = attrs.field(validator=checks.name)
    do: Fault = attrs.field(converter=Fault)
    occurrence: int | None = attrs.field(validator=optional(checks.whole(least=1)))
    probability: float | None = attrs.field(validator=optional(checks.number(finite=True)))
    exc: BaseException | type[BaseException] | None = attrs.field()
    delay: float = attrs.field(validator=checks.number(finite=True))
    seen: int = 0
    without_effect_at: str | None = None  # a point that it matches, and where its fault cannot happen

    @exc.validator
    def _check_exc(self, field: attrs.Attribute[Any], exc: object) -> None:
        kind = exc if isinstance(exc, type) else type(exc)
        if exc is not None and not issubclass(kind, BaseException):
            raise SpecError(field.name, f"must be an exception or a class of them, not {exc!r}")
        if isinstance(exc, type):
            try:
                exc(self.point)
            except Exception as error:
                raise SpecError(field.name, f"{exc.__name__} is not made of one text: give an instance") from error

    def __attrs_post_init__(self) -> None:
        if (self.occurrence is None) == (self.probability is None):
            raise SpecError("occurrence", "give either occurrence or probability")
        if self.probability is not None and self.probability > 1:
            raise SpecError("probability", f"must be at most 1, not {self.probability:g}")

    def matches(self, name: str, subject: str) -> bool:
        """Whether the rule applies to this point: its name, `name:subject`, or a pattern for them with `*`."""
        full = f"{name}:{subject}"
        return self.point in (name, full) or ("*" in self.point and fnmatch.fnmatchcase(full, self.point))


@attrs.frozen
class Happened:
    """A fault that was injected: its point, at which passing of that rule's point (from 1), and which fault."""

    point: str
    occurrence: int
    do: Fault


class FaultPlan:
    """Which faults happen, determined by a seed. `with plan:` activates the plan for the whole process; plans cannot be
    nested.

    `seed`: None means the one in the environment variable SUPERVISION_FAULT_SEED, or else a new one. An exception that
    leaves the `with` block gets a note with the seed and the command that repeats the run. `strict`: if the point of a
    rule was never passed, or its fault cannot happen there, the end of the block raises SpecError; if the block has
    failed, a note says the same.
    """

    def __init__(self, seed: int | None = None, *, strict: bool = True) -> None:
        if seed is None:
            seed = _seed_of_environment()
        if not isinstance(seed, int):
            raise SpecError("seed", f"must be a whole number, not {seed!r}")
        self.seed = seed
        self.strict = strict
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.rules: list[Rule] = []
        self.happened: list[Happened] = []
        self._passed: dict[str, None] = {}

    def at(
        self,
        point: str,
        *,
        occurrence: int | None = None,
        probability: float | None = None,
        do: Fault | str = Fault.CRASH,
        exc: BaseException | type[BaseException] | None = None,
        delay: float = 1.0,
    ) -> FaultPlan:
        """Add a rule and return the plan. Raises SpecError.

        `point`: "name", "name:subject", or a pattern with `*`. Give exactly one of `occurrence`, the n-th passing, from
        1, and `probability`, the chance of each passing. `do`: "crash" | "hang" | "delay" | "cancel" | "drop" |
        "duplicate" | "garble". `exc`: what "crash" raises. `delay`: in seconds.
        """
        self.rules.append(Rule(point, do, occurrence, probability, exc, delay))
        return self

    def decide(self, name: str, subject: str, possible: frozenset[Fault] = frozenset(Fault)) -> Rule | None:
        """The fault for this passing of a point, by the first rule that applies; None: no fault.

        ``possible``: the faults that can happen at the point. A rule with another one does not apply.
        """
        chosen = None
        if self.strict and len(self._passed) < _MOST_PASSED:
            self._passed.update(dict.fromkeys((f"{name}:{subject}", name) if subject else (name,)))
        for rule in self.rules:
            if not rule.matches(name, subject):
                continue
            if rule.do not in possible:
                rule.without_effect_at = name
                continue
            rule.seen += 1
            if rule.probability is not None:
                hit = self.random.random() < rule.probability
            else:
                hit = rule.seen == rule.occurrence
            if hit and chosen is None:
                chosen = rule
                self.happened.append(Happened(f"{name}:{subject}" if subject else name, rule.seen, rule.do))
        return chosen

    def never_passed(self) -> str | None:
        """The rules that never applied, in words, with a suggestion of what was meant; None: there are none."""
        unseen = [rule for rule in self.rules if not rule.seen]
        without_effect = [rule for rule in unseen if rule.without_effect_at is not None]
        words = [f"{rule.do.value!r} has no effect at {rule.without_effect_at!r}" for rule in without_effect]
        for point in dict.fromkeys(rule.point for rule in unseen if rule not in without_effect):
            near = suggestion(point, self._passed)
            others = f"; passed were {', '.join(sorted(self._passed)[:12])}" if self._passed else "; none was passed"
            words.append(f"nothing passed {point!r}{near or others}")
        return "; ".join(words) or None

    def command(self) -> str:
        """The command that runs the present pytest test again with this seed."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rsplit(" ", 1)[0]
        return f"{SEED_VARIABLE}={self.seed} pytest -p no:randomly '{test}'"

    def __enter__(self) -> FaultPlan:
        global active
        if active is not None:
            raise RuntimeError("a fault plan is active already")
        active = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        global active
        active = None
        missed = self.never_passed() if self.strict else None
        if error is not None:
            error.add_note(f"under a fault plan with seed {self.seed}; run it again: {self.command()}")
            if missed is not None:
                error.add_note(f"these rules of the plan never applied: {missed}")
        elif missed is not None:
            raise SpecError("point", missed)


def _seed_of_environment() -> int:
    given = os.environ.get(SEED_VARIABLE)
    if not given:
        return random.SystemRandom().randrange(2**32)
    try:
        return int(given)
    except ValueError:
        raise SpecError("seed", f"must be a whole number in {SEED_VARIABLE}, not {given!r}") from None


#: The plan in force, or None. Test this before calling a point.
active: FaultPlan | None = None


def _rule_for(name: str, subject: str, possible: frozenset[Fault]) -> Rule | None:
    """The rule of the active plan for this passing. A crash is raised at once."""
    rule = active.decide(name, subject, possible) if active is not None else None
    if rule is not None and rule.do is Fault.CRASH:
        if rule.exc is None:
            raise InjectedFault(name)
        raise rule.exc(name) if isinstance(rule.exc, type) else rule.exc
    return rule


def point(name: str, subject: str = "") -> None:
    """Pass a point in code that is not async. "hang" and "delay" work only in a worker thread of trio."""
    rule = _rule_for(name, subject, _AT_POINTS)
    if rule is None:
        return
    if rule.do is Fault.CANCEL:
        raise RuntimeError(f"point {name!r} is not async: it cannot be cancelled")
    trio.from_thread.run(trio.sleep, rule.delay if rule.do is Fault.DELAY else float("inf"))


async def async_point(name: str, subject: str = "") -> None:
    """Pass a point in async code. "cancel" cancels the supervised child in which it is passed, without a request to
    stop it.
    """
    rule = _rule_for(name, subject, _AT_POINTS)
    if rule is None:
        return
    if rule.do is Fault.DELAY:
        await trio.sleep(rule.delay)
    elif rule.do is Fault.HANG:
        await trio.sleep_forever()
    else:
        child = current_child.get()
        if child is None or child.scope is None:
            raise RuntimeError(f"point {name!r} is passed outside a supervised child: there is nothing to cancel")
        child.scope.cancel(reason=f"fault injected at {name}")
        await trio.lowlevel.checkpoint()


def carry(name: str, item: T, subject: str = "") -> list[T]:
    """What arrives of `item` at a point where something is sent: the item, nothing, the item twice, or a damaged item.

    A "crash" is raised here; "hang", "delay" and "cancel" belong to the async point beside this one.
    """
    rule = _rule_for(name, subject, _AT_SENDING)
    if rule is None or active is None:
        return [item]
    if rule.do is Fault.GARBLE:
        return [garbled(item, active.random)]
    return [] if rule.do is Fault.DROP else [item, item]


def garbled(item: T, source: random.Random) -> T:
    """`item` with damage: in text and bytes one place is changed, anything else becomes a `Garbled`."""
    if isinstance(item, str) and item:
        place = source.randrange(len(item))
        return item[:place] + chr(source.randrange(0x21, 0x7F)) + item[place + 1 :]  # type: ignore[return-value]
    if isinstance(item, bytes) and item:
        place = source.randrange(len(item))
        flipped = bytes([item[place] ^ 1 << source.randrange(8)])
        return item[:place] + flipped + item[place + 1 :]  # type: ignore[return-value]
    return Garbled(item)  # type: ignore[return-value]
