"""A job's page: its states, what was asked, its output, what it was told to whom."""

from __future__ import annotations

import re

from tests.api.supervised import Served
from tests.browser.stage import Browser, Page, Route, Stage, at, expect, inked, marks, page_of

pytestmark = marks
PRINTS = r"""
import sys
for number in range(300):
    print(f"line {number} of the output")
print("needle \x07 one")
sys.stdout.write("x" * 2_000_000)
print("\n\u202eneedle two\u202c\nthe end")
"""
REPORTS = r"""
import json, os, signal
with open(os.environ["GREENROOM_PROGRESS_FILE"], "a") as file:
    for step in range(1, 40):
        line = {"step": step, "total": 100, "train": {"loss": 1 / step}, "eval": {"loss": -step}}
        file.write(json.dumps(line) + "\n")
signal.pause()
"""


def local(stage: Stage, name: str, script: str, **fields: object) -> str:
    """The id of a job that runs a script on this machine."""
    made = stage.submit(name, provider="local", spec=None, command=["python", "-uc", script], **fields)
    return str(made["job_id"])


def test_output_is_searched_followed_and_downloaded(stage: Stage, page: Page, served: Served) -> None:
    """Two megabytes in one line, a bell and a turned text: all of it is text, and the download has each byte."""
    job = local(stage, "prints", PRINTS)
    page.goto(at(served, f"jobs/{job}"))
    output = page.get_by_role("region", name="Output")
    expect(output).to_contain_text("the end")
    expect(output).to_contain_text("characters are left out here")
    assert len(output.inner_text()) < 20_000
    expect(output).to_contain_text("<U+202E>needle two")
    expect(page.get_by_label("Follow")).to_be_checked()
    page.get_by_label("Search", exact=True).fill("NEEDLE")
    expect(output.locator("mark")).to_have_text("needle")
    expect(page.get_by_label("Follow")).not_to_be_checked()
    page.get_by_label("Search", exact=True).fill("no such words")
    expect(page.get_by_text("Not found in what is shown.")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    content = waiting.value.path().read_bytes()
    assert content.startswith(b"line 0 of the output\n")
    assert (content.count(b"x"), content.count(b"\x07")) == (2_000_000, 1)


def test_the_whole_output_is_searched_by_the_server(stage: Stage, page: Page, served: Served) -> None:
    """What is no longer shown is found there, with the numbers of its lines; marked, and as text."""
    job = local(stage, "prints-more", PRINTS)
    stage.ended(job)
    page.goto(at(served, f"jobs/{job}"))
    expect(page.get_by_role("region", name="Output")).to_contain_text("the end")
    found = page.get_by_role("region", name="Lines that were found")
    search, whole = page.get_by_label("Search", exact=True), page.get_by_role("button", name="Search the whole output")
    search.fill("LINE 17")
    expect(page.get_by_text("Not found in what is shown.")).to_be_visible()
    whole.click()
    expect(page.get_by_text("11 lines found in 304 lines, 2 MB.")).to_be_visible()
    expect(found.get_by_role("row", name="18 line 17 of the output", exact=True)).to_be_visible()
    expect(found.locator("mark").first).to_have_text("line 17")
    search.fill("needle")
    expect(found).to_be_hidden()
    whole.click()
    expect(page.get_by_text("2 lines found in 304 lines, 2 MB.")).to_be_visible()
    expect(found).to_contain_text("<U+202E>needle two")
    search.fill("no such words")
    whole.click()
    expect(page.get_by_text("Not found in 304 lines, 2 MB.")).to_be_visible()


def test_places_that_are_found_are_gone_through_by_keyboard(stage: Stage, page: Page, served: Served) -> None:
    job = local(stage, "repeats", "for n in range(60): print('word', n)")
    page.goto(at(served, f"jobs/{job}"))
    expect(page.get_by_role("region", name="Output")).to_contain_text("word 59")
    search = page.get_by_label("Search", exact=True)
    search.fill("word")
    expect(page.get_by_text("1 of 60", exact=True)).to_be_visible()
    search.press("Enter")
    expect(page.get_by_text("2 of 60", exact=True)).to_be_visible()
    page.get_by_role("button", name="Previous place").click()
    page.get_by_role("button", name="Previous place").click()
    expect(page.get_by_text("60 of 60", exact=True)).to_be_visible()
    expect(page.locator("mark")).to_be_in_viewport()


def test_states_attempts_and_what_was_asked_are_told(stage: Stage, page: Page, served: Served) -> None:
    """A job that ran again by itself: each attempt with its end, and the states one after the other."""
    again = {"times": 1, "on": ["interrupted"], "exit_codes": [75], "delay": 0}
    command = "import os, sys; sys.exit(75 if os.environ['GREENROOM_ATTEMPT'] == '1' else 0)"
    job = local(stage, "twice", command, rerun=again, env={"SECRET_NAME": "hidden-7361"})
    page.goto(at(served, f"jobs/{job}"))
    expect(page.locator(".now")).to_have_text("completed")
    attempts = page.get_by_role("table", name="Attempts").get_by_role("row")
    expect(attempts).to_have_count(3)
    expect(attempts.nth(2)).to_contain_text("completed")
    states = page.get_by_role("table", name="States and how long each lasted")
    expect(states).to_contain_text("waits to run again")
    expect(states.get_by_role("row").last).to_contain_text("completed")
    main = page.get_by_role("main")
    expect(main).to_contain_text("SECRET_NAME")
    expect(main).not_to_contain_text("hidden-7361")
    correlation = stage.ask("GET", f"/api/jobs/{job}")["correlation_id"]
    expect(main).to_contain_text(f"python -m logconf trace {correlation} FILE")


def test_when_it_presumably_ends_and_what_its_notifications_became_is_told(
    stage: Stage, page: Page, served: Served
) -> None:
    """As the server's document of the job has both."""
    job = stage.submit("estimated", spec={"duration": 3600})["job_id"]
    sent = {
        "notification_id": 1, "type": "job_completed", "target": "chat", "state": "given_up", "tries": 5,
        "created_at": "2026-01-31T12:00:00Z", "finished_at": None, "next_try_at": None, "merged_into": None,
        "last_error": "HTTP 410 <b>gone</b>",
    }  # fmt: skip

    def with_both(route: Route) -> None:
        span = {"earliest": "2036-01-31T12:00:00Z", "latest": "2036-01-31T12:30:00Z"}
        route.fulfill(json={**route.fetch().json(), "estimated_end": span, "notifications": [sent]})

    page.route(f"**/api/jobs/{job}", with_both)
    page.goto(at(served, f"jobs/{job}"))
    ends = page.get_by_role("definition").filter(has_text="Jan 31, 2036")
    expect(ends).to_have_text(re.compile(r"^Jan 31, 2036, \d\d:00:00 to Jan 31, 2036, \d\d:30:00 \(in [\d.]+ d\)$"))
    notified = page.get_by_role("table", name="Notifications").get_by_role("row").last
    for told in ("job completed", "chat", "given up", "5", "HTTP 410 <b>gone</b>"):
        expect(notified).to_contain_text(told)
    page.unroute(f"**/api/jobs/{job}")
    stage.ask("POST", f"/api/jobs/{job}/cancel")


def test_curves_come_while_a_job_runs_whatever_colours_there_are(
    stage: Stage, browser: Browser, served: Served
) -> None:
    """Two series of one measure in one plot; what a logarithm cannot show is said; an end is estimated in time."""
    job = local(stage, "reports", REPORTS)
    try:
        with page_of(browser, forced_colors="active", reduced_motion="reduce") as page:
            page.goto(stage.link())
            page.get_by_role("navigation").wait_for()
            page.goto(at(served, f"jobs/{job}"))
            loss = page.get_by_role("figure", name="loss", exact=True)
            expect(loss.get_by_role("listitem")).to_have_count(2)
            inked(loss)
            loss.get_by_role("slider").press("Home")
            expect(loss.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile("step 1: .*train.loss 1"))
            page.get_by_label("Logarithmic scale").check()
            expect(loss).to_contain_text("Values of 0 and below are not shown")
            page.get_by_label("Smoothing").fill("0.9")
            expect(loss.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile("step 1: .*train.loss 1"))
            page.emulate_media(color_scheme="dark", forced_colors="none")
            inked(loss)
    finally:
        stage.ask("POST", f"/api/jobs/{job}/cancel")
