"""Which events make the notifier look: none for jobs that notify nobody, and each that may end an awaited group."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from actors.jobs.events import EventType
from actors.jobs.records import Event
from actors.ledger.notifications import Outbox

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(type_: EventType, **data: object) -> Event:
    return Event(seq=1, time=NOW, type=type_.value, job_id="job", correlation_id="c", data=data)


END = event(EventType.JOB_STATUS_CHANGED, status="completed")
RUNNING = event(EventType.JOB_STATUS_CHANGED, status="running")
REJECTED, EXPIRED = event(EventType.APPROVAL_REJECTED), event(EventType.APPROVAL_EXPIRED)
ENABLED = event(EventType.NOTIFICATION_TARGET_ENABLED)


@pytest.mark.parametrize(
    ("has_news", "awaits_groups", "waking"),
    [
        (False, False, {ENABLED.type}),
        (False, True, {ENABLED.type, "end", REJECTED.type, EXPIRED.type}),
        (True, False, {ENABLED.type, "end", "running", REJECTED.type, EXPIRED.type}),
    ],
)
def test_the_notifier_looks_after_what_may_have_made_something_due(
    has_news: bool, awaits_groups: bool, waking: set[str]
) -> None:
    outbox = Outbox(has_news=has_news, awaits_groups=awaits_groups)
    known = {"end": END, "running": RUNNING, **{one.type: one for one in (REJECTED, EXPIRED, ENABLED)}}
    assert {name for name, one in known.items() if outbox.wakes(one)} == waking


def test_at_first_the_notifier_looks_after_any_event_and_awaits_no_group() -> None:
    """What a process before this one left may be due."""
    outbox = Outbox()
    assert outbox.wakes(RUNNING)
    outbox.has_news = False
    assert not outbox.wakes(END)
