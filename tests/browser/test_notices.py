"""Notifications of the browser: asked for by a click, about one's own jobs, as text; also while nobody looks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.api.supervised import Served
from tests.browser.stage import Browser, Page, Stage, at, expect, marks, page_of

pytestmark = marks
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"
RECORD = """
window.told = []; window.asked = 0; window.answer = "granted";
let permission = "default";
window.Notification = class {
  constructor(title, options) { window.told.push({ title, ...options });
    document.documentElement.dataset.told = window.told.map((one) => one.title).join("; ");
    this.close = () => {}; window.latest = this; }
  static get permission() { return permission; }
  static async requestPermission() { window.asked += 1; permission = window.answer; return permission; }
};
"""
"""In place of the browser's interface, which shows its notifications outside the page, where no test sees them."""
HIDE = """() => {
  Object.defineProperty(document, "hidden", { value: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def asking(browser: Browser, served: Served, stage: Stage) -> Iterator[Page]:
    """A page of the user root, whose browser has not been asked yet."""
    with page_of(browser) as page:
        page.add_init_script(RECORD)
        page.goto(stage.link())
        page.get_by_role("navigation").wait_for()
        yield page


def told(page: Page, text: str) -> None:
    """Wait for a notification with this in its title."""
    expect(page.locator("html")).to_have_attribute("data-told", re.compile(re.escape(text)))


def me(stage: Stage) -> str:
    user: str = stage.ask("GET", "/api/session")["user_id"]
    return user


def test_only_who_clicks_is_asked_and_told_about_their_own_jobs(asking: Page, stage: Stage) -> None:
    """Others' jobs, and what is no end, are not told; what is told leads to the job."""
    stage.submit("before", user_id=me(stage))
    assert asking.evaluate("[window.asked, Notification.permission]") == [0, "default"]
    asking.get_by_role("button", name="Notify me").click()
    expect(asking.get_by_role("button", name="Stop notifying me")).to_be_focused()
    stage.submit("of-another", user_id="bo")
    stage.submit(MARKUP, user_id=me(stage), requires_approval="to see")
    mine = stage.submit("mine", user_id=me(stage), spec={"duration": 0.5})
    told(asking, "mine: completed")
    titles = asking.evaluate("window.told.map((one) => one.title)")
    assert f"{MARKUP}: waits for an approval" in titles
    assert [one for one in titles if "of-another" in one] == []
    assert len(titles) == len(set(titles))
    asking.evaluate("window.told.length = 0")
    stage.submit("second", user_id=me(stage), spec={"duration": 0.1})
    told(asking, "second: completed")
    asking.evaluate("window.latest.onclick()")
    expect(asking.get_by_role("heading", name="second")).to_be_visible()
    assert mine["job_id"] not in asking.url
    assert asking.title() != "broken in"
    stage.ask("POST", "/api/jobs/cancel", json={"status": ["pending"]})


def test_many_ends_are_one_notification(asking: Page, stage: Stage) -> None:
    asking.get_by_role("button", name="Notify me").click()
    expect(asking.get_by_role("button", name="Stop notifying me")).to_be_visible()
    one = {"provider": "there", "user_id": me(stage), "requires_approval": "to see", "spec": {"duration": 0.5}}
    made = stage.ask("POST", "/api/jobs", json=[{**one, "config_name": f"many-{n}"} for n in range(8)])
    told(asking, "of your jobs ended or wait for an approval")
    stage.ask("POST", "/api/jobs/cancel", json={"jobs": [one["job_id"] for one in made]})


def test_who_refuses_is_not_asked_again_and_who_stops_is_not_told(asking: Page, served: Served, stage: Stage) -> None:
    asking.get_by_role("button", name="Notify me").click()
    asking.get_by_role("button", name="Stop notifying me").click()
    stage.ended(stage.submit("unheard", user_id=me(stage), spec={"duration": 0.1})["job_id"])
    asking.goto(at(served, "jobs/unheard"))
    expect(asking.locator(".now")).to_contain_text("completed")
    assert asking.evaluate("window.told") == []
    asking.reload()
    asking.evaluate("window.answer = 'denied'")
    asking.get_by_role("button", name="Notify me").click()
    expect(asking.get_by_text("The browser blocks notifications of this page.")).to_be_visible()
    expect(asking.get_by_role("button", name="Notify me")).to_have_count(0)


def test_a_page_in_the_background_goes_on_telling(asking: Page, stage: Stage) -> None:
    """Otherwise a hidden page closes its connection after a minute."""
    asking.get_by_role("button", name="Notify me").click()
    expect(asking.get_by_role("button", name="Stop notifying me")).to_be_visible()
    asking.clock.install()
    asking.evaluate(HIDE)
    asking.clock.fast_forward(120_000)
    stage.ended(stage.submit("unseen", user_id=me(stage), spec={"duration": 0.1})["job_id"])
    for _ in range(3000):  # the page's clock stands, so its two seconds pass only here
        asking.clock.run_for(100)
        if asking.evaluate("window.told.length"):
            break
    assert asking.evaluate("window.told.map((one) => one.title)") == ["unseen: completed"]
