"""The queue is changed where it is shown: priorities, limits, pauses; once with the pointer and once by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.supervised import Served
from tests.browser.stage import Browser, Page, Route, Stage, at, expect, marks, page_of, row

pytestmark = marks
LIMITS = "/api/queue/limits"


@pytest.fixture
def waiting(stage: Stage, served: Served) -> Iterator[list[str]]:
    """Three jobs that wait, because everything is paused; the names in their order."""
    stage.ask("POST", "/api/queue/pause", json={"reason": "for a test"})
    names = ["first-here", "second-here", "third-here"]
    ids = [stage.submit(name)["job_id"] for name in names]
    yield names
    stage.ask("POST", "/api/jobs/cancel", json={"jobs": ids})
    for body in ({}, {"provider": "there"}):
        stage.ask("POST", "/api/queue/resume", json=body)
    stage.ask("DELETE", LIMITS)


def expect_order(page: Page, names: list[str]) -> None:
    """The jobs of the test wait in this order."""
    expect(page.locator("td[data-label=Place] + th").filter(has_text="-here")).to_have_text(names)


def limit(stage: Stage, name: str) -> Any:
    """What the server has."""
    return next((one["value"] for one in stage.ask("GET", LIMITS)["limits"] if one["name"] == name), None)


def refused(field: Any) -> Any:
    """The sentence that describes the field as wrong."""
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    why = field.get_attribute("aria-describedby").split()[-1]
    return field.page.locator(f"#{why}")


def tab_to(page: Page, node: Any, most: int = 60) -> None:
    """Press Tab until ``node`` has the focus."""
    for _ in range(most):
        if node.evaluate("node => node === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(node).to_be_focused()


def test_a_priority_is_changed_with_the_pointer(page: Page, served: Served, waiting: list[str]) -> None:
    page.goto(at(served, "queue"))
    expect(row(page, "third-here")).to_contain_text("for a test")
    expect_order(page, waiting)
    row(page, "third-here").get_by_role("button", name="Priority of third-here").click()
    row(page, "third-here").get_by_role("textbox", name="Priority of third-here").fill("50")
    page.get_by_role("button", name="Save: Priority of third-here").click()
    expect_order(page, ["third-here", "first-here", "second-here"])
    expect(row(page, "third-here").locator("td").first).to_have_text("1")
    row(page, "third-here").get_by_role("button", name="Priority of third-here: 50").click()
    page.get_by_role("button", name="Reset: Priority of third-here").click()
    expect_order(page, waiting)


def test_a_priority_is_changed_by_keyboard(stage: Stage, page: Page, served: Served, waiting: list[str]) -> None:
    """What is refused stays in the field, with the reason; an event in between takes away neither it nor the focus."""
    page.goto(at(served, "queue"))
    second = row(page, "second-here")
    opens = second.get_by_role("button", name=re.compile("^Priority of second-here: "))
    second.wait_for()
    tab_to(page, opens)
    page.keyboard.press("Enter")
    field = second.get_by_role("textbox", name="Priority of second-here")
    expect(field).to_be_focused()
    page.keyboard.type("51")
    stage.submit("fourth-here")
    row(page, "fourth-here").wait_for()
    expect(field).to_be_focused()
    expect(field).to_have_value("51")
    page.keyboard.press("Enter")
    expect(refused(field)).to_contain_text("priority_override")
    expect(field).to_have_value("51")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_value("50")
    page.keyboard.press("Enter")
    expect(second.locator("td").first).to_have_text("1")
    expect(opens).to_have_text("50")
    expect(opens).to_be_focused()  # although its row has moved
    expect(page.get_by_role("status").filter(has_text="Priority of second-here: 50")).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    expect(opens).to_be_focused()
    stage.ask("POST", "/api/jobs/cancel", json={"name": "fourth-here"})


@pytest.mark.parametrize("typed", ["", "many", "1.5", "-1"])
def test_what_is_no_priority_is_refused_in_the_servers_words(
    stage: Stage, page: Page, served: Served, waiting: list[str], typed: str
) -> None:
    """An empty field is no way to take a priority back."""
    page.goto(at(served, "queue"))
    row(page, "first-here").get_by_role("button", name="Priority of first-here").click()
    field = page.get_by_role("textbox", name="Priority of first-here")
    field.fill(typed)
    field.press("Enter")
    expect(refused(field)).to_contain_text("priority_override")
    expect(field).to_have_value(typed)


def test_limits_are_changed_with_the_pointer(stage: Stage, page: Page, served: Served, waiting: list[str]) -> None:
    """Numbers, switches, and one that a provider has not yet; each is taken back."""
    page.goto(at(served, "queue"))
    page.get_by_text("Limits", exact=True).click()
    for name, label, before, after, kept in (
        ("total", "Jobs of everybody", "20", "7", 7),
        ("fair_share", "The limit of teams holds", "no", "yes", True),
        ("per_provider.there", "Jobs at there", "none", "3", 3),
    ):
        page.get_by_role("button", name=f"{label}: {before}. Change it").click()
        field = page.get_by_role("textbox", name=label)
        for wrong in ("-1", "2x"):
            field.fill(wrong)
            page.get_by_role("button", name=f"Save: {label}").click()
            expect(refused(field)).not_to_be_empty()
        field.fill(after)
        page.get_by_role("button", name=f"Save: {label}").click()
        page.get_by_role("button", name=f"{label}: {after}. Change it").click()
        assert limit(stage, name) == kept
        page.get_by_role("button", name=f"As configured: {label}").click()
        expect(page.get_by_role("button", name=f"{label}: {before}. Change it")).to_be_visible()
    expect(page.get_by_role("meter", name=re.compile("Everybody: . of 20"))).to_be_visible()


def test_a_limit_is_changed_by_keyboard(stage: Stage, page: Page, served: Served, waiting: list[str]) -> None:
    page.goto(at(served, "queue"))
    row(page, "first-here").wait_for()
    tab_to(page, page.locator("summary", has_text="Limits"))
    page.keyboard.press("Enter")
    opens = page.get_by_role("button", name=re.compile("^Jobs of one user: "))
    tab_to(page, opens)
    page.keyboard.press("Enter")
    page.keyboard.type("99999999999999999999")
    page.keyboard.press("Enter")
    expect(refused(page.get_by_role("textbox", name="Jobs of one user"))).to_contain_text("value")
    page.keyboard.press("Control+a")
    page.keyboard.type("11")
    page.keyboard.press("Enter")
    expect(opens).to_have_text("11")
    expect(opens).to_be_focused()
    assert limit(stage, "per_user") == 11


def test_a_provider_and_everything_are_paused_with_a_reason(stage: Stage, page: Page, served: Served) -> None:
    """With the pointer; a reason that is too long is refused beside its field, and a provider that was paused by
    itself stays so when everything is resumed."""
    page.goto(at(served, "queue"))
    reason = page.get_by_label("Reason for a pause")
    reason.fill("x" * 2001)
    page.get_by_role("button", name="Pause there").click()
    expect(reason).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#pause-why")).to_contain_text("reason")
    reason.fill("<b>the disk is full</b>")
    page.get_by_role("button", name="Pause there").click()
    expect(row(page, "there")).to_contain_text("<b>the disk is full</b>")
    expect(page.locator("#pause-why")).to_be_empty()
    page.get_by_role("button", name="Pause the queue").click()
    expect(row(page, "All providers")).to_contain_text("the queue is paused: by root")
    page.get_by_role("button", name="Resume the queue").click()
    expect(row(page, "All providers")).to_contain_text("yes")
    expect(row(page, "there")).to_contain_text("the disk is full")
    page.get_by_role("button", name="Resume there").click()
    expect(row(page, "there")).to_contain_text("yes")


def test_a_pause_by_keyboard_leaves_the_focus_where_it_was(page: Page, served: Served) -> None:
    page.goto(at(served, "queue"))
    row(page, "there").wait_for()
    tab_to(page, page.get_by_role("button", name="Pause there"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume there")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause there")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="there is resumed")).to_have_count(1)


def test_who_is_presumably_next_and_when_stands_there(page: Page, served: Served, waiting: list[str]) -> None:
    """By the server's estimates, whatever the order is; nothing is said of a job of which nobody knows."""

    def with_estimates(route: Route) -> None:
        answer = route.fetch().json()
        for job, seconds in zip(answer["waiting"], (None, 300, 7200), strict=False):
            job["estimate_seconds"] = seconds
            job["estimated_start"] = seconds and {"earliest": "2026-01-31T12:00:00Z", "latest": "2026-01-31T12:30:00Z"}
        route.fulfill(json=answer)

    page.route("**/api/queue", with_estimates)
    page.goto(at(served, "queue"))
    expect(page.get_by_text("Presumably next: second-here, in about 5 min.")).to_be_visible()
    expect(row(page, "first-here").locator(".starts")).to_have_text("")
    expect(row(page, "second-here").locator(".starts")).to_have_text(re.compile(r"^5 min, \d\d:00 to \d\d:30$"))
    page.unroute("**/api/queue")


