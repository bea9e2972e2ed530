"""Lists show what the caller may see, page by page: filtered before any limit, bounded, by cursors that are theirs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import httpx
import pytest
import trio

from actors.api.bodies import ApprovalsQuery, JobsQuery, ListQuery, QueueQuery
from actors.jobs import maxima
from actors.jobs.options import ApprovalOptions, Limits, QueueOptions
from actors.jobs.records import ApprovalRule
from actors.kernel import VirtualClock
from actors.ledger import listing
from actors.ledger.page_request import PageRequest
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.testing import request, running_runtime, seeded_sources, virtual_settings
from tests.api.servers import bearer

LISTS = {  # path: where its rows are, and by what each is known
    "/api/jobs": ("jobs", "job_id"),
    "/api/queue": ("waiting", "job_id"),
    "/api/approvals": ("approvals", "approval_id"),
}


async def fill(edge: Any, number: int, user: str = "bo") -> list[Any]:
    """Jobs that wait for an approval: every list has them."""
    asked = [request(user_id=user, config_name="dear") for _ in range(number)]
    return await edge.runtime.jobs.submit_many(asked)


def ids(path: str, document: Any) -> list[str]:
    rows, known = LISTS[path]
    return [one[known] for one in document[rows]]


async def pages(http: httpx.AsyncClient, path: str, headers: Any = None, **asked: Any) -> list[Any]:
    """Every page of a list."""
    found = [(await http.get(path, params=asked, headers=headers)).json()]
    while found[-1]["next"] is not None:
        assert len(found) < 100
        params = {**asked, "cursor": found[-1]["next"]}
        found.append((await http.get(path, params=params, headers=headers)).json())
    return found


@pytest.mark.parametrize("path", LISTS)
async def test_ones_own_is_listed_however_much_of_others_stands_before_it(edge: Any, web: Any, path: str) -> None:
    """A researcher's one job among a thousand others, older and newer ones: on the first page."""
    headers = await bearer(edge.runtime, "researcher", "ana")
    await fill(edge, maxima.ROWS)
    (mine,) = await fill(edge, 1, "ana")
    await fill(edge, maxima.ROWS)
    answered = (await web.get(path, headers=headers)).json()
    wanted = mine.approval.approval_id if path == "/api/approvals" else mine.job.job_id
    assert (ids(path, answered), answered["next"]) == ([wanted], None)


@pytest.mark.parametrize("path", LISTS)
async def test_pages_show_everything_once_and_are_bounded_in_rows(edge: Any, path: str) -> None:
    made = await fill(edge, 25)
    found = await pages(edge.http, path, limit=10)
    assert [len(ids(path, page)) for page in found] == [10, 10, 5]
    seen = [one for page in found for one in ids(path, page)]
    wanted = {one.approval.approval_id if path == "/api/approvals" else one.job.job_id for one in made}
    assert (set(seen), len(seen)) == (wanted, 25)
    refused = await edge.http.get(path, params={"limit": maxima.ROWS + 1})
    assert (refused.status_code, refused.json()["field"]) == (422, "limit")


