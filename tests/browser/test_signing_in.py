"""Who comes in, how often, and what they see."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.api.supervised import ROOT, Served
from tests.browser.stage import Browser, Page, Stage, at, expect, marks, page_of, row

pytestmark = marks


@pytest.fixture
def strange(browser: Browser, served: Served) -> Iterator[Page]:
    """A page on which nobody is signed in."""
    with page_of(browser) as page:
        yield page


def link_of_the_command(stage: Stage) -> str:
    command = [sys.executable, "-m", "actors", "open", "--config", str(stage.config)]
    environ = {"GREENROOM_HOME": str(stage.state), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_the_link_of_open_signs_in_once_and_leaves_no_code_behind(
    stage: Stage, strange: Page, browser: Browser
) -> None:
    """The code is gone from the address bar and from the history; the cookie cannot be read by scripts."""
    link = link_of_the_command(stage)
    strange.goto(link)
    expect(strange.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert strange.url.endswith("/#/jobs")
    assert strange.evaluate("document.cookie") == ""
    (cookie,) = strange.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    strange.reload()
    expect(strange.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    with page_of(browser) as second:
        second.goto(link)
        expect(second.locator("form").get_by_role("alert")).to_contain_text("was used or is too old")
        expect(second.get_by_role("navigation")).to_be_hidden()
        assert "code" not in second.url


def test_a_token_signs_in_and_signing_out_ends_the_session(served: Served, strange: Page) -> None:
    """A wrong token is refused in words; what was typed is in no request's address."""
    strange.goto(served.address)
    field, enter = strange.get_by_label("Token", exact=True), strange.get_by_role("button", name="Sign in")
    field.fill("gr_wrong")
    enter.click()
    expect(strange.locator("form").get_by_role("alert")).to_have_text("unknown token")
    field.fill(served.token)
    enter.click()
    strange.get_by_role("button", name="Sign out").click()
    expect(strange.get_by_role("heading", name="Sign in")).to_be_visible()
    strange.reload()
    expect(strange.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_viewer_sees_own_jobs_and_no_button_that_would_be_refused(
    stage: Stage, served: Served, strange: Page
) -> None:
    """Where a button would stand it says what level it takes; a link to what may not be seen is not there."""
    stage.submit("of-vi", user_id="vi", requires_approval="dear")
    stage.submit("of-ana")
    stage.submit("ended-of-vi", user_id="vi")
    made = served.ask("POST", "/api/tokens", json={"user_id": "vi", "level": "viewer"})
    strange.goto(served.address)
    strange.get_by_label("Token", exact=True).fill(made["token"])
    strange.get_by_role("button", name="Sign in").click()
    expect(row(strange, "of-vi")).to_contain_text("waits for approval")
    expect(row(strange, "ended-of-vi")).to_contain_text("completed")
    expect(row(strange, "of-ana")).to_have_count(0)
    expect(strange.get_by_role("link", name="Actors")).to_have_count(0)
    for view, words in (
        ("approvals", "Deciding"),
        ("queue", "Pausing"),
        ("actors", "Looking at the actors"),
    ):
        strange.goto(at(served, view))
        expect(strange.get_by_role("main")).to_contain_text(f"{words} needs level")
        expect(strange.get_by_role("main").get_by_role("button")).to_have_count(0)
    strange.goto(at(served, "jobs"))
    strange.get_by_role("link", name="of-vi", exact=True).click()
    expect(strange.get_by_role("main")).to_contain_text("Cancelling needs level researcher; your level is viewer.")
    expect(strange.locator("#fault")).to_have_text("")
