"""A burst of ten thousand events below every page: how often each page asks, and how often it renders."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise

from tests.api.supervised import serving
from tests.browser.stage import Browser, Stage, at, expect, marks, page_of

pytestmark = marks
EVENTS = 10_000
JOB = {"provider": "there", "user_id": "ana", "group": "many", "requires_approval": "to see"}
WATCHED = """
const begun = (window.begun = []);
const ask = window.fetch;
window.fetch = (path, ...more) => {
  if (path !== "/health/live") begun.push(performance.now()); // which a silence causes, not an event
  return ask(path, ...more);
};
const ticking = "[data-from], [data-until], svg.timeline"; // by the clock, once a second
window.renderings = { most: 0, all: 0 };
let now = 0;
addEventListener("DOMContentLoaded", () => {
  new MutationObserver((changes) => {
    const counts = (node) => node.nodeType === 1 && node.closest(window.watched) && !node.closest(ticking);
    if (changes.some(({ target }) => counts(target))) now += 1;
  }).observe(document.body, { subtree: true, childList: true });
  // Asked for first in each frame, so it runs before what the page asks for.
  requestAnimationFrame(function frame() {
    requestAnimationFrame(frame);
    window.renderings.most = Math.max(window.renderings.most, now);
    window.renderings.all += now;
    now = 0;
  });
});
"""
"""Counts, in the page, when requests begin, and how often what is ``watched`` is rendered between two frames."""


def test_ten_thousand_events_are_one_rendering_a_frame_and_one_request_a_second(
    stage_of_its_own: Stage, browser: Browser
) -> None:
    """Ten thousand jobs that wait for an approval are submitted at once, while every page is open."""
    stage = stage_of_its_own
    with serving(stage.config, stage.state, 300) as served, ExitStack() as browsers:
        job = stage.submit("first", group="many", requires_approval="to see")["job_id"]
        watched = {
            "jobs": "table.jobs", f"jobs/{job}": "main > div > div", "group/many?user=ana": "table.group",
            "queue": "table", "approvals": "table", "events": "table", "devices": "table",
            "actors": "ul.tree", "health": "dl", "submit": "main form",
        }  # fmt: skip
        pages = {}
        for place, selector in watched.items():
            page = pages[place] = browsers.enter_context(page_of(browser))
            page.add_init_script(f'window.watched = "{selector}";\n{WATCHED}')
            page.goto(stage.link())
            page.get_by_role("navigation").wait_for()
            page.goto(at(served, place))
            expect(page.locator("#waiting-approvals")).to_have_text("1")
            expect(page.locator(selector).first).to_be_attached()
        before = len(stage.events(0))
        for page in pages.values():
            page.evaluate("begun.length = 0")
        stage.ask("POST", "/api/jobs", json=[JOB] * EVENTS)
        assert len(stage.events(0)) - before >= EVENTS
        counted = {}
        for place, page in pages.items():
            expect(page.locator("#waiting-approvals")).to_have_text(str(EVENTS + 1))  # it is asked for last
            begun, renderings = page.evaluate("begun"), page.evaluate("renderings")
            gaps = [later - earlier for earlier, later in pairwise(begun)]
            counted[place] = (len(begun), min(gaps, default=1_000) > 990, renderings["most"])  # milliseconds
        assert {place: found for place, found in counted.items() if not found[1] or found[2] > 1} == {}
        assert all(asked >= 1 for asked, _, _ in counted.values()), counted
