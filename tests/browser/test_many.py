"""Many jobs at once, and more of them than one page of the list holds."""

from __future__ import annotations

from tests.api.supervised import serving
from tests.browser.stage import Browser, Stage, expect, marks, page_of

pytestmark = marks
JOB = {"provider": "there", "user_id": "ana"}


def test_many_events_cost_few_requests(stage_of_its_own: Stage, browser: Browser) -> None:
    """Sixty jobs come and go, and more than there is room for wait: the page keeps far below its token's rate."""
    stage = stage_of_its_own
    with serving(stage.config, stage.state, 120), page_of(browser) as page:
        page.goto(stage.link())
        page.get_by_role("navigation").wait_for()
        statuses: list[int] = []
        page.on("response", lambda response: statuses.append(response.status))
        stage.ask("POST", "/api/jobs", json=[{**JOB, "spec": {"duration": 1, "progress": 3}}] * 60)
        page.get_by_label("State").select_option("completed")
        count = page.get_by_role("main").get_by_role("status")
        expect(count).to_have_text("60 jobs")
        assert set(statuses) == {200}
        assert len(statuses) < len(stage.events(0)) / 3
        stage.ask("POST", "/api/queue/pause", json={})
        stage.ask("POST", "/api/jobs", json=[JOB] * 450)
        page.reload()
        expect(count).to_have_text("the newest 500 jobs")
        page.get_by_role("button", name="Show older jobs").click()
        expect(count).to_have_text("510 jobs")
        expect(page.get_by_role("button", name="Show older jobs")).to_have_count(0)