def test_an_answer_that_was_lost_is_no_success(page: Page, served: Served, waiting: list[str]) -> None:
    """Nobody knows whether the change holds: that is said, and what was typed stays."""
    page.goto(at(served, "queue"))
    row(page, "first-here").get_by_role("button", name="Priority of first-here").click()
    page.route("**/priority", lambda route: route.abort())
    field = page.get_by_role("textbox", name="Priority of first-here")
    field.fill("7")
    field.press("Enter")
    expect(refused(field)).to_have_text("The server did not answer, so it is not known whether this holds now.")
    expect(field).to_have_value("7")
    page.unroute("**/priority")


def test_who_may_not_change_anything_sees_the_values(
    browser: Browser, served: Served, stage: Stage, waiting: list[str]
) -> None:
    made = served.ask("POST", "/api/tokens", json={"user_id": "ana", "level": "researcher"})
    with page_of(browser) as page:
        page.goto(at(served, "queue"))
        page.get_by_label("Token", exact=True).fill(made["token"])
        page.get_by_role("button", name="Sign in").click()
        page.goto(at(served, "queue"))
        expect(row(page, "first-here")).to_contain_text("first-here")
        page.get_by_text("Limits", exact=True).click()
        main = page.get_by_role("main")
        expect(main).to_contain_text("Changing a limit needs level admin")
        expect(page.get_by_role("row", name=re.compile("Jobs of everybody total 20"))).to_be_visible()
        expect(main.get_by_role("button")).to_have_count(0)
        expect(main.get_by_role("textbox")).to_have_count(0)
