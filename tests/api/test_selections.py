"""Several jobs at once over HTTP: chosen once, among what the caller may see and what can be done (E1)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from actors.api import selections as routes
from actors.jobs import selections
from actors.runtime import RunningRuntime
from tests.api.servers import bearer
from tests.api.test_naming import submitted, web  # noqa: F401 - a fixture


async def names_left(runtime: RunningRuntime, *statuses: str) -> list[str | None]:
    return [view.job.request.config_name for view in await runtime.jobs.page() if view.job.status in statuses]


async def act(http: httpx.AsyncClient, action: str, who: Any = None, **body: Any) -> Any:
    answered = await http.post(f"/api/jobs/{action}", json=body, headers=who)
    assert answered.status_code == 200, answered.text
    return answered.json()


async def test_a_selection_is_changed_as_a_whole_and_each_job_is_reported(edge: Any) -> None:
    await edge.runtime.queue.pause(None, "jobs are to wait", by="ana")
    for index in range(3):
        await edge.submit(config_name=f"train-{index}")
    other = await edge.submit(config_name="other")
    dry = await act(edge.http, "cancel", name="train-*", dry_run=True)
    assert (dry["selected"], dry["done"], dry["failed"], len(dry["left"])) == (3, 0, 0, 3)
    assert [one["name"] for one in dry["results"]] == ["train-2", "train-1", "train-0"]
    assert await names_left(edge.runtime, "cancelled") == []
    done = await act(edge.http, "cancel", name="train-*")
    assert (done["selected"], done["done"], done["failed"], done["left"]) == (3, 3, 0, [])
    assert [(one["job_id"], one["status"]) for one in done["results"]] == [(one, "cancelled") for one in dry["left"]]
    assert await names_left(edge.runtime, "pending") == ["other"]
    again = await act(edge.http, "retry", status=["cancelled"], user_id="ana")
    assert [one["name"] for one in again["results"]] == ["train-0", "train-1", "train-2"]
    made = [(await edge.runtime.jobs.get(one["new_job_id"])).job for one in again["results"]]
    assert [job.retry_of for job in made] == [one["job_id"] for one in again["results"]]
    raised = await act(edge.http, "prioritise", name="*", priority_override=7)
    assert (raised["selected"], raised["done"]) == (4, 4)
    assert (await edge.runtime.jobs.get(str(other["job_id"]))).entry.priority_override == 7
    gone = await act(edge.http, "remove", status=["cancelled"])
    assert (gone["done"], gone["freed_bytes"]) == (3, 0)
    assert len(await edge.runtime.jobs.page()) == 4


async def test_a_selection_is_retried_once(edge: Any) -> None:
    """What has a retry is left out, and said to be; the retry itself can be retried, and a job that is named, too."""
    await edge.runtime.queue.pause(None, "jobs are to wait", by="ana")
    jobs = [str((await edge.submit(config_name=f"t-{index}", group="g"))["job_id"]) for index in range(2)]
    await act(edge.http, "cancel", group="g")
    first = await act(edge.http, "retry", group="g", name="t-0")
    assert (first["done"], first["left_out"]) == (1, 0)
    for dry_run in (True, False):
        second = await act(edge.http, "retry", group="g", dry_run=dry_run)
        assert (second["selected"], second["left_out"]) == (1, 1)
        assert [one["job_id"] for one in second["results"]] == jobs[1:]
    refused = await edge.http.post("/api/jobs/retry", json={"group": "g"})
    assert refused.status_code == 404
    assert "no job that can be submitted again fits --group 'g'; 2 left out: submitted again before" in refused.text
    new = first["results"][0]["new_job_id"]
    await edge.runtime.cancel(new)
    assert [one["job_id"] for one in (await act(edge.http, "retry", group="g"))["results"]] == [new]
    assert (await act(edge.http, "retry", jobs=jobs))["done"] == 2


async def test_the_newest_is_cancelled_first_so_that_none_behind_it_starts(edge: Any) -> None:
    """With one place, and one job in it, the end of that one lets nobody start."""
    await edge.runtime.queue.set_limit("total", 1, by="ana")
    for index in range(5):
        await edge.submit(config_name=f"train-{index}", spec={"duration": 3600})
    done = await act(edge.http, "cancel", name="train-*")
    assert [one["name"] for one in done["results"]] == [f"train-{index}" for index in (4, 3, 2, 1, 0)]


async def test_named_jobs_are_changed_each_for_itself(edge: Any) -> None:
    """One that has ended hinders no other; one that is unknown or ambiguous refuses all before anything is done."""
    await edge.runtime.queue.pause(None, "jobs are to wait", by="ana")
    jobs = [await edge.submit(config_name=name) for name in ("a-one", "a-two", "twice", "twice")]
    await edge.runtime.cancel(str(jobs[0]["job_id"]))
    found = await act(edge.http, "cancel", jobs=["a-one", "a-two", str(jobs[1]["job_id"])])
    assert (found["selected"], found["done"], found["failed"]) == (2, 1, 1)
    assert "has already ended (cancelled)" in found["results"][0]["problem"]
    for wrong, status in ((["a-three"], 404), (["twice"], 422)):
        refused = await edge.http.post("/api/jobs/cancel", json={"jobs": [str(jobs[2]["job_id"]), *wrong]})
        assert refused.status_code == status, refused.text
    assert await names_left(edge.runtime, "pending") == ["twice", "twice"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "say which jobs"),
        ({"jobs": ["x"], "name": "y"}, "not both"),
        ({"name": "a[b"}, "the bracket [ is not closed"),
        ({"name": "x" * 201}, "name"),
        ({"status": ["done"]}, "status"),
        ({"nmae": "x"}, "name"),
        ({"jobs": ["x"] * (selections.MOST + 1)}, "jobs"),
    ],
)
async def test_what_selects_nothing_or_too_much_is_refused(edge: Any, body: dict[str, Any], words: str) -> None:
    refused = await edge.http.post("/api/jobs/cancel", json=body)
    assert refused.status_code == 422
    assert words in refused.json()["detail"]


async def test_a_selection_of_none_says_so_with_a_guess(edge: Any) -> None:
    await edge.submit(config_name="train", group="sweep", spec={"duration": 3600})
    for body, words in (
        ({"group": "swep"}, "no job that can be cancelled fits --group 'swep'; did you mean sweep?"),
        ({"name": "trian"}, "no job that can be cancelled fits --name 'trian'; did you mean train?"),
        ({"status": ["completed"]}, "no job that can be cancelled fits --status completed"),
        ({"user_id": "nobody"}, "no job that can be cancelled fits --user 'nobody'"),
    ):
        refused = await edge.http.post("/api/jobs/cancel", json=body)
        assert (refused.status_code, refused.json()["detail"]) == (404, words)


async def test_more_than_the_greatest_selection_is_refused(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.ledger.selections.MOST", 2)
    for _ in range(3):
        await edge.submit(config_name="x")
    refused = await edge.http.post("/api/jobs/cancel", json={"name": "x"})
    assert (refused.status_code, refused.json()["detail"]) == (422, "more than 2 jobs fit --name 'x'; narrow it")


async def test_an_answer_that_would_take_long_says_which_jobs_are_left(
    edge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are sent back as they are: what comes to fit meanwhile is not touched."""
    await edge.runtime.queue.pause(None, "jobs are to wait", by="ana")
    monkeypatch.setattr(routes, "SECONDS", 0.0)
    monkeypatch.setattr("actors.control.selections.BATCH", 2)
    for _ in range(5):
        await edge.submit(config_name="x")
    found = await act(edge.http, "cancel", name="x")
    assert (found["selected"], found["done"], len(found["left"])) == (5, 2, 3)
    await edge.submit(config_name="x")
    found = await act(edge.http, "cancel", jobs=found["left"])
    assert (found["selected"], found["done"], len(found["left"])) == (3, 2, 1)
    found = await act(edge.http, "cancel", jobs=found["left"])
    assert (found["done"], found["left"]) == (1, [])
    assert await names_left(edge.runtime, "pending") == ["x"]


