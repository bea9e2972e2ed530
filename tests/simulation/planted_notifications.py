"""Safeguards of notifications, each with a way to take it out (see ``planted.py``)."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import pytest

from actors import notifier
from actors.jobs.notifications import Outcome
from actors.ledger import notifying
from actors.ledger.notifications import Outbox
from actors.ledger.notifying import Tried
from actors.store import Transaction, store
from actors.store import notifications as notification_rows


def notification_in_the_same_transaction(patch: pytest.MonkeyPatch) -> None:
    """The rows are committed first, their notifications in a transaction of their own."""
    notes: WeakKeyDictionary[Transaction, list[object]] = WeakKeyDictionary()
    run_closures = store.Store._run_closures

    def note_later(self, *what):
        notes.setdefault(self, []).append(what)

    def notifications_afterwards(self, group, transaction):
        events = run_closures(self, group, transaction)
        kept = {event.job_id for event in events}  # a request that was refused notes nothing
        _write_notes(transaction, [what for what in notes.pop(transaction, []) if what[0].job_id in kept])
        return events

    patch.setattr(Transaction, "note_for", note_later)
    patch.setattr(store.Store, "_run_closures", notifications_afterwards)


def notification_only_of_what_is_committed(patch: pytest.MonkeyPatch) -> None:
    """What is noted for a transaction that fails is written with the next one."""
    notes: WeakKeyDictionary[object, list[object]] = WeakKeyDictionary()  # each process has a store of its own
    run_closures = store.Store._run_closures

    def note_later(self, *what):
        if self.outbox is not None:  # as where a backup is restored
            notes.setdefault(self.outbox, []).append(what)

    def whatever_was_noted(self, group, transaction):
        events = run_closures(self, group, transaction)
        if self.outbox is not None:
            _write_notes(transaction, notes.pop(self.outbox, []))
        return events

    patch.setattr(Transaction, "note_for", note_later)
    patch.setattr(Outbox, "__hash__", object.__hash__)
    patch.setattr(store.Store, "_run_closures", whatever_was_noted)


def _write_notes(transaction, notes):
    if not notes or transaction.connection.connection.driver_connection.in_transaction:  # it was refused as a whole
        return
    transaction.connection.exec_driver_sql("BEGIN IMMEDIATE")
    for what in notes:
        transaction.outbox.note(transaction, *what)
    transaction.connection.exec_driver_sql("COMMIT")
    transaction.committed()


def acknowledged_before_it_is_recorded(patch: pytest.MonkeyPatch) -> None:
    """A notification counts as delivered as soon as it is about to be sent."""
    deliver = notifier.Notifier._send_one

    async def recorded_first(self, one, disabled):
        await self._ledger.write(notifying.record, [Tried(one.notification_id, Outcome())], jitter=lambda: 0.0)
        await deliver(self, one, disabled)

    patch.setattr(notifier.Notifier, "_send_one", recorded_first)


def one_notification_of_a_job_after_the_other(patch: pytest.MonkeyPatch) -> None:
    """Each is due as soon as it is written, whatever stands before it."""
    add = notification_rows.add

    def due_at_once(connection, target, type_, body, now, job_id=None):
        number = add(connection, target, type_, body, now, job_id)
        notification_rows.change(connection, number, next_try_at=now, wait_seconds=0.0)
        return number

    patch.setattr(notification_rows, "add", due_at_once)


def group_that_is_awaited(patch: pytest.MonkeyPatch) -> None:
    """The end of a group is told of by the process in which its first job ended, and by no later one."""
    patch.setattr(notification_rows, "await_group", lambda *_group: None)


PLANTED_NOTIFICATIONS: dict[Callable[[pytest.MonkeyPatch], None], set[str]] = {
    notification_in_the_same_transaction: {"no notification is lost"},
    notification_only_of_what_is_committed: {"no notification without its change", "no notification is lost"},
    acknowledged_before_it_is_recorded: {"no notification is lost", "notifications in order"},
    one_notification_of_a_job_after_the_other: {"notifications in order"},
    group_that_is_awaited: {"no notification is lost"},
}
"""Each with the rules by which it is noticed."""
