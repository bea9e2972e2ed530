"""Many jobs and many events: how much the page asks for, and how much of it is there at once."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.api.supervised import Served, serving
from tests.browser.stage import Browser, Page, Stage, expect, marks, page_of

pytestmark = marks
JOB = {"provider": "there", "user_id": "ana"}
MANY = 100_000
PAGE = 50
MOST_ROWS = 500
ROWS = "document.querySelectorAll('main tr').length"


@contextmanager
def asked(page: Page) -> Iterator[list[str]]:
    """What the page asks for under ``/api/`` meanwhile."""
    found: list[str] = []

    def note(request: object) -> None:
        address = urlsplit(str(request.url))  # type: ignore[attr-defined]
        if address.path.startswith("/api/"):
            found.append(f"{address.path}?{address.query}")

    page.on("request", note)
    try:
        yield found
    finally:
        page.remove_listener("request", note)


def rows_asked_for(paths: list[str]) -> int:
    """The rows of all lists of jobs among them."""
    lists = [urlsplit(path) for path in paths if urlsplit(path).path == "/api/jobs"]
    return sum(int(parse_qs(one.query)["limit"][0]) for one in lists)


def multiply(stage: Stage, number: int) -> None:
    """Have so many jobs in all: copies of the one that is there, as ended jobs that are older than it."""
    with closing(sqlite3.connect(stage.state / "greenroom.db")) as rows, rows:
        for table in ("jobs", "queue_entries"):
            columns = [row[1] for row in rows.execute(f"PRAGMA table_info({table})")]
            changed = {"job_id": "printf('00000000%018d', n)", "status": "'completed'", "text_place": "n"}
            changed |= {"config_name": "printf('copy-%06d', n)", "lane_id": "NULL"}
            changed |= {"request": f"json_set(request, '$.config_name', {changed['config_name']})"}
            values = ", ".join(changed.get(name, f'"{name}"') for name in columns)
            counter = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {number - 1})"
            rows.execute(f"{counter} INSERT INTO {table} SELECT {values} FROM c, (SELECT * FROM {table} LIMIT 1)")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Served]]:
    """A supervisor of a hundred thousand jobs, the newest of which waits."""
    stage = Stage.set_up(tmp_path_factory.mktemp("many"))
    with serving(stage.config, stage.state):
        stage.ask("POST", "/api/queue/pause", json={})
        stage.submit("the-newest")
    multiply(stage, MANY)
    with serving(stage.config, stage.state) as served:
        yield stage, served


@pytest.fixture
def full(many: tuple[Stage, Served], browser: Browser) -> Iterator[Page]:
    """A page that shows the first of them."""
    stage, _served = many
    with page_of(browser, viewport={"width": 1280, "height": 900}) as page:
        page.goto(stage.link())
        shows_first_page(page)
        yield page


def shows_first_page(page: Page) -> None:
    expect(page.locator("table.jobs tbody[data-page] tr")).to_have_count(PAGE)


def last_of(number: int) -> str:
    """The name of the last job of a page, of which the first is 0, newest first."""
    return f"copy-{MANY - PAGE * (number + 1) + 1:06d}"


def test_the_first_view_of_100_000_jobs_asks_for_100_rows_in_four_requests(full: Page) -> None:
    """Who signs in, the stream, one page of jobs, how busy it is; charts included."""
    with asked(full) as paths:
        full.reload()
        shows_first_page(full)
        expect(full.get_by_text(re.compile(r"^\d+ now\.$")).first).to_be_visible()
    assert len(paths) <= 4, paths
    assert rows_asked_for(paths) <= 100, paths
    files = full.evaluate("performance.getEntriesByType('resource').filter((one) => one.name.includes('/static/'))")
    assert len(files) > 40
    assert {one["name"]: one["transferSize"] for one in files if one["transferSize"]} == {}  # the browser kept them


def test_100_000_jobs_are_scrolled_with_few_rows_at_once(full: Page) -> None:
    """Two dozen pages down and back up: whatever is looked at, rows are there, and no more than some."""
    counts = []
    for number in range(1, 24):
        full.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        expect(full.get_by_role("link", name=last_of(number), exact=True)).to_be_attached()
        counts.append(full.evaluate(ROWS))
    assert 2 * PAGE < max(counts) <= MOST_ROWS
    expect(full.get_by_role("link", name="the-newest", exact=True)).to_have_count(0)
    full.evaluate("scrollTo(0, 0)")
    expect(full.get_by_role("link", name="the-newest", exact=True)).to_be_visible()
    assert full.evaluate(ROWS) <= MOST_ROWS


def test_an_order_and_a_filter_stand_in_the_address_and_are_asked_of_the_server(full: Page) -> None:
    """The oldest of a hundred thousand is one click away, and whoever opens the address sees the same."""
    full.get_by_role("button", name="Submitted").click()
    expect(full.get_by_role("link", name="copy-000001", exact=True)).to_be_visible()
    expect(full.get_by_role("columnheader", name="Submitted")).to_have_attribute("aria-sort", "ascending")
    full.get_by_text("More filters").click()
    full.get_by_label("Name, such as").fill("copy-0999*")
    expect(full.get_by_role("link", name="copy-099900", exact=True)).to_be_visible()
    full.get_by_label("State").select_option("failed")
    expect(full.get_by_role("main").get_by_role("status").filter(has_text="0 jobs")).to_be_visible()
    full.get_by_label("State").select_option("completed")
    full.reload()
    expect(full.get_by_role("link", name="copy-099900", exact=True)).to_be_visible()
    expect(full.get_by_label("Name, such as")).to_have_value("copy-0999*")
    expect(full.get_by_label("State")).to_have_value("completed")
    expect(full.get_by_role("link", name="the-newest", exact=True)).to_have_count(0)


def test_every_filter_stands_in_the_address(full: Page) -> None:
    """Who opens it has it in the fields, and the server is asked for just that."""
    wanted = {
        "state": "completed", "q": "copy", "name": "copy-*", "user": "ana", "group": "g", "provider": "there",
        "since": "2024-01-31T10:00:00.000Z", "until": "2034-01-31T10:00:00.000Z", "sort": "ended", "order": "asc",
    }  # fmt: skip
    with asked(full) as paths:
        full.goto(f"{full.url.split('#')[0]}#/jobs?{urlencode(wanted)}")
        expect(full.get_by_role("main").get_by_role("status").filter(has_text="0 jobs")).to_be_visible()
    [query] = [parse_qs(urlsplit(path).query) for path in paths if path.startswith("/api/jobs?")]
    named = {"state": "status", "user": "user_id"}
    assert {name: one for name, [one] in query.items() if name != "limit"} == {
        named.get(name, name): value for name, value in wanted.items()
    }
    for label, value in (("State", "completed"), ("User", "ana"), ("Group", "g"), ("Provider", "there")):
        expect(full.get_by_label(label, exact=True)).to_have_value(value)
    expect(full.get_by_label("Submitted from")).to_have_value(re.compile("^2024-01-31T"))
    full.get_by_label("Group", exact=True).fill("")
    full.get_by_label("Name, user, id or error").fill("")  # no index has the texts of copies,
    full.get_by_label("Submitted from").fill("")  # and their ids no time
    expect(full.get_by_role("link", name="copy-099999", exact=True)).to_be_visible()  # none has an end
    assert "group" not in full.url
    assert "provider=there" in full.url


def test_many_events_cost_few_requests(stage_of_its_own: Stage, browser: Browser) -> None:
    """Forty jobs come and go: the page keeps far below its token's rate, and shows them all in the end."""
    stage = stage_of_its_own
    with serving(stage.config, stage.state), page_of(browser) as page:
        page.goto(stage.link())
        page.get_by_role("navigation").wait_for()
        statuses: list[int] = []
        page.on("response", lambda response: statuses.append(response.status))
        stage.ask("POST", "/api/jobs", json=[{**JOB, "spec": {"duration": 1, "progress": 3}}] * 40)
        page.get_by_label("State").select_option("completed")
        expect(page.get_by_role("main").get_by_role("status").filter(has_text="40 jobs")).to_be_visible()
        assert set(statuses) == {200}
        assert len(statuses) < len(stage.events(0)) / 3


def test_jobs_that_come_while_one_reads_further_down_do_not_move_the_list(
    many: tuple[Stage, Served], full: Page
) -> None:
    """They are counted, and shown when one asks for them."""
    stage, _served = many
    full.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(full.get_by_role("link", name=last_of(1), exact=True)).to_be_attached()
    job = stage.submit("came-later")["job_id"]
    try:
        newer = full.get_by_role("button", name="1 newer job")
        expect(newer).to_be_visible()
        expect(full.get_by_role("link", name="came-later", exact=True)).to_have_count(0)
        newer.click()
        expect(full.get_by_role("link", name="came-later", exact=True)).to_be_visible()
    finally:
        stage.ask("POST", f"/api/jobs/{job}/cancel")
        stage.ask("DELETE", f"/api/jobs/{job}")
