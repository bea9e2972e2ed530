"""The outside of a simulated process: time, providers' servers, the disk, and what clients know for certain."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import trio

from actors.jobs.options import ApprovalOptions, ExpiryOptions, Limits, PollerOptions, QueueOptions
from actors.jobs.records import ApprovalRule, Event
from actors.kernel import Clock
from actors.ledger.limits import overlaid
from actors.providers.base import Idempotency, Listing, Push
from actors.providers.scripted import ScriptedOptions
from actors.settings import ProviderSettings, Settings
from actors.simulation.database import Database
from actors.simulation.pinned import source
from actors.simulation.quiet import Quiet
from actors.simulation.rules import Checks, Rule
from actors.simulation.target_options import drawn_options
from actors.testing import virtual_settings

# What happened in a simulation, a line each: kept to be read, hashed to be compared.


class Trace:
    """Lines with the simulated time and the step that was the last to begin. ``digest`` covers all of them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.reached: Counter[str] = Counter()
        self._hash = hashlib.sha256()

    def add(self, elapsed: float, text: str) -> None:
        """One more line; ``elapsed`` is in simulated seconds."""
        line = f"{elapsed:.3f} {text}"
        self.lines.append(line)
        self._hash.update(line.encode() + b"\n")

    def count(self, what: str) -> None:
        """For the summary: ``what`` was reached."""
        self.reached[what] += 1

    @property
    def digest(self) -> str:
        """64 hex digits that are equal for equal runs."""
        return self._hash.hexdigest()


class Violation(Exception):
    """A promise was broken. ``rule`` names it; the message has the details."""

    def __init__(self, rule: Rule, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule


class Killed(BaseException):
    """Raised inside a simulated process that was killed, so that it does nothing any more."""


EPOCH = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)

PROVIDERS: dict[str, ScriptedOptions] = {
    "exact": ScriptedOptions(cpus=6, gpus=2, push=Push.LOCAL_EVENT),
    "search": ScriptedOptions(
        idempotency=Idempotency.TOKEN_SEARCH, listing=Listing.PAGED, page_size=3, push=Push.NONE, concurrent_calls=2
    ),
    "blind": ScriptedOptions(idempotency=Idempotency.NONE, listing=Listing.NONE, push=Push.NONE),
    "hooked": ScriptedOptions(push=Push.WEBHOOK),
}
"""One provider of each kind: an id of ours, a token to search for, nothing at all, and one that calls back."""


class WorldClock(Clock):
    """The machine's wall clock: the world's time plus the sum of its steps; the providers' servers have the world's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.offset = timedelta()

    def now(self) -> datetime:
        """The machine's idea of the time, in UTC."""
        return self._world.true_now() + self.offset


@attrs.define
class Known:
    """A job that was acknowledged to a client: its marker, its correlation ID, whether it needs an approval."""

    job_id: str
    marker: str
    correlation_id: str
    needs_approval: bool