@pytest.mark.parametrize("path", LISTS)
async def test_pages_are_bounded_in_bytes_and_never_empty(
    edge: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As rows are read and as they are sent; one row that is larger than a page is shown alone."""
    await fill(edge, 12)
    whole = await edge.http.get(path)
    each = len(whole.content) // 12
    for bound, fewest in ((each * 3, 3), (1, 12)):
        monkeypatch.setattr(maxima, "ANSWER", bound)
        found = await pages(edge.http, path)
        assert [one for page in found for one in ids(path, page)] == ids(path, whole.json())
        assert len(found) >= fewest
        assert all(len(ids(path, page)) >= 1 for page in found)


async def test_events_of_a_job_are_bounded_in_bytes_too(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await edge.submit(spec={"duration": 0})
    await edge.runtime.wait(made["job_id"])
    path = f"/api/jobs/{made['job_id']}/events"
    whole = (await edge.http.get(path)).json()["events"]
    monkeypatch.setattr(maxima, "ANSWER", 1)
    seen, after = [], 0
    for _ in whole:
        page = (await edge.http.get(path, params={"after": after})).json()
        assert len(page["events"]) == 1
        seen += page["events"]
        after = page["next"] or after
    assert (seen, page["next"]) == (whole, None)


async def test_a_row_that_is_there_already_is_read_whatever_it_holds(edge: Any) -> None:
    """Maxima hold on entry only: a name of megabytes, stored before there were any, is a page of its own."""
    made = await fill(edge, 3)
    big = {"user_id": "bo", "provider": "scripted", "config_name": "x" * (5 << 20)}
    for one in made:
        await edge.runtime.ledger.store.write(
            lambda tx, one=one: tx.connection.exec_driver_sql(
                "UPDATE jobs SET request = json(?) WHERE job_id = ?", (orjson_text(big), one.job.job_id)
            )
        )
    for path in ("/api/jobs", "/api/queue"):
        found = await pages(edge.http, path)
        assert [len(ids(path, page)) for page in found] == [1, 1, 1]
    shown = await edge.http.get(f"/api/jobs/{made[0].job.job_id}")
    assert len(shown.json()["config_name"]) == 5 << 20


def orjson_text(document: Any) -> str:
    import orjson

    return orjson.dumps(document).decode()


# Cursors.


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_is_good_for_its_list_its_filters_and_who_got_it(edge: Any, web: Any, path: str) -> None:
    """Anything else is 422 that names it, and nothing is guessed."""
    ana, bo = await bearer(edge.runtime, "lead", "ana"), await bearer(edge.runtime, "lead", "bo")
    await fill(edge, 5)
    mine = (await web.get(path, params={"limit": 2}, headers=ana)).json()["next"]
    other = next(one for one in LISTS if one != path)
    elsewhere = (await web.get(other, params={"limit": 2}, headers=ana)).json()["next"]
    tampered = mine[:-4] + ("AAAA" if mine[-4:] != "AAAA" else "BBBB")
    tried = [
        (bo, {"cursor": mine}), (ana, {"cursor": elsewhere}), (ana, {"cursor": tampered}), (ana, {"cursor": "x"}),
        (ana, {"cursor": ""}), (ana, {"cursor": "é"}), (ana, {"cursor": mine + "A" * 1000}), (ana, {"cursor": "\0"}),
    ]  # fmt: skip
    if path != "/api/queue":
        tried.append((ana, {"cursor": mine, "status": "pending"}))
    for headers, params in tried:
        answered = await web.get(path, params=params, headers=headers)
        assert (answered.status_code, answered.json()["field"]) == (422, "cursor"), params
    assert (await web.get(path, params={"limit": 2, "cursor": mine}, headers=ana)).status_code == 200


@pytest.mark.parametrize("before", ["X", "a b", "é", "%", "\0"])
async def test_an_older_than_that_is_no_id_is_refused(edge: Any, before: str) -> None:
    """Such as a cursor that somebody puts there."""
    refused = await edge.http.get("/api/jobs", params={"before": before})
    assert (refused.status_code, refused.json()["field"]) == (422, "before")


def test_every_list_with_a_limit_takes_a_cursor() -> None:
    for kind in (JobsQuery, QueueQuery, ApprovalsQuery, ListQuery):
        assert {"cursor", "limit"} <= {one.name for one in attrs.fields(kind)}


# The queue in time.


def parts(clock: VirtualClock) -> Parts:
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    return Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])


async def test_all_pages_of_the_queue_are_ordered_as_of_the_first(autojump_clock: Any) -> None:
    """Time passes between two pages, in which ageing turns the order of what is left: nothing twice, nothing lost."""
    import trio

    clock = VirtualClock()
    settings = virtual_settings(limits=Limits(total=0))
    async with running_runtime(settings=settings, parts=parts(clock)) as runtime:
        old = [await runtime.submit(request(user_levels=("viewer",))) for _ in range(3)]
        await trio.sleep(3500)
        new = [await runtime.submit(request(user_levels=("researcher",))) for _ in range(3)]
        first = (await runtime.queue.view(limit=2)).waiting
        await trio.sleep(200)
        second = (await runtime.queue.view(limit=10, cursor=first.next)).waiting
        anew = (await runtime.queue.view()).waiting
    seen = [view.job.job_id for view in [*first, *second]]
    assert seen == [job.job_id for job in [*new, *old]]
    assert [view.position for view in [*first, *second]] == [0, 1, 2, 3, 4, 5]
    assert [view.job.job_id for view in anew] == [job.job_id for job in [*old, *new]]


async def test_a_page_asks_no_more_of_the_store_for_more_entries(edge: Any) -> None:
    """The number of statements is the same for 20 entries and for 200, so its cost grows with the rows alone."""
    await edge.http.put("/api/queue/limits/total", json={"value": 0})
    runtime, page = edge.runtime, PageRequest(maxima.ROWS)
    context = runtime.context.for_decision
    queries = [
        partial(listing.queue_view, request=page, user_id=None, context=context),
        partial(listing.queue_view, request=page, user_id="bo", context=context),
        partial(listing.jobs_page, request=page, before=None, filters={"user_id": "bo"}, context=context),
        partial(listing.approvals_page, request=page, statuses=(), user_id="bo"),
    ]

    def statements(connection: Any) -> list[int]:
        numbers = []
        driver = connection.connection.driver_connection
        for query in queries:
            seen: list[str] = []
            driver.set_trace_callback(seen.append)
            query(connection)
            driver.set_trace_callback(None)
            numbers.append(len(seen))
        return numbers

    counted = []
    await runtime.ledger.read(statements)  # gates and limits are remembered from here on
    for number in (20, 180):
        await runtime.jobs.submit_many([request(user_id="bo", config_name="dear") for _ in range(number // 2)])
        await runtime.jobs.submit_many([request(user_id="bo") for _ in range(number // 2)])
        counted.append(await runtime.ledger.read(statements))
    assert counted[0] == counted[1]


# How many may wait.


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    def opened() -> Any:
        rule = ApprovalRule("Dear", "config_pattern", "dear", rule_id=1)
        settings = attrs.evolve(
            virtual_settings(limits=Limits(total=0), approvals=ApprovalOptions(rules=(rule,))),
            queue=QueueOptions(max_waiting_per_user=3),
        )
        return running_runtime(settings=settings, parts=parts(VirtualClock()))

    return opened


async def test_a_user_has_so_many_waiting_entries_and_no_more(bounded: Any) -> None:
    """Pending and blocked ones count; a batch goes in whole or not at all; others are not held by it."""
    from actors.jobs.refusal import Refused

    async with bounded() as runtime:
        first = await runtime.submit(request())
        await runtime.submit(request(config_name="dear"))
        with pytest.raises(Refused, match=r"queue\.max_waiting_per_user"):
            await runtime.jobs.submit_many([request(), request()])
        await runtime.submit(request(idempotency_key="third"))
        with pytest.raises(Refused, match="at most 3") as refused:
            await runtime.submit(request())
        assert len(str(refused.value).splitlines()) == 1
        (again,) = await runtime.jobs.submit_many([request(idempotency_key="third")])
        assert not again.created
        await runtime.submit(request(user_id="bo"))
        ended = await runtime.cancel(first.job_id)
        await runtime.jobs.retry(ended.job_id)
        with pytest.raises(Refused, match="at most 3"):
            await runtime.jobs.retry(ended.job_id)
        assert len((await runtime.queue.view()).waiting) == 4


async def test_those_who_come_at_once_are_counted_together(bounded: Any) -> None:
    """In one transaction, where refused ones lie between and leave nothing that counts."""
    from actors.jobs.refusal import Refused

    async with bounded() as runtime:
        refused = []

        async def submit(user: str, number: int) -> None:
            try:
                await runtime.jobs.submit_many([request(user_id=user)] * number)
            except Refused:
                refused.append(number)

        async with trio.open_nursery() as nursery:
            for number in (1, 5, 1, 1, 5, 1):
                nursery.start_soon(submit, "ana", number)
            nursery.start_soon(submit, "bo", 3)
        assert sorted(refused) == [1, 5, 5]
        waiting = [view.job.request.user_id for view in await runtime.jobs.page()]
        assert sorted(waiting) == ["ana"] * 3 + ["bo"] * 3


async def test_a_full_user_is_told_over_http_and_nothing_is_stored(edge: Any) -> None:
    edge.runtime.ledger.queue = QueueOptions(max_waiting_per_user=1)
    await edge.submit(config_name="dear")
    refused = await edge.http.post("/api/jobs", json={"provider": "scripted", "user_id": "ana"})
    assert (refused.status_code, "queue.max_waiting_per_user" in refused.json()["detail"]) == (409, True)
    assert len(await edge.runtime.jobs.page()) == 1
