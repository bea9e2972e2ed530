"""The rules that a world is checked by, and how they are asked: outside the call stack of what is checked.

A check that raised inside a provider's call would be taken for a failure of that provider, and the runtime would cope
with it as it copes with any other: the world would be green and nothing would have been checked. So whatever sees
something (a server, a target, a subscriber) only **notes** it. What was noted is checked after the task step that
noted it, from trio's loop: at the same moment, on the same rows, for every access to the store begins with a
checkpoint. An error of a check is a violation of its own, :data:`Rule.CHECKER`, wherever it happens.

A rule that is never asked holds in every world. So each question is counted; a world in which nothing ran, or which
never asked a rule of :data:`IN_EVERY_WORLD`, has checked nothing and fails; so does a run of :data:`MANY` worlds
that never asked one of the others, whose situations are drawn in some worlds only.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

import trio


class Rule(StrEnum):
    """What must hold. The value is the name that a violation shows."""

    CHECKER = "the checker itself has no error"
    NOTHING_CHECKED = "nothing was checked"
    # Events and rows.
    NO_GAP = "events without a gap"
    PUBLISHED = "events are published"
    LOGGED = "an event is one line of the log"
    KNOWN_EVENTS = "known events"
    STATUS_IN_EVENTS = "events tell the status"
    IN_TABLE = "steps stand in the table"
    FINAL = "terminal is final"
    CAUSED = "each change has a cause"
    REPLAY = "replay of events = table"
    CORRELATION = "one correlation ID"
    EVENT_CONTENTS = "events say what the rows say"
    ENDS_HAVE_TIME = "ends have a time"
    LANES_HOLD = "lanes hold what is ready"
    LANES_COUNT = "lanes count their entries"
    STATUS_COUNTS = "counts by status are the rows'"
    SHOWN = "what is shown is what is there"
    # Requests of clients.
    NOT_LOST = "no acknowledged job is lost"
    REFUSED_NO_ROW = "a refused request leaves no row"
    REFUSED = "wrong requests are refused"
    ONE_KEY = "one key, one job"
    OWN_KEY = "a key is its user's own"
    WHOLE_SWEEP = "a sweep is accepted or refused as a whole"
    EACH_COMBINATION = "a job for each combination"
    MOST_WAITING = "a user has no more waiting than may wait"
    SUBSCRIBERS = "subscribers miss nothing"
    # Approvals.
    ONE_END = "one end per approval"
    LATE_APPROVAL = "an expired approval never approves"
    DEADLINE = "approvals expire at their deadline"
    LEVEL = "a decision needs its level"
    RULES = "approval rules are what was last said"
    BEFORE_APPROVAL = "no submission before its approval"
    # Waiting.
    RETRY_AFTER = "Retry-After is kept"
    BACK_OFF = "back-off is kept"
    RERUN_DELAY = "the wait before another run is kept"
    START_LATER = "later starts not before their time"
    WAITS_END = "waits end in time"
    CAN_RUN = "what can run starts"
    ORDER = "equal jobs start in their order"
    RESERVED = "what is reserved is kept"
    PARENTS_FIRST = "no dependant before its parents' end"
    PARENTS_COUNTED = "waiting jobs count their parents"
    CASCADES = "cascades complete"
    ENDS_FOLLOWED = "only ends are followed"
    BAD_ENDS = "a bad end cancels what waits for a good one"
    # Hand-overs and runs.
    INTENT = "the intent first"
    SLOT = "the slot is taken first"
    LIMITS = "limits hold as the provider sees them"
    CLAIMS = "limits hold at every claim"
    PAUSED = "what is paused starts nothing"
    SHOWN_AT_ONCE = "the job shows a provider's answer at once"
    DELIVERED_ONCE = "a delivery counts, and counts once"
    ALONE = "a submission that may have killed a process is made alone"
    SETTLED = "only what is uncertain is settled"
    ORPHANS = "a submission without a recorded answer is asked about"
    CANCELS = "a cancel reaches the provider until the job ends"
    ONE_RUN = "at most one remote job each"
    KEY_OF_ATTEMPT = "each attempt has a key of its own"
    ATTEMPTS = "attempts are bounded"
    AFTER_REFUSAL = "a refusal has the consequence of its kind"
    PAUSED_BY_REFUSAL = "a refused account pauses its provider"
    ATTEMPTS_SPENT = "only a failed attempt is spent"
    RERUNS = "no more runs than asked"
    NO_RERUN_OF_CANCELLED = "what is asked to end is not run again"
    DEVICES = "a device is leased once"
    AS_THEY_RAN = "jobs end as they ran"
    LOOKED_UP = "what a restore marked is looked up"
    ENDS_NOTICED = "ends are noticed"
    NO_ORPHANS = "no orphans"
    SETTLES = "all settles without faults"
    # Notifications.
    NOTIFICATION_LOST = "no notification is lost"
    NOTIFICATION_TRUE = "no notification without its change"
    NOTIFICATION_ORDER = "notifications in order"
    NOTIFICATION_WAIT = "a notification waits after a try that failed"
    NOTIFICATION_ID = "one id, one notification"
    FEW_AT_ONCE = "few messages at once"
    # The process.
    BUFFERS = "buffers are bounded"
    TASKS = "tasks are bounded"
    TIME_GOES_ON = "time goes on"
    STOPS = "a stop has a deadline"
    RESTARTS = "restarts are bounded"
    NO_CRASH = "no crash that nobody injected"
    CLIENTS = "clients meet no crash"


IN_EVERY_WORLD = frozenset(
    {
        Rule.NO_GAP, Rule.PUBLISHED, Rule.KNOWN_EVENTS, Rule.STATUS_IN_EVENTS, Rule.IN_TABLE, Rule.FINAL, Rule.CAUSED,
        Rule.REPLAY, Rule.CORRELATION, Rule.ENDS_HAVE_TIME, Rule.EVENT_CONTENTS, Rule.MOST_WAITING, Rule.SHOWN_AT_ONCE,
        Rule.LANES_HOLD, Rule.LANES_COUNT, Rule.STATUS_COUNTS,
        Rule.SHOWN, Rule.RULES, Rule.NOT_LOST, Rule.ONE_KEY, Rule.CAN_RUN, Rule.PARENTS_COUNTED, Rule.CASCADES,
        Rule.ENDS_FOLLOWED, Rule.BAD_ENDS, Rule.INTENT, Rule.SLOT, Rule.LIMITS, Rule.CLAIMS, Rule.PAUSED,
        Rule.ORPHANS, Rule.ATTEMPTS, Rule.AS_THEY_RAN, Rule.NO_ORPHANS, Rule.SETTLES, Rule.RESTARTS,
        Rule.TIME_GOES_ON,
    }
)  # fmt: skip
"""Rules that each world asks, however it is drawn."""

NOT_ASKED = frozenset({Rule.CHECKER, Rule.NOTHING_CHECKED})
"""What is said of the checker, and is no question to the runtime."""

MANY = 50
"""Worlds that together ask every rule."""


def never_asked(asked: Iterable[str], rules: Iterable[Rule] = tuple(Rule)) -> list[Rule]:
    """Those of ``rules`` that are not among ``asked``."""
    there = set(asked)
    return [rule for rule in rules if rule not in there and rule not in NOT_ASKED]


Broken = Callable[[Rule, str], None]


class _AfterStep(trio.abc.Instrument):
    """Trio's instrument that calls ``act`` once, after the step of the task that runs now.

    Trio looks through all names of an instrument that is added: this one shows the only one that matters.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def __dir__(self) -> list[str]:
        return ["after_task_step"]

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task came to a checkpoint."""
        trio.lowlevel.remove_instrument(self)
        self._act()


class Checks:
    """What was noted and is still to be checked, and how often each rule was ``asked``.

    ``broken`` is called with each rule that does not hold and with the reason. It checks after the step of a task that
    noted something; outside of trio :meth:`check_noted` is to be called.
    """

    def __init__(self, broken: Broken) -> None:
        self.asked: Counter[Rule] = Counter()
        self._broken = broken
        self._noted: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._after_step = _AfterStep(self.check_noted)

    def note(self, check: Callable[..., object], *seen: Any) -> None:
        """Something was seen: ``check`` is called for it soon, whatever becomes of the task that saw it."""
        if not self._noted and trio.lowlevel.in_trio_run():
            trio.lowlevel.add_instrument(self._after_step)  # for this step alone: to be called after each costs more
        self._noted.append((check, seen))

    def check_noted(self) -> None:
        """Check what was noted, in its order."""
        while self._noted:
            noted, self._noted = self._noted, []
            for check, seen in noted:
                self.ask(check, *seen)

    def ask(self, check: Callable[..., object], *seen: Any) -> None:
        """Check now, in a place that is not the runtime's; an error of the check is a violation."""
        try:
            check(*seen)
        except Exception as error:  # noqa: BLE001 - a rule that cannot be asked has not held
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
            self._broken(Rule.CHECKER, f"{type(error).__name__}: {error} at {place}")

    def require(self, holds: object, rule: Rule, message: str) -> None:
        """One more question: ``rule`` is broken unless it ``holds``."""
        self.asked[rule] += 1
        if not holds:
            self._broken(rule, message)
