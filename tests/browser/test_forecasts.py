"""The Queue page shows what the runtime says of jobs that wait: where, what is kept free for whom, until when."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

from tests.api.supervised import Served, serving
from tests.browser.stage import Browser, Page, Stage, at, expect, marks, page_of, row

pytestmark = marks
TWENTY_MINUTES = 20 * 60 * 1_000_000  # microseconds, as rows have times
WAITS = ["python", "-c", "import signal; signal.pause()"]


def test_jobs_that_wait_at_their_providers_stand_there_with_the_reason(
    stage: Stage, page: Page, served: Served
) -> None:
    """Handed over, and not running yet: beside the queue, not in it."""
    job = stage.submit("handed-over", spec={"queue_time": 3600, "waiting_reason": "a node is down"})["job_id"]
    try:
        page.goto(at(served, "queue"))
        handed = page.get_by_role("table", name="Handed over, and waiting at their providers")
        expect(handed.get_by_role("row", name=re.compile("handed-over ana, lab there waits at there"))).to_be_visible()
        expect(handed).to_contain_text("a node is down")
        expect(row(page, "handed-over")).to_have_count(1)
    finally:
        stage.ask("POST", f"/api/jobs/{job}/cancel")
    expect(handed).to_be_hidden()


def test_what_is_kept_free_stands_there_with_the_job_that_it_is_for(stage: Stage, page: Page, served: Served) -> None:
    """Of four CPUs one is in use: the other three are kept for the job that needs four, and not given to one of two."""
    holds = stage.submit("holds", provider="local", spec=None, command=WAITS)["job_id"]
    stage.submit("wide", provider="local", spec=None, command=WAITS, resources={"cpus": 4}, priority_override=50)
    stage.submit("narrow", provider="local", spec=None, command=WAITS, resources={"cpus": 2})
    try:
        page.goto(at(served, "queue"))
        kept = page.get_by_role("listitem").filter(has_text="local: keeping")
        expect(kept).to_have_text("local: keeping 3 of 4 CPUs free for wide")
        expect(row(page, "wide")).to_contain_text("waiting for 4 CPUs, 3 free")
        expect(row(page, "narrow")).to_contain_text("some are kept for a job that comes first")
        kept.get_by_role("link").click()
        expect(page.get_by_role("heading", name="wide", exact=True)).to_be_visible()
        page.goto(at(served, "queue"))
        stage.ask("POST", f"/api/jobs/{holds}/cancel")
        expect(row(page, "wide")).to_have_count(0)  # it has started
        expect(page.get_by_role("heading", name="Kept free")).to_be_hidden()
    finally:
        stage.ask("POST", "/api/jobs/cancel", json={"status": ["pending", "uploading", "queued", "running"]})


def test_when_a_job_presumably_starts_comes_from_how_long_others_of_the_name_ran(
    stage_of_its_own: Stage, browser: Browser
) -> None:
    """Three runs of twenty minutes: so the fourth ends, and what waits behind it starts, in about twenty minutes."""
    stage = stage_of_its_own
    with serving(stage.config, stage.state, 120):
        for _ in range(3):
            stage.ended(stage.submit("brief")["job_id"])
    with closing(sqlite3.connect(stage.state / "greenroom.db")) as rows, rows:
        rows.execute("UPDATE jobs SET started_at = completed_at - ?", (TWENTY_MINUTES,))
    with serving(stage.config, stage.state, 120) as served, page_of(browser) as page:
        stage.ask("PUT", "/api/queue/limits/total", json={"value": 1})
        page.goto(stage.link())
        stage.submit("brief", spec={"duration": 3600})
        expect(row(page, "brief").first).to_contain_text("running")  # the newest
        second = stage.submit("behind", spec={"duration": 3600})["job_id"]
        page.goto(at(served, "queue"))
        expect(page.get_by_text(re.compile(r"^Presumably next: behind, in about \d+ min\.$"))).to_be_visible()
        expect(row(page, "behind").locator(".starts")).to_have_text(
            re.compile(r"^\d+ min, (at \d\d:\d\d|\d\d:\d\d to \d\d:\d\d)$")
        )
        page.goto(at(served, f"jobs/{second}"))
        expect(page.get_by_text("Starts presumably")).to_be_visible()