class World:
    """Everything that outlives a process. ``elapsed`` counts simulated seconds over all processes and pauses.

    ``jumped_at``: when the wall clock was last moved; ``quiet``: what follows from it. ``may_hang``: the
    actors that a fault of this process makes hang, now or later: a restart by hand may come first.
    ``expiry_disturbed_at``: when a fault last made that actor late. ``restored``: its database was replaced by a
    backup; ``marked``: how many jobs were to be looked up then.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.trace = Trace()
        self.database = Database()
        self.clock = WorldClock(self)
        self.settings = drawn_settings(seed)
        self.limits: list[tuple[float, Limits]] = [(0.0, self.settings.limits)]
        self.known: dict[str, Known] = {}
        self.by_marker: dict[str, str] = {}
        self.refused: set[str] = set()
        self.violations: list[Violation] = []
        self.checks = Checks(self.broken)
        self.on_violation: Any = None
        self.elapsed_at_end = 0.0
        self.jumped_at = 0.0
        self.quiet = Quiet()
        self.may_hang: set[str] = set()
        self.expiry_disturbed_at = -math.inf
        self.changed_limits: dict[str, int] = {}
        self.restored = False
        self.marked = 0
        self._base = 0.0
        self._inside = False

    # Time.

    def elapsed(self) -> float:
        """Simulated seconds since the beginning."""
        return self._base + trio.current_time() if self._inside else self._base

    def true_now(self) -> datetime:
        """The world's time, in UTC, which no step of a clock changes."""
        return EPOCH + timedelta(seconds=self.elapsed())

    def entered(self) -> None:
        """A process began: time is that of its trio run."""
        self._inside = True

    def left(self, at: float) -> None:
        """It ended at ``at``; the time that its cleanup took does not count."""
        self._inside = False
        self._base = at

    def wait(self, seconds: float) -> None:
        """Time passes while no process runs."""
        self._base += seconds

    # Trace and violations.

    def say(self, text: str) -> None:
        """One line of the trace."""
        self.trace.add(self.elapsed(), text)

    def broken(self, rule: Rule, message: str) -> None:
        """A promise was broken."""
        self.violations.append(Violation(rule, message))
        self.say(f"VIOLATION {rule}: {message}")
        if self.on_violation is not None:
            self.on_violation()

    def require(self, holds: object, rule: Rule, message: str) -> None:
        """Ask a rule: a violation unless it ``holds``."""
        self.checks.require(holds, rule, message)

    def note(self, check: Callable[..., object], *seen: Any) -> None:
        """Something was seen inside the runtime's own calls: ``check`` is called outside of them, right after."""
        self.checks.note(check, *seen)

    # What is known.

    @property
    def dear_jobs_need_admins(self) -> bool:
        """Whether this world has the rule about :data:`EXPENSIVE` jobs."""
        return any(rule.value == EXPENSIVE for rule in self.settings.approvals.rules)

    def acknowledge(self, known: Known) -> None:
        """A job was acknowledged to a client."""
        self.known[known.job_id] = known
        self.by_marker[known.marker] = known.job_id

    def note_limits(self, event: Event) -> None:
        """Limits changed at run time: the checker of what providers see has to know since when."""
        data, changed = event.data, dict(self.changed_limits)
        if "reset" in data:
            for name in data["reset"]:
                changed.pop(name, None)
        else:
            changed[data["limit"]] = data["value"]
        self.change_limits(changed)

    def change_limits(self, changed: Mapping[str, int]) -> None:
        """From now on these differ from the configured ones."""
        self.changed_limits = dict(changed)
        self.limits.append((self.elapsed(), overlaid(self.settings.limits, self.changed_limits)))

    def widest(self, seconds: float) -> list[Limits]:
        """The limits that held at any time during the last ``seconds``."""
        since = self.elapsed() - seconds
        held = [limits for at, limits in self.limits if at >= since]
        before = [limits for at, limits in self.limits if at < since]
        return before[-1:] + held


Limited = tuple[str, str]
"""Whose jobs a limit counts: the kind (user, organisation, team or provider) and the name."""


def limited(user: str, org: str | None, team: str | None, provider: str) -> list[Limited]:
    """Everything whose limit counts a job of these."""
    named = [("user", user), ("organisation", org), ("team", team), ("provider", provider)]
    return [(kind, name) for kind, name in named if name]


def limit_of(one: Limited, limits: Limits) -> float:
    """How many jobs of ``one`` may run at once; infinite where nothing limits it."""
    kind, name = one
    bounds: Mapping[str, float] = {
        "user": limits.per_user,
        "organisation": limits.per_organisation,
        "team": limits.per_team if limits.fair_share else math.inf,
        "provider": limits.per_provider.get(name, math.inf),
    }
    return bounds[kind]


EXPENSIVE = 60.0
"""What a job must cost more than to need an admin's approval, in worlds that have this rule."""


def drawn_settings(seed: int) -> Settings:
    """Settings of one world: small limits, so that they matter, and short deadlines."""
    draw = source(seed, "settings")
    limits = Limits(
        total=draw.randint(3, 8),
        per_user=draw.randint(1, 3),
        per_organisation=draw.randint(2, 6),
        per_team=draw.randint(1, 4),
        fair_share=draw.random() < 0.5,
        per_provider={"blind": draw.randint(1, 3)} if draw.random() < 0.7 else {},
    )
    admins_decide = ApprovalRule(
        "Expensive jobs", "cost_exceeds", EXPENSIVE, priority=50, required_approver_level="admin"
    )
    rules = (admins_decide,) if source(seed, "rules").random() < 0.5 else ()
    settings = virtual_settings(
        limits=limits,
        queue=QueueOptions(
            reserve_after=source(seed, "reserve").choice([30.0, 120.0, 600.0]),
            max_waiting_per_user=source(seed, "waiting").choice([6, 20, 20_000, 20_000]),
        ),
        approvals=ApprovalOptions(
            timeout_hours=draw.choice([0.05, 0.2, 1.0]), default_rules=draw.random() < 0.5, rules=rules
        ),
        poller=PollerOptions(
            interval_seconds=draw.choice([15.0, 30.0]), safety_net_seconds=draw.choice([300.0, 900.0])
        ),
        expiry=ExpiryOptions(interval_seconds=draw.choice([60.0, 300.0])),
    )
    providers = {
        name: ProviderSettings(name, "scripted", options, "https://hooks.example" if name == "hooked" else None)
        for name, options in PROVIDERS.items()
    }
    return attrs.evolve(settings, providers=providers, notify=drawn_options(seed))
