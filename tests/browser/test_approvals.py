"""Approvals: who asks for what and by which rule, decided several at once and on the job's own page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.supervised import Served
from tests.browser.stage import Browser, Page, Route, Stage, at, expect, marks, page_of, row

pytestmark = marks
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"


@pytest.fixture
def waiting(stage: Stage, served: Served) -> Iterator[dict[str, str]]:
    """Three requests, one of them by a rule; and another job of one of the users. By name, the id of the job."""
    rule = stage.ask(
        "POST", "/api/approvals/rules", json={"name": "Dear jobs", "condition": "cost_exceeds", "value": 100.0}
    )
    stage.submit("runs-already", spec={"duration": 600}, user_id="bo")
    made = [
        stage.submit("dear", user_id="bo", estimated_cost=120.5),
        stage.submit(
            "odd", requires_approval=MARKUP, provider="local", spec=None, command=["echo", MARKUP], cwd="/tmp"
        ),
        stage.submit("third", requires_approval="to see"),
    ]
    yield {one["config_name"]: one["job_id"] for one in made}
    stage.cancel_all()
    switch_off(stage, rule["rule_id"])


def switch_off(stage: Stage, rule_id: int) -> None:
    """A rule that is not active holds no job."""
    rule = stage.ask("GET", f"/api/approvals/rules/{rule_id}")
    fields = ("name", "condition", "value", "required_approver_level")
    stage.ask(
        "PUT", f"/api/approvals/rules/{rule_id}", json={**{name: rule[name] for name in fields}, "is_active": False}
    )


def status(stage: Stage, job_id: str) -> Any:
    return stage.ask("GET", f"/api/jobs/{job_id}")["queue_status"]


def test_a_request_says_who_asks_for_what_and_by_which_rule(
    page: Page, served: Served, waiting: dict[str, str]
) -> None:
    page.goto(at(served, "approvals"))
    for fact in ("bo, lab", "$120.50", "on there, by its options", "rule Dear jobs", "1 CPU"):
        expect(row(page, "dear")).to_contain_text(fact)
    expect(row(page, "odd")).to_contain_text(f"echo {MARKUP}")
    row(page, "dear").get_by_text("What else bo runs").click()
    expect(row(page, "dear").get_by_role("link", name="runs-already")).to_be_visible()
    expect(row(page, "dear").get_by_role("listitem")).to_have_count(1)
    assert page.title() != "broken in"


def test_several_are_decided_at_once(page: Page, served: Served, stage: Stage, waiting: dict[str, str]) -> None:
    """Those that were chosen, and no other; a rejection needs its reason."""
    page.goto(at(served, "approvals"))
    for name in ("odd", "third"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    bar = page.get_by_role("group", name="Selected requests")
    expect(bar).to_contain_text("2 requests selected.")
    bar.get_by_role("button", name="Reject selected").click()
    reason = page.get_by_label("Reason for rejecting the selected requests")
    expect(reason).to_be_focused()
    assert status(stage, waiting["third"]) == "blocked"
    reason.fill("not today")
    bar.get_by_role("button", name="Reject selected").click()
    for name in ("odd", "third"):
        expect(row(page, name)).to_have_count(0)
        assert "not today" in stage.ask("GET", f"/api/jobs/{waiting[name]}")["error_message"]
    expect(bar).to_be_hidden()
    assert status(stage, waiting["dear"]) == "blocked"


def test_what_was_not_decided_is_said(page: Page, served: Served, stage: Stage, waiting: dict[str, str]) -> None:
    """One of two was decided meanwhile by somebody else."""
    page.goto(at(served, "approvals"))
    for name in waiting:
        page.get_by_role("checkbox", name=f"Select {name}").check()

    def decide_first(route: Route) -> None:
        stage.ask("POST", f"/api/approvals/{waiting['third']}/reject", json={"reason": "elsewhere"})
        route.continue_()

    page.route("**/api/approvals/bulk", decide_first, times=1)
    page.get_by_role("button", name="Approve selected").click()
    expect(page.get_by_role("alert").filter(has_text="1 of 3 were not decided: ")).to_be_visible()
    for name in waiting:
        expect(row(page, name)).to_have_count(0)


def test_all_are_selected_by_one_button(page: Page, served: Served, waiting: dict[str, str]) -> None:
    page.goto(at(served, "approvals"))
    page.get_by_role("button", name="Select all").click()
    for name in waiting:
        expect(page.get_by_role("checkbox", name=f"Select {name}")).to_be_checked()


def test_a_job_is_approved_on_its_own_page(page: Page, served: Served, stage: Stage, waiting: dict[str, str]) -> None:
    page.goto(at(served, f"jobs/{waiting['third']}"))
    page.get_by_role("button", name="Approve third").click()
    expect(page.get_by_role("button", name="Approve third")).to_have_count(0)
    stage.ended(waiting["third"])
    page.goto(at(served, f"jobs/{waiting['odd']}"))
    page.get_by_label("Reason for rejecting odd").fill(MARKUP)
    page.get_by_role("button", name="Reject odd").click()
    expect(page.locator(".now")).to_have_text("cancelled")
    expect(page.get_by_role("main")).to_contain_text(MARKUP)


def test_a_refusal_stands_beside_the_button(page: Page, served: Served, waiting: dict[str, str]) -> None:
    """As text, in the server's words; the reason that was typed stays."""
    refusal = {"title": "Forbidden", "status": 403, "detail": f"not by yourself {MARKUP}"}
    page.route("**/reject", lambda route: route.fulfill(status=403, json=refusal))
    for place in ("approvals", f"jobs/{waiting['odd']}"):
        page.goto(at(served, place))
        reason = page.get_by_label("Reason for rejecting odd")
        reason.fill("too odd")
        page.get_by_role("button", name="Reject odd").click()
        expect(page.get_by_role("main").get_by_role("alert").filter(has_text=MARKUP)).to_be_visible()
        expect(reason).to_have_value("too odd")


def test_a_researcher_takes_back_their_own(
    browser: Browser, served: Served, stage: Stage, waiting: dict[str, str]
) -> None:
    token = stage.ask("POST", "/api/tokens", json={"user_id": "bo", "level": "researcher"})["token"]
    with page_of(browser) as page:
        page.goto(at(served, "approvals"))
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(row(page, "dear")).to_contain_text("Deciding needs level lead")
        expect(page.get_by_role("checkbox")).to_have_count(0)
        row(page, "dear").get_by_role("button", name="Withdraw dear").click()
        expect(row(page, "dear")).to_have_count(0)
