"""Decisions about notifications: what is sent now, what follows from a try, and in which words it is said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import orjson
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.events import EventType
from actors.jobs.notification_texts import _SAYS, as_text, rendered
from actors.jobs.notifications import (
    AT_ONCE,
    GIVE_UP_AFTER,
    Due,
    Notification,
    NotificationState,
    Outcome,
    Plan,
    after_try,
    digest_content,
    plan,
    shortened,
    types_of,
)
from actors.jobs.notify_options import (
    AllowedCallers,
    NotificationTarget,
    NotificationType,
    NotifyOptions,
    On,
    masked_address,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rows(*tries: int, digest: bool = False) -> list[Due]:
    kind = NotificationType.DIGEST if digest else NotificationType.COMPLETED
    return [Due(number, "chat", kind, one) for number, one in enumerate(tries)]


@given(
    tries=st.lists(st.integers(0, 2), max_size=40),
    in_flight=st.integers(0, 5),
    sent=st.lists(st.floats(0, 100), max_size=40),
    per_minute=st.integers(1, 40),
)
def test_a_plan_keeps_to_the_rate_and_forgets_nothing(tries, in_flight, sent, per_minute):
    due = rows(*tries)
    found = plan(due, in_flight, sent, 100.0, per_minute)
    recent = sum(at + 60 > 100.0 for at in sent)
    assert len(found.send) + in_flight <= max(AT_ONCE, in_flight)
    assert len(found.send) + bool(found.digest) <= max(per_minute - recent, 0)
    assert set(found.send).isdisjoint(found.digest)
    assert len(found.digest) != 1
    assert not any(one.tries for one in found.digest)
    left = [one for one in due if one not in found.send and one not in found.digest]
    if left and in_flight < AT_ONCE and not found.send and not found.digest:
        assert found.look_again is not None
        assert 100 < found.look_again <= 160


def test_a_try_that_is_made_again_takes_a_place_of_the_rate_too():
    """As after ``notifications enable``, when all that has waited is due. What is new is not held up by it."""
    found = plan(rows(1, 1, 1, 1, 0, 0), 0, [0.0], 1.0, 3)
    assert [one.notification_id for one in found.send] == [0]
    assert [one.notification_id for one in found.digest] == [4, 5]
    assert found.look_again == 60.0


def test_a_digest_takes_the_last_place_and_is_not_merged_again():
    found = plan(rows(0, 0, 0, 0), 0, [], 0.0, 3)
    assert [one.notification_id for one in found.send] == [0, 1]
    assert [one.notification_id for one in found.digest] == [2, 3]
    again = plan([*rows(0, digest=True), Due(9, "chat", NotificationType.FAILED, 0)], 0, [0.0, 1.0], 2.0, 3)
    assert [one.type for one in again.send] == [NotificationType.DIGEST]
    assert again.digest == ()


@given(jitter=st.floats(0, 1), retry_after=st.one_of(st.none(), st.floats(0, 1e9), st.just(float("nan"))))
def test_waits_grow_to_an_hour_and_end_after_a_day(jitter, retry_after):
    waited, tries, waits = 0.0, 0, []
    while True:
        verdict = after_try(tries, waited, Outcome("answered 503", retry_after=retry_after), lambda: jitter)
        if verdict.wait is None:
            break
        waits.append(verdict.wait)
        waited, tries = waited + verdict.wait, tries + 1
    assert verdict.state is NotificationState.GIVEN_UP
    assert waited == GIVE_UP_AFTER == 86_400
    assert max(waits) <= 3_600
    assert waits[0] >= 2.5
    assert tries < 100


def test_the_first_wait_is_five_seconds_and_each_later_one_twice_as_long_to_an_hour() -> None:
    def wait(tries: int, jitter: float = 1.0, waited: float = 0.0) -> float | None:
        return after_try(tries, waited, Outcome("answered 503"), lambda: jitter).wait

    assert [wait(tries) for tries in (0, 1, 2, 9, 10, 30)] == [5, 10, 20, 2_560, 3_600, 3_600]
    assert (wait(0, jitter=0.0), wait(9, waited=86_399.0), wait(9, waited=86_400.0)) == (2.5, 1, None)


def test_a_target_gets_four_messages_at_a_time() -> None:
    assert [one.notification_id for one in plan(rows(*9 * [0]), 0, [], 0.0, 30).send] == [0, 1, 2, 3]
    assert plan(rows(0), 4, [], 0.0, 30) == Plan()


def test_a_reason_has_at_most_five_hundred_characters_and_a_digest_fifty_notifications() -> None:
    assert shortened("x" * 500) == "x" * 500
    assert shortened("x" * 501) == "x" * 499 + "\N{HORIZONTAL ELLIPSIS}"
    digest = digest_content([{"type": "failed", "data": {"name": str(n)}} for n in range(51)], NOW)["data"]
    assert (digest["counts"], len(digest["notifications"]), digest["left_out"]) == ({"failed": 51}, 50, 1)


def test_a_new_notification_was_not_tried_and_a_failure_is_not_the_end() -> None:
    new = Notification(1, "j", "chat", NotificationType.FAILED, {}, NOW, NotificationState.PENDING)
    assert (new.tries, new.waited_seconds) == (0, 0)
    assert (Outcome("answered 503").final, Outcome("answered 503").disables) == (False, False)


def test_what_ends_a_notification_at_once():
    assert after_try(0, 0, Outcome(), lambda: 0.0).state is NotificationState.DELIVERED
    assert after_try(0, 0, Outcome("answered 404", final=True), lambda: 0.0).state is NotificationState.GIVEN_UP


def test_each_event_in_notifications():
    changed = EventType.JOB_STATUS_CHANGED
    assert types_of(changed, {"status": "failed"}) == ("failed",)
    assert types_of(changed, {"status": "running"}) == ("started",)
    assert types_of(changed, {"status": "queued"}) == ()
    assert types_of(EventType.APPROVAL_EXPIRED, {}) == ("approval_decided", "cancelled")
    assert types_of(EventType.JOB_UNCERTAIN, {}) == ("uncertain",)
    assert types_of(EventType.JOB_HANDED_OVER, {}) == ()


def test_who_may_name_a_target():
    url, command = NotificationTarget(url="https://a"), NotificationTarget(command=("a",))
    few = NotificationTarget(url="https://a", allowed=AllowedCallers(("ana",), ("lead",)))
    options = NotifyOptions({"url": url, "command": command, "few": few})
    assert options.not_allowed(("url", "command", "few"), "bo", "viewer") == ["command", "few"]
    assert options.not_allowed(("url", "command", "few"), "ana", "viewer") == ["command"]
    assert options.not_allowed(("url", "command", "few"), "bo", "admin") == []
    assert options.fault(("ulr",)) == "there is no notification target 'ulr'; did you mean url?"
    assert options.fault(("zzz",)) == "there is no notification target 'zzz'; known are url, command, few"
    assert "the configuration has none" in (NotifyOptions().fault(("a",)) or "")


def test_texts():
    job = {"job_id": "01abcdef", "name": None, "user_id": "ana", "group": "g", "reason": "why", "exit_code": 1}
    assert as_text({"type": "failed", "data": job}) == "Job 01abcdef of ana in group g failed, exit status 1: why"
    group = {"type": "group_ended", "data": {"group": "g", "user_id": "ana", "counts": {"completed": 2, "failed": 1}}}
    assert as_text(group) == "Group g of ana has ended: 2 completed, 1 failed"
    digest = digest_content([{"type": "failed", "data": job}] * 30, NOW)
    lines = as_text(digest).splitlines()
    assert lines[0] == "30 notifications: 30 failed"
    assert (len(lines), lines[-1]) == (22, "and 10 more")
    assert as_text(digest_content([{"type": "failed", "data": job}] * 20, NOW)).splitlines()[1:] == lines[1:21]
    assert rendered({"type": "completed", "data": {"name": "\udc80"}}, "json")[0]
    assert rendered({"type": "completed", "data": {"name": "\udc80"}}, "text")[0]


def test_every_type_that_a_target_can_ask_for_has_words() -> None:
    assert _SAYS.keys() == set(get_args(On))


def test_of_an_address_scheme_and_host_are_shown():
    assert masked_address("https://ana:secret@hooks.example:8443/T0/x?key=1") == "https://hooks.example/***"
    assert masked_address("http://[::1") == "***"


def test_a_message_is_json_a_line_of_text_or_what_slack_reads() -> None:
    body = {"type": "group_ended", "data": {"group": "<a&b>", "user_id": "ana", "counts": {"completed": 2}}}
    words = as_text(body)
    assert rendered(body, "text") == (f"{words}\n".encode(), "text/plain; charset=utf-8")
    assert rendered({"a": 1}, "json") == (b'{"a":1}', "application/json")
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert rendered(body, "slack") == (orjson.dumps({"text": escaped}), "application/json")


def test_a_message_takes_a_place_of_the_rate_for_a_minute_and_no_longer() -> None:
    for began, places in ((0.0, 1), (0.5, 0)):
        found = plan(rows(0), 0, [began], 60.0, 1)
        assert (len(found.send), found.look_again) == ((1, None) if places else (0, 60.5))


def test_nothing_is_planned_where_nothing_is_due_or_no_delivery_is_free() -> None:
    assert plan([], 0, [], 0.0, 5) == Plan()
    assert plan(rows(0), AT_ONCE, [], 0.0, 5) == Plan()
    assert plan(rows(0, 0, 0), AT_ONCE, [], 0.0, 1) == Plan()  # no digest either
    assert len(plan(rows(0, 0), AT_ONCE - 1, [], 0.0, 5).send) == 1
    assert plan(rows(0, 0, 0), 0, [1.0, 2.0, 3.0], 4.0, 1) == Plan(look_again=61.0)  # more than the rate were sent


def test_where_the_rate_holds_nothing_back_it_is_no_reason_to_look_again() -> None:
    for per_minute, look_again in ((3, None), (2, None), (1, 70.0)):
        assert plan(rows(0), 0, [10.0], 20.0, per_minute).look_again == look_again