async def test_below_a_lead_only_own_jobs_are_selected(
    runtime: RunningRuntime,
    web: httpx.AsyncClient,  # noqa: F811
) -> None:
    mine, theirs = await submitted(runtime, "train", "ana"), await submitted(runtime, "train", "bo")
    ana, viewer = await bearer(runtime, "researcher", "ana"), await bearer(runtime, "viewer", "ana")
    assert (await web.post("/api/jobs/cancel", json={"name": "train"}, headers=viewer)).status_code == 403
    assert (await web.post("/api/jobs/cancel", json={"user_id": "bo"}, headers=ana)).status_code == 403
    assert (await web.post("/api/jobs/cancel", json={"jobs": [theirs.job_id]}, headers=ana)).status_code == 404
    body = {"name": "train", "priority_override": 3}
    assert (await web.post("/api/jobs/prioritise", json=body, headers=ana)).status_code == 403
    dry = await act(web, "cancel", ana, name="train", dry_run=True)
    assert dry["left"] == [mine.job_id]
    assert (await act(web, "cancel", ana, name="train"))["done"] == 1
    assert (await act(web, "retry", ana, name="train"))["selected"] == 1
    assert (await act(web, "remove", ana, name="train"))["selected"] == 1
    assert (await runtime.jobs.get(theirs.job_id)).job == theirs
    lead = await bearer(runtime, "lead", "cy")
    assert (await act(web, "cancel", lead, name="train"))["selected"] == 2


