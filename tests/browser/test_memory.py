"""A page that stays open keeps what it shows, not what passed by."""

from __future__ import annotations

from pathlib import Path

from tests.api.supervised import Served
from tests.browser.stage import Browser, Stage, at, expect, marks, page_of

pytestmark = marks
BATCH = 1_000
STREAM = Path(__file__).with_name("sent_events.js")
"""A stream of events that the test sends."""


def test_a_hundred_thousand_events_leave_no_more_than_ten_thousand(
    stage: Stage, browser: Browser, served: Served
) -> None:
    """On the view that lists them: the heap after a collection grows by less than a fifth."""
    with page_of(browser) as page:
        page.goto(stage.link())
        page.get_by_role("navigation").wait_for()
        page.add_init_script(path=STREAM)
        page.goto(at(served, "events"))
        page.reload()
        page.get_by_role("heading", name="Events").wait_for()  # by then the stream is open
        devtools = page.context.new_cdp_session(page)

        def heap_after(first: int, last: int) -> int:
            for seq in range(first, last, BATCH):
                page.evaluate("([seq, number]) => send(seq, number)", [seq, BATCH])
            expect(page.get_by_role("cell", name=str(last - 1), exact=True)).to_be_visible()
            devtools.send("HeapProfiler.collectGarbage")
            return int(devtools.send("Runtime.getHeapUsage")["usedSize"])

        early = heap_after(1, 10_001)
        late = heap_after(10_001, 100_001)
        assert late <= 1.2 * early, (early, late)
