"""The state of every job as its events alone describe it, by the checker's own table, to be compared with the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from actors.jobs.records import Event
from actors.simulation.rules import Rule
from actors.simulation.states import BLOCKED, CHANGES, ENDED, NEW, NO_CHANGE, Follows, State, following

_DECISIONS = {"approval_granted": "approved", "approval_rejected": "rejected", "approval_expired": "expired"}

Require = Callable[[object, Rule, str], None]

_RAN_SINCE = "it ran again after the backup was made"


@attrs.define
class JobAccount:
    """One job as its events describe it. ``steps`` counts the events that changed its states.

    ``restored``: from which state a restore took it for one that runs; None: none did.
    ``was_blocked``: a restore did so with one that waited for its approval, and nothing has happened to it since.
    """

    state: State = NEW
    correlation_id: str = ""
    approval: str | None = None
    cancel_requested: bool = False
    uncertain: bool = False
    steps: int = 0
    restored: State | None = None
    was_blocked: bool = False

    @property
    def is_blocked_again(self) -> bool:
        """Whether it waits for its approval again, if it has not run: a restore took it for one that runs."""
        return self.was_blocked and not self.cancel_requested


class Replay:
    """Applies events in order and keeps the resulting states; ``require`` is asked each rule about them.

    ``changed`` is called with an event that changed the states of a job, with its account, and with what happened.
    """

    def __init__(
        self, require: Require, changed: Callable[[Event, JobAccount, Follows], None] = lambda *_: None
    ) -> None:
        self.last = 0
        self.jobs: dict[str, JobAccount] = {}
        self.transitions: set[str] = set()
        self._require = require
        self._changed = changed

    def begin_again(self, accounts: Mapping[str, JobAccount], last: int) -> None:
        """Know what the events up to ``last`` said, and nothing of what came after."""
        self.jobs.clear()
        self.jobs.update(accounts)
        self.last = last

    def feed(self, event: Event) -> None:
        """One more event."""
        self._require(event.seq == self.last + 1, Rule.NO_GAP, f"event {event.seq} ({event.type}) follows {self.last}")
        self.last = event.seq
        if event.job_id is None:
            return
        account = self.jobs.setdefault(event.job_id, JobAccount(correlation_id=event.correlation_id))
        whose = f"{event.type} of {event.job_id}"
        same = event.correlation_id == account.correlation_id
        self._require(same, Rule.CORRELATION, f"{whose} has {event.correlation_id}")
        known = event.type in CHANGES or event.type in NO_CHANGE
        self._require(known, Rule.KNOWN_EVENTS, f"{whose} is in no table")
        is_as_it_was = event.type == "job_restored" and event.data.get("status") == account.state[0]
        if event.type in CHANGES and not is_as_it_was:
            self._take(event, account)
        elif account.state is not NEW:
            status = account.state[0]
            tells = event.data.get("status", status) == status
            self._require(tells, Rule.STATUS_IN_EVENTS, f"{whose}: {event.data}, it is {status}")
        if event.type == "job_uncertain":
            account.uncertain = True
        if event.type == "job_settled":
            self._require(account.uncertain, Rule.SETTLED, f"{whose}, which was not uncertain")
            account.uncertain = False
        if event.type == "job_cancel_requested":
            account.cancel_requested = True
        if event.type == "job_rerun":
            before = event.data.get("reason") == _RAN_SINCE  # found after a restore, whatever was asked meanwhile
            self._require(before or not account.cancel_requested, Rule.NO_RERUN_OF_CANCELLED, whose)

    def _take(self, event: Event, account: JobAccount) -> None:
        before, status = account.state, event.data.get("status")
        happened = following(before, event.type, status, blocked=account.is_blocked_again)
        text = f"{event.type} of {event.job_id} to {status} from {before}"
        self._require(before[1] not in ENDED, Rule.FINAL, text)
        self._require(happened or before[1] in ENDED, Rule.IN_TABLE, text)
        if happened is not None:
            self._move(event, account, happened)

    def _move(self, event: Event, account: JobAccount, happened: Follows) -> None:
        before, after = account.state, happened.state
        self.transitions.add(f"{'/'.join(before)} -> {'/'.join(after)} ({event.type})")
        account.steps += 1
        account.state = after
        account.uncertain = False
        account.was_blocked = event.type == "job_restored" and before == BLOCKED
        if event.type == "job_restored":
            account.restored = before
        if event.type == "approval_requested":
            account.approval = "pending"
        elif event.type in _DECISIONS:
            is_open = account.approval == "pending"
            self._require(is_open, Rule.ONE_END, f"{event.type} of {event.job_id}, it was {account.approval}")
            account.approval = _DECISIONS[event.type]
        elif after[1] in ENDED and account.approval == "pending":
            account.approval = "cancelled"
        self._changed(event, account, happened)