async def failed_chain(edge: Any, name: str, **fields: Any) -> list[str]:
    """Two jobs, of which the second waited for the first, which failed."""
    first = await edge.submit(config_name=f"{name}-1", spec={"duration": 0.01, "result": "failed"}, **fields)
    second = await edge.submit(config_name=f"{name}-2", after=[f"{name}-1"], **fields)
    ids = [str(one["job_id"]) for one in (first, second)]
    for job_id in ids:
        await edge.runtime.wait(job_id)
    return ids


async def test_jobs_that_waited_for_each_other_are_retried_so(edge: Any) -> None:
    """The new second job waits for the new first one, as the old one did for the old."""
    await failed_chain(edge, "chain", group="g")
    await edge.runtime.queue.pause(None, "jobs are to wait", by="ana")
    found = await act(edge.http, "retry", group="g")
    assert (found["selected"], found["done"]) == (2, 2)
    first, second = [one["new_job_id"] for one in found["results"]]
    assert (await edge.http.get(f"/api/jobs/{second}")).json()["waits_for"]["jobs"][0]["job_id"] == first


async def test_a_job_that_cannot_be_retried_hinders_no_other(edge: Any) -> None:
    _, second = await failed_chain(edge, "chain")
    await edge.runtime.queue.pause(None, "jobs are to wait", by="ana")
    other = str((await edge.submit(config_name="other"))["job_id"])
    await edge.runtime.cancel(other)
    found = await act(edge.http, "retry", jobs=[second, other])
    assert (found["done"], found["failed"]) == (1, 1)
    assert "chain-1" in found["results"][0]["problem"]
    assert [one["job_id"] for one in found["results"]] == [second, other]


async def test_what_an_outcome_says_is_bounded(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many rows, those that failed first; the counts are of all."""
    monkeypatch.setattr("actors.jobs.maxima.ROWS", 2)
    await edge.runtime.queue.pause(None, "jobs are to wait", by="ana")
    jobs = [str((await edge.submit(config_name="x"))["job_id"]) for _ in range(4)]
    await edge.runtime.cancel(jobs[-1])
    found = await act(edge.http, "cancel", jobs=jobs)
    assert (found["selected"], found["done"], found["failed"], len(found["results"])) == (4, 3, 1, 2)
    assert [one["problem"] is None for one in found["results"]] == [False, True]


async def test_a_dry_run_says_with_which_of_the_named_it_cannot_be_done(edge: Any) -> None:
    """The rest is what is then sent; a completed job may be submitted again, though no selection has it."""
    ended = str((await edge.submit(config_name="ended", spec={"duration": 0}))["job_id"])
    await edge.runtime.wait(ended)
    await edge.runtime.queue.pause(None, "jobs are to wait", by="ana")
    waits = str((await edge.submit(config_name="dear"))["job_id"])
    dry = await act(edge.http, "cancel", jobs=[ended, waits], dry_run=True)
    assert (dry["selected"], dry["done"], dry["failed"]) == (2, 0, 1)
    assert [(one["name"], one["problem"]) for one in dry["results"]] == [
        ("ended", "it is completed, so it cannot be cancelled"), ("dear", None)
    ]  # fmt: skip
    again = await act(edge.http, "retry", jobs=[ended], dry_run=True)
    assert (again["selected"], again["failed"]) == (1, 0)
