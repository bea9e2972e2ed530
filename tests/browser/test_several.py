"""Several jobs at once: what will happen is said first, and then happens to exactly those."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.supervised import Served, serving
from tests.browser.stage import Browser, Page, Stage, at, expect, marks, page_of, row

pytestmark = marks


@pytest.fixture
def paused(stage: Stage, served: Served) -> Iterator[None]:
    """Nothing starts meanwhile."""
    stage.ask("POST", "/api/queue/pause", json={})
    yield
    stage.ask("POST", "/api/queue/resume", json={})


def select(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()


@pytest.mark.usefixtures("paused")
def test_chosen_jobs_are_cancelled_after_a_look(stage: Stage, page: Page, served: Served) -> None:
    """Of three, one has ended by then: the dialog says so before anything is done, and the others are cancelled."""
    made = {name: stage.submit(name)["job_id"] for name in ("one", "two", "three")}
    page.goto(at(served, "jobs?state=waits"))
    page.goto(at(served, "jobs"))
    select(page, *made)
    bar = page.get_by_role("group", name="Selected jobs")
    expect(bar).to_contain_text("3 jobs selected.")
    stage.ask("POST", f"/api/jobs/{made['two']}/cancel")
    bar.get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Cancel: 2 jobs would be cancelled")
    expect(dialog).to_contain_text("it is cancelled, so it cannot be cancelled")
    expect(row(page, "one")).to_contain_text("waits")  # nothing was done yet
    dialog.get_by_role("button", name="Go back").click()
    expect(bar).to_contain_text("3 jobs selected.")
    bar.get_by_role("button", name="Cancel").click()
    dialog.get_by_role("button", name="Cancel 2 jobs").click()
    expect(dialog).to_be_hidden()
    for name in made:
        expect(row(page, name)).to_contain_text("cancelled")
    expect(bar.get_by_role("button", name="Cancel")).to_be_hidden()


@pytest.mark.usefixtures("paused")
def test_all_that_fit_the_filters_are_prioritised_and_removed(stage: Stage, page: Page, served: Served) -> None:
    """A selection by filters is the server's; what is removed is gone from the list."""
    for number in range(3):
        stage.submit(f"fits-{number}", group="chosen")
    stage.submit("fits-not")
    page.goto(at(served, "jobs?group=chosen"))
    page.get_by_role("button", name="Select all that fit the filters").click()
    bar = page.get_by_role("group", name="Selected jobs")
    bar.get_by_role("button", name="Prioritise").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Priority").fill("7")
    dialog.get_by_role("button", name="Prioritise 3 jobs").click()
    expect(dialog).to_be_hidden()
    found = stage.ask("GET", "/api/jobs?group=chosen")["jobs"]
    assert [job["priority_override"] for job in found] == [7, 7, 7]
    stage.ask("POST", "/api/jobs/cancel", json={"group": "chosen"})
    page.get_by_label("State").select_option("cancelled")
    expect(row(page, "fits-0")).to_contain_text("cancelled")
    page.get_by_role("button", name="Select all that fit the filters").click()
    bar.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove 3 jobs").press("Enter")
    expect(dialog).to_be_hidden()
    expect(row(page, "fits-0")).to_have_count(0)
    assert stage.ask("GET", "/api/jobs?group=chosen")["jobs"] == []
    assert stage.ask("GET", "/api/jobs/fits-not")["status"] == "pending"


@pytest.mark.usefixtures("paused")
@pytest.mark.parametrize("by_filter", [True, False])
def test_another_filter_ends_the_selection(stage: Stage, page: Page, served: Served, by_filter: bool) -> None:
    """Nothing is done to jobs that are no longer shown; another order changes nothing."""
    old, new = (f"{name}-by-{'filter' if by_filter else 'hand'}" for name in ("old", "new"))
    for name in (old, new):
        stage.submit(name, group=name)
    page.goto(at(served, f"jobs?group={old}"))
    if by_filter:
        page.get_by_role("button", name="Select all that fit the filters").click()
    else:
        select(page, old)
    bar = page.get_by_role("group", name="Selected jobs")
    page.get_by_label("Sort by").select_option("name")
    expect(row(page, old).get_by_role("checkbox")).to_be_checked()
    page.get_by_label("Group").fill(new)
    expect(row(page, new).get_by_role("checkbox")).not_to_be_checked()
    expect(bar.get_by_role("button", name="Remove")).to_be_hidden()


def test_what_cannot_be_done_is_said_job_by_job(stage: Stage, page: Page, served: Served) -> None:
    """A command runs again on its machine alone; a simulated job is submitted anew."""
    for name, more in (("a-command", {"provider": "local", "command": ["true"], "spec": None}), ("simulated", {})):
        stage.submit(name, **more)
        page.goto(at(served, f"jobs?name={name}"))
        expect(row(page, name)).to_contain_text("completed")
    page.goto(at(served, "jobs"))
    select(page, "a-command", "simulated")
    page.get_by_role("group", name="Selected jobs").get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Retry: 1 job would be submitted again")
    expect(dialog.get_by_role("listitem").filter(has_text="a-command")).to_contain_text("command")
    dialog.get_by_role("button", name="Retry 1 job").click()
    expect(dialog).to_be_hidden()
    assert len(stage.ask("GET", "/api/jobs?name=simulated")["jobs"]) == 2


def test_a_viewer_is_told_which_level_changes_jobs(stage_of_its_own: Stage, browser: Browser) -> None:
    stage = stage_of_its_own
    with serving(stage.config, stage.state) as served, page_of(browser) as page:
        made = served.ask("POST", "/api/tokens", json={"user_id": "ana", "level": "viewer"})
        stage.submit("seen")
        page.goto(served.address)
        page.get_by_label("Token", exact=True).fill(made["token"])
        page.get_by_role("button", name="Sign in").click()
        select(page, "seen")
        bar = page.get_by_role("group", name="Selected jobs")
        expect(bar).to_contain_text("Changing jobs needs level researcher")
        expect(bar.get_by_role("button")).to_have_count(1)  # select none
