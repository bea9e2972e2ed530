"""A supervisor that is killed and started again below an open page."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

from tests.api.supervised import Served, serving
from tests.browser.stage import Browser, Page, Stage, at, expect, marks, page_of, row

pytestmark = marks
TWELVE_EPOCHS = """
import sys
for epoch in range(1, 13):
    print(f"epoch {epoch}/12")
    if epoch == 2:
        open(sys.argv[1]).read()
print("done: 12 epochs")
"""
"""A training that ends when it is let go on, and not before."""


def numbers(page: Page) -> list[int]:
    """The numbers of the events that the page has taken, the newest first."""
    return [int(text) for text in page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.dataset.key)")]


def test_a_page_outlives_the_supervisor_and_misses_nothing(stage_of_its_own: Stage, browser: Browser) -> None:
    """kill -9 in the middle of work: the page says so, catches up by itself, and has each event once, in order."""
    stage = stage_of_its_own
    with page_of(browser) as page, ExitStack() as supervisors:
        first = supervisors.enter_context(serving(stage.config, stage.state, kill=True))
        page.goto(stage.link())
        gate = stage.state.with_name("gate")
        os.mkfifo(gate)
        command = ["python", "-uc", TWELVE_EPOCHS, str(gate)]
        training = stage.submit("outlives", provider="local", spec=None, command=command)
        log = page.context.new_page()
        log.goto(at(first, f"jobs/{training['job_id']}"))
        expect(log.get_by_role("region", name="Output")).to_contain_text("epoch 2/12")
        expect(row(page, "outlives")).to_contain_text("running")
        page.goto(at(first, "events"))
        supervisors.close()
        said = page.locator("#connection")
        expect(said).to_contain_text("Disconnected: the supervisor does not answer. This is how things stood at")
        expect(said).to_have_attribute("aria-live", "polite")
        second = supervisors.enter_context(serving(stage.config, stage.state))
        stage.submit("after")  # before the page asks again, as likely as not
        expect(said).to_have_text("")
        gate.write_text("")
        for name in ("after", "outlives"):
            expect(page.get_by_role("row").filter(has_text=name).filter(has_text="job is now completed")).to_have_count(
                1
            )
        seen = numbers(page)[::-1]
        assert seen == stage.events(seen[0] - 1)
        expect(log.get_by_role("region", name="Output")).to_contain_text("done: 12 epochs")
        written = log.get_by_role("region", name="Output").inner_text().splitlines()
        epochs = [line.split()[1] for line in written if line.startswith("epoch")]
        assert epochs == [f"{number}/12" for number in range(1, 13)]
        page.goto(at(second, "jobs"))
        expect(row(page, "outlives")).to_contain_text("completed")


def test_every_page_outlives_the_supervisor(stage_of_its_own: Stage, browser: Browser) -> None:
    """kill -9 below all of them: each says so, and shows what happened since without a reload; what is typed stays."""
    stage = stage_of_its_own
    with ExitStack() as supervisors, ExitStack() as browsers:
        first = supervisors.enter_context(serving(stage.config, stage.state, kill=True))
        job = stage.submit("waits", group="both", start_after="+2h")["job_id"]
        shown = {
            "jobs": "after", f"jobs/{job}": "cancelled", "group/both?user=ana": "after", "queue": "behind",
            "approvals": "asked for later", "events": "job submitted", "actors": "scheduler", "health": "all is well",
            "devices": "paused meanwhile", "submit?entry_point=training": "Entry point",
        }  # fmt: skip
        pages = {}
        for place in shown:
            pages[place] = browsers.enter_context(page_of(browser))
            pages[place].goto(stage.link())
            pages[place].get_by_role("navigation").wait_for()
            pages[place].goto(at(first, place))
        form = pages["submit?entry_point=training"]
        form.get_by_label("epochs", exact=True).fill("3")
        supervisors.close()
        for page in pages.values():
            expect(page.locator("#connection")).to_contain_text("Disconnected: the supervisor does not answer.")
        supervisors.enter_context(serving(stage.config, stage.state))
        stage.ask("POST", f"/api/jobs/{job}/cancel")
        stage.submit("after", group="both", requires_approval="asked for later")
        stage.submit("behind", start_after="+2h")
        stage.ask("POST", "/api/queue/pause", json={"provider": "there", "reason": "paused meanwhile"})
        for place, page in pages.items():
            expect(page.locator("#connection")).to_have_text("")
            expect(page.get_by_role("main").get_by_text(shown[place]).first).to_be_visible()
        expect(form.get_by_label("epochs", exact=True)).to_have_value("3")
        form.get_by_role("button", name="Submit").click()
        expect(form.get_by_role("heading", name="1 job submitted")).to_be_visible()


def test_a_connection_that_is_silent_is_looked_after(stage: Stage, page: Page, served: Served) -> None:
    """Nothing comes and nothing breaks, as behind a cable that was pulled: the page asks, gives up, and says so."""
    page.clock.install()
    page.reload()
    stage.submit("before-the-silence")  # a name of its own, as tests share the stage
    row(page, "before-the-silence").wait_for()
    said = page.locator("#connection")
    os.kill(served.pid, signal.SIGSTOP)
    try:
        page.clock.fast_forward(15_000)
        page.clock.fast_forward(5_000)
        expect(said).to_contain_text("Disconnected: the supervisor does not answer.")
    finally:
        os.kill(served.pid, signal.SIGCONT)
    expect(said).to_have_text("")


def test_a_supervisor_that_stops_says_so(stage_of_its_own: Stage, browser: Browser) -> None:
    """The goodbye is told apart from a silence; a session that ended meanwhile leads back to the sign-in."""
    stage = stage_of_its_own
    with page_of(browser) as page, ExitStack() as supervisors:
        served = supervisors.enter_context(serving(stage.config, stage.state))
        made = served.ask("POST", "/api/tokens", json={"user_id": "bo", "level": "lead"})
        page.goto(served.address)
        page.get_by_label("Token", exact=True).fill(made["token"])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("navigation").wait_for()
        supervisors.close()
        expect(page.locator("#connection")).to_contain_text("Disconnected: the supervisor")
        page.route("**/api/**", lambda route: route.abort())  # no request reaches the next supervisor too early
        again = supervisors.enter_context(serving(stage.config, stage.state))
        again.ask("DELETE", f"/api/tokens/{made['token_id']}")
        page.unroute("**/api/**")
        expect(page.get_by_role("alert").filter(has_text="The session has ended.")).to_be_visible()


def test_too_many_open_pages_are_said_and_what_was_refused_is_opened_later(
    stage: Stage, page: Page, served: Served
) -> None:
    """The server refuses a stream and answers all else: nothing that is not so is said about job or supervisor."""
    job = stage.submit("prints", provider="local", spec=None, command=["echo", "a line"])
    refused = {"status": 503, "headers": {"Retry-After": "1"}, "json": {"detail": "this token has 5 streams already"}}
    for path in ("**/logs/stream*", "**/api/events*"):
        page.route(path, lambda route: route.fulfill(**refused))
    page.goto(at(served, f"jobs/{job['job_id']}"))
    page.reload()  # for another address alone nothing is opened anew
    expect(page.locator("#connection")).to_contain_text("takes no more connections of yours; close other pages")
    page.unroute("**/api/events*")
    expect(page.locator("#connection")).to_have_text("")
    expect(page.get_by_text("The output cannot be followed now: too many pages are open")).to_be_visible()
    page.unroute("**/logs/stream*")
    expect(page.get_by_role("region", name="Output")).to_contain_text("a line")
    expect(page.get_by_text("The output cannot be followed now")).to_have_count(0)
