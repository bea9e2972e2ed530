"""Targets of notifications: they outlive processes, are down, slow, or lose their answers; and what must hold of them.

Three promises are checked, the first two at the moment of a receipt and from the outside: nothing is sent for a change
that did not happen, and of one job nothing is sent to a target out of order. At the end: nothing is lost.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from actors.jobs.notifications import AT_ONCE, Notification, Outcome
from actors.jobs.notify_options import NotificationTarget
from actors.notification_targets.sending import OpenSender, Send
from actors.simulation.rules import Rule
from actors.simulation.world import World

DOWN, SLOW, NO_ANSWER, REFUSES, GONE = "down", "slow", "no_answer", "refuses", "gone"
_TIMEOUT = 10.0
_LEAST_WAIT = 2.4
"""Seconds between two tries: half of the first delay, which is 5 s, is left to chance."""
_TYPES: Mapping[str, tuple[str, ...]] = {
    "approval_requested": ("approval_requested",),
    "approval_granted": ("approval_decided",),
    "approval_rejected": ("approval_decided", "cancelled"),
    "approval_expired": ("approval_decided", "cancelled"),
    "job_uncertain": ("uncertain",),
    "job_rerun": ("rerun",),
}
_NOT_SENT = "SELECT notification_id FROM notifications WHERE last_error = 'not sent: restored'"
_ENDS = ("completed", "failed", "cancelled")


@attrs.define
class Targets:
    """All targets of a world. ``accepted``: numbers of notifications that were acknowledged; ``refused``: for good.

    ``failed``: when the last try of a notification failed, where it is to wait for the next one.
    """

    world: World
    accepted: set[int] = attrs.field(factory=set)
    refused: set[int] = attrs.field(factory=set)
    failed: dict[int, float] = attrs.field(factory=dict)
    _faults: dict[str, tuple[str, float]] = attrs.field(factory=dict)
    _newest: dict[tuple[str, str], int] = attrs.field(factory=dict)
    _seen: dict[str, int] = attrs.field(factory=dict)
    _recorded: dict[int, int] = attrs.field(factory=dict)

    def disturb(self, name: str, fault: str, seconds: float) -> None:
        """Let a target fail for ``seconds``."""
        self._faults[name] = (fault, self.world.elapsed() + seconds)

    def heal(self) -> None:
        """All work from now on."""
        self._faults.clear()

    def restored(self, newest: int) -> None:
        """Of what the rows say now, ``newest`` is the last: later numbers are those of other notifications."""
        for numbers in (self.accepted, self.refused):
            numbers.difference_update([number for number in numbers if number > newest])
        self._newest.clear()

    def sender(self, check: Callable[[], None]) -> OpenSender:
        """What sends in one process; ``check`` raises in a dead one."""
        self.failed.clear()  # over a restart only the wall clock tells how long to wait

        @asynccontextmanager
        async def opened() -> AsyncIterator[Send]:
            yield _Sender(self, check)

        return opened

    def fault_of(self, name: str) -> str | None:
        """How a target fails now."""
        fault, until = self._faults.get(name, ("", 0.0))
        return fault if self.world.elapsed() < until else None

    def tries(self, number: int, at: float) -> None:
        """A notification is tried: not at once after a try whose failure was recorded, unless somebody wants that."""
        ((recorded,),) = self.world.database.look(
            "SELECT tries FROM notifications WHERE notification_id = ?", (number,)
        )
        before, self._recorded[number] = self._recorded.get(number, 0), recorded
        failed_at = self.failed.get(number)
        if failed_at is not None and failed_at > self.world.jumped_at and recorded > before:
            text = f"{number} is tried at {at}, its last try failed at {failed_at}"
            self.world.require(at - failed_at >= _LEAST_WAIT, Rule.NOTIFICATION_WAIT, text)

    def receive(self, one: Notification) -> None:
        """A target got one: it must be of a change that happened, and none of its job may have come before its turn."""
        world = self.world
        world.say(f"{one.target} is sent {one.notification_id}: {one.type} {one.job_id or ''}")
        world.trace.count(f"notification {one.type}")
        world.note(self._received, one)

    def _received(self, one: Notification) -> None:
        world = self.world
        known = self._seen.setdefault(one.message_id, one.notification_id)
        world.require(known == one.notification_id, Rule.NOTIFICATION_ID, f"{one.message_id} names two")
        for number, job_id, type_ in self._parts(one):
            if job_id is not None:
                self._happened(number, job_id, type_)
                newest = self._newest.get((job_id, one.target), 0)
                text = f"{number} of {job_id} comes to {one.target} after {newest}"
                world.require(number >= newest, Rule.NOTIFICATION_ORDER, text)
                self._newest[job_id, one.target] = max(newest, number)

    def _parts(self, one: Notification) -> list[tuple[int, str | None, str]]:
        """What one stands for: itself, or all that a digest was made of."""
        if one.type != "digest":
            return [(one.notification_id, one.job_id, one.type.value)]
        query = "SELECT notification_id, job_id, type FROM notifications WHERE merged_into = ? ORDER BY 1"
        return self.world.database.look(query, (one.notification_id,))

    def _happened(self, number: int, job_id: str, type_: str) -> None:
        query = "SELECT type, json_extract(data, '$.status') FROM events WHERE job_id = ?"
        found = [kind for event, status in self.world.database.look(query, (job_id,)) for kind in types(event, status)]
        self.world.require(type_ in found, Rule.NOTIFICATION_TRUE, f"{number} says {type_} of {job_id}, events {found}")


@attrs.define
class _Sender:
    _targets: Targets
    _check: Callable[[], None]
    _under_way: Counter[str] = attrs.field(factory=Counter)

    async def __call__(self, notification: Notification, target: NotificationTarget) -> Outcome:
        one, targets = notification, self._targets
        self._under_way[one.target] += 1
        at_once = self._under_way[one.target]
        world = targets.world
        world.note(world.require, at_once <= AT_ONCE, Rule.FEW_AT_ONCE, f"{at_once} to {one.target}")
        world.note(targets.tries, one.notification_id, world.elapsed())
        try:
            return await self._send(one)
        finally:
            self._under_way[one.target] -= 1

    async def _send(self, one: Notification) -> Outcome:
        targets, fault = self._targets, self._targets.fault_of(one.target)
        self._check()
        await trio.sleep(_TIMEOUT - 1 if fault == SLOW else 0.1)
        self._check()
        if fault == DOWN:
            targets.failed[one.notification_id] = targets.world.elapsed()
            return Outcome("answered 503")
        targets.receive(one)
        if fault == NO_ANSWER:  # it took it, and nobody knows: it gets the same again
            await trio.sleep(_TIMEOUT)
            targets.failed[one.notification_id] = targets.world.elapsed()
            return Outcome("no answer within 10 s")
        if fault in (REFUSES, GONE):
            targets.refused.add(one.notification_id)
            return Outcome("answered 4xx", final=True, disables=fault == GONE)
        targets.accepted.add(one.notification_id)
        await trio.sleep(0.1)
        self._check()
        return Outcome()


def types(event: str, status: str | None) -> tuple[str, ...]:
    """What an event is in notifications, by a table of its own."""
    if event != "job_status_changed":
        return _TYPES.get(event, ())
    return ("started",) if status == "running" else (status,) if status in _ENDS else ()


def unsent(world: World) -> list[tuple[int, str, str]]:
    """Notifications that have not ended, and groups whose end is still to be sent."""
    return world.database.look(
        "SELECT notification_id, target, state FROM notifications WHERE finished_at IS NULL"
        " UNION ALL SELECT 0, target, group_name FROM notification_groups"
    )


def check_targets(world: World, targets: Targets) -> None:
    """At the end: exactly one row for each event and target that asks for it, each delivered, or refused for good."""
    expected, groups = _expected(world)
    rows = world.database.look("SELECT notification_id, job_id, target, type, state, merged_into FROM notifications")
    not_sent = {number for (number,) in world.database.look(_NOT_SENT)}
    found = Counter((job_id, target, type_) for _, job_id, target, type_, _, _ in rows if job_id is not None)
    for what in sorted(expected - found):
        world.broken(Rule.NOTIFICATION_LOST, f"{what} has an event and no row")
    for what in sorted(found - expected):
        world.broken(Rule.NOTIFICATION_TRUE, f"{what} has a row and no event")
    for number, job_id, target, type_, state, merged_into in rows:
        sent_as = number if merged_into is None else merged_into
        good = sent_as in (targets.accepted if state == "delivered" else targets.refused) or number in not_sent
        text = f"{number} ({type_} of {job_id} to {target}) is {state} and was not received"
        world.require(good, Rule.NOTIFICATION_LOST, text)
    look = "SELECT DISTINCT json_extract(body, '$.data.user_id'), json_extract(body, '$.data.group'), target"
    ended = set(world.database.look(f"{look} FROM notifications WHERE type = 'group_ended'"))
    for group in sorted(groups - ended):
        world.broken(Rule.NOTIFICATION_LOST, f"the end of group {group} was not written")


def _expected(world: World) -> tuple[Counter[tuple[str, str, str]], set[tuple[str, str, str]]]:
    """Job, target and type of each notification that there must be; user, group and target of each end of a group."""
    options = world.settings.notify
    asked = {
        job_id: (json.loads(names or "[]") or list(options.defaults.get(user, ())), user, group)
        for job_id, user, group, names in world.database.look(
            "SELECT job_id, user_id, group_name, json_extract(request, '$.notify') FROM jobs"
        )
    }
    expected: Counter[tuple[str, str, str]] = Counter()
    groups: set[tuple[str, str, str]] = set()
    query = "SELECT job_id, type, json_extract(data, '$.status') FROM events WHERE job_id IS NOT NULL"
    for job_id, event, status in world.database.look(query):
        names, user, group = asked.get(job_id, ([], "", None))
        for type_ in types(event, status):
            for name in names:
                on: Any = options.targets[name].on
                if group is not None and type_ in _ENDS and {"completed", "cancelled"} & set(on):
                    groups.add((user, group, name))
                if type_ in on and (group is None or type_ not in ("completed", "cancelled")):
                    expected[job_id, name, type_] += 1
    return expected, groups
