"""What an operator does on the page: watching, deciding, cancelling, pausing; with a mouse or without."""

from __future__ import annotations

import re
from urllib.parse import quote

from tests.api.supervised import Served
from tests.browser.stage import Page, Stage, at, expect, marks, row

pytestmark = marks
ENDLESS = r"""
import signal, sys
print("\x1b[31mfirst\x1b[0m")
sys.stdout.write("10%\r20%\r30%")
signal.pause()
"""
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"


def test_a_sweep_is_watched_without_a_reload(stage: Stage, page: Page) -> None:
    """Real trainings: states, progress and results come by themselves, on the list and on a job's own page."""
    page.evaluate("window.neverReloaded = true")
    made = [stage.training(f"rate-{rate}", "--lr", rate, "--epochs", "4") for rate in ("0.1", "0.3", "20")]
    slow = stage.submit("slow-0", spec={"duration": 600, "progress": 600})["job_id"]
    expect(page.get_by_role("progressbar", name="Progress of slow-0")).to_be_visible()
    stage.ask("POST", f"/api/jobs/{slow}/cancel")
    expect(row(page, "rate-0.1")).to_contain_text("completed")
    expect(row(page, "rate-0.1")).to_contain_text("accuracy 0.")
    expect(row(page, "rate-20")).to_contain_text("diverged")
    expect(row(page, "slow-0")).to_contain_text("cancelled")
    page.get_by_label("State").select_option("failed")
    expect(row(page, "rate-20")).to_be_visible()
    expect(row(page, "rate-0.1")).to_have_count(0)
    page.get_by_role("link", name="rate-20", exact=True).click()
    trail = page.get_by_role("list", name="Events of this job").get_by_role("listitem")
    # That it ran is told of a job only that was seen running, which one that fails at once need not be.
    for told in ("job submitted", "job dispatched", "job handed over", "job is now failed"):
        expect(trail.filter(has_text=told)).to_have_count(1)
    main = page.get_by_role("main")
    for fact in (f"correlation ID {made[2]['correlation_id']}", "python train.py --lr 20", "examples/train", "1 CPU"):
        expect(main).to_contain_text(fact)
    expect(main).to_contain_text("PATH")  # what it inherits, by name
    expect(page.get_by_role("region", name="Output")).to_contain_text("too large")
    assert page.evaluate("window.neverReloaded") is True


def test_a_log_is_read_while_it_is_written(stage: Stage, page: Page, served: Served) -> None:
    """Piece by piece, until the job is cancelled on the same page; a bar that overwrites itself is one line."""
    command = ["python", "-uc", ENDLESS]
    job = stage.submit("endless", provider="local", spec=None, command=command)
    page.goto(at(served, f"jobs/{job['job_id']}"))
    output = page.get_by_role("region", name="Output")
    expect(output).to_have_text("first\n30%")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".now")).to_have_text("cancelled")
    expect(page.get_by_text(f"greenroom retry {job['job_id']}")).to_be_visible()  # what was a command runs from there
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_an_address_with_a_name_leads_to_the_newest_job_of_that_name(stage: Stage, page: Page, served: Served) -> None:
    """The address then has its id, so that a bookmark means the same job tomorrow."""
    stage.submit("models/a")
    newest = stage.submit("models/a")["job_id"]
    page.goto(at(served, "jobs/models%2Fa"))
    expect(page.get_by_role("heading", name="models/a")).to_be_visible()
    expect(page).to_have_url(re.compile(f"#/jobs/{newest}$"))
    expect(page.get_by_role("main")).to_contain_text(newest)
    page.goto(at(served, "jobs/nothing"))
    expect(page.get_by_role("heading", name="There is no such job")).to_be_visible()


def test_requests_are_approved_and_rejected_with_a_reason(stage: Stage, page: Page, served: Served) -> None:
    """A rejection without a reason is not sent; who asked is told the reason, and nothing waits afterwards."""
    stage.cancel_all()
    for name in ("wanted", "unwanted"):
        stage.submit(name, requires_approval=f"{name} by somebody")
    page.get_by_role("link", name="Approvals").click()
    row(page, "wanted").get_by_role("button", name="Approve wanted").click()
    expect(row(page, "wanted")).to_have_count(0)
    reject = page.get_by_role("button", name="Reject unwanted")
    reject.click()
    reason = page.get_by_label("Reason for rejecting unwanted")
    expect(reason).to_be_focused()
    reason.fill("too dear")
    reject.click()
    expect(page.get_by_role("main")).to_contain_text("Nothing waits for a decision.")
    page.get_by_role("link", name="Jobs").click()
    expect(row(page, "wanted")).to_contain_text("completed")
    expect(row(page, "unwanted")).to_contain_text("too dear")


def test_the_queue_is_paused_and_resumed(stage: Stage, page: Page, served: Served) -> None:
    """What waits is in its place with the reason, and runs as soon as somebody lets it."""
    page.goto(at(served, "queue"))
    page.get_by_role("button", name="Pause the queue").click()
    expect(page.get_by_role("main")).to_contain_text("the queue is paused: by root")
    stage.submit("held")
    expect(row(page, "held")).to_contain_text("paused")
    page.get_by_role("button", name="Resume the queue").click()
    expect(row(page, "held")).to_have_count(0)
    expect(page.get_by_role("meter", name=re.compile("Everybody: . of 20"))).to_be_visible()


def test_everything_is_done_by_keyboard(stage: Stage, page: Page, served: Served) -> None:
    """Tab reaches Approve with a visible focus, Enter uses it; an event in between does not take the focus away."""
    stage.cancel_all()
    stage.submit("by-key", requires_approval="to be approved by keyboard")
    page.goto(at(served, "approvals"))
    expect(page.get_by_role("main")).to_be_focused()
    row(page, "by-key").wait_for()
    approve = page.get_by_role("button", name="Approve by-key")
    for _ in range(20):
        page.keyboard.press("Tab")
        if approve.evaluate("node => node === document.activeElement"):
            break
    expect(approve).to_be_focused()
    assert approve.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    stage.submit("meanwhile", requires_approval="another request")
    row(page, "meanwhile").wait_for()
    expect(approve).to_be_focused()
    page.keyboard.press("Enter")
    expect(row(page, "by-key")).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="Approved by-key")).to_have_count(1)
    page.get_by_role("button", name="Approve meanwhile").press("Enter")


def test_each_view_has_its_heading_and_shows_no_fault(page: Page, served: Served) -> None:
    for view in ("Jobs", "Submit", "Queue", "Devices", "Approvals", "Events", "Actors", "Health"):
        link = page.get_by_role("link", name=view)
        link.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(view)
        expect(link).to_have_attribute("aria-current", "page")
        expect(page.locator("#fault")).to_have_text("")
    expect(page.get_by_role("main")).to_contain_text("all is well")


def test_what_a_job_says_is_text(stage: Stage, page: Page, served: Served) -> None:
    """Name, user, output and failure of a job are nobody's markup, whichever view shows them."""
    script = f"import sys\nprint({MARKUP!r})\nsys.exit({MARKUP!r})"
    job = stage.submit(
        MARKUP, user_id=MARKUP, group=MARKUP, provider="local", spec=None, command=["python", "-c", script]
    )
    stage.submit(MARKUP, group=MARKUP, user_id="root")
    stage.submit(MARKUP, user_id=MARKUP, requires_approval=MARKUP)
    for view in ("approvals", "events", "queue", "jobs", f"group/{quote(MARKUP, safe='')}", f"jobs/{job['job_id']}"):
        page.goto(at(served, view))
        expect(page.get_by_role("main").get_by_text(MARKUP).first).to_be_visible()
    expect(page.get_by_role("region", name="Output")).to_contain_text(MARKUP)
    expect(page.get_by_role("main")).to_contain_text("failed")
    assert page.get_by_role("img").count() == 0
    assert page.title() != "broken in"


def test_the_api_is_read_in_the_same_browser(page: Page, served: Served) -> None:
    page.get_by_role("link", name="HTTP API").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("HTTP API")
    page.get_by_text("POST /api/approvals/{approval_id}/reject").click()
    expect(page.get_by_role("link", name="RejectRequest").first).to_be_visible()
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()


def test_a_job_that_waits_for_others_is_linked_both_ways(stage: Stage, page: Page, served: Served) -> None:
    first = stage.submit("first-of-two", spec={"duration": 600})
    second = stage.submit("second-of-two", after=[first["job_id"]], start_after="+2h")
    page.goto(at(served, f"jobs/{second['job_id']}"))
    main = page.get_by_role("main")
    expect(main).to_contain_text("first-of-two (")
    expect(main).to_contain_text("Starts after")
    main.get_by_role("link", name="first-of-two", exact=True).click()
    expect(main.get_by_role("heading", name="first-of-two")).to_be_visible()
    expect(main).to_contain_text("second-of-two (pending)")
    for job in (second, first):
        stage.ask("POST", f"/api/jobs/{job['job_id']}/cancel")
