"""The fake in the same process: jobs that move with time, shapes as recorded, lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio

from actors.testing.fake_replicate import Script
from tests.testing.fake_client import VERSION, create, read


async def test_time_alone_moves_a_job_from_starting_to_its_end(autojump_clock, client):
    job = await create(client, queue_seconds=20, seconds=60, logs="one\ntwo\n")
    seen = []
    for _ in range(5):
        body = await read(client, job)
        seen.append((body["status"], body["logs"], body["started_at"] is None, body["completed_at"] is None))
        await trio.sleep(20)
    assert seen == [
        ("starting", None, True, True), ("processing", None, False, True), ("processing", None, False, True),
        ("processing", "one\n", False, True), ("succeeded", "one\ntwo\n", False, False),
    ]  # fmt: skip
    metrics = (await read(client, job))["metrics"]
    assert metrics == {"predict_time": 60.0, "total_time": 80.0}


@pytest.mark.parametrize(
    ("script", "status", "started"),
    [
        ({"outcome": "failed", "error": "CUDA out of memory"}, "failed", True),
        ({"outcome": "canceled"}, "canceled", True),
        ({"outcome": "aborted"}, "aborted", False),
    ],
)
async def test_a_script_says_how_a_job_ends(autojump_clock, client, script, status, started):
    job = await create(client, seconds=5, **script)
    await trio.sleep(5)
    body = await read(client, job)
    assert (body["status"], body["started_at"] is not None) == (status, started)
    assert body["error"] == script.get("error")
    assert body["output"] is None


async def test_a_model_has_a_script_and_the_latest_counts(autojump_clock, fake, client):
    fake.script("*", Script(seconds=1))
    fake.script("ana/*", Script(outcome="never"))
    job = await create(client)
    await trio.sleep(80_000)
    assert (await read(client, job))["status"] == "processing"


async def test_a_cancel_ends_a_waiting_job_at_once(autojump_clock, client):
    job = await create(client, queue_seconds=100)
    await trio.sleep(3)
    body = (await client.post(f"/v1/predictions/{job['id']}/cancel")).json()
    assert (body["status"], body["started_at"]) == ("canceled", None)
    assert body["metrics"]["predict_time"] == 3e-06


async def test_a_cancel_of_an_ended_job_changes_nothing(autojump_clock, client):
    job = await create(client, seconds=1)
    await trio.sleep(2)
    answer = await client.post(f"/v1/predictions/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")


async def test_a_job_may_disobey_its_cancel(autojump_clock, client):
    job = await create(client, seconds=50, obeys_cancel=False)
    assert (await client.post(f"/v1/predictions/{job['id']}/cancel")).json()["status"] == "processing"
    await trio.sleep(50)
    assert (await read(client, job))["status"] == "succeeded"


@pytest.mark.parametrize(("queue", "status"), [(0, "canceled"), (500, "aborted")])
async def test_cancel_after_ends_a_job_by_where_it_stands(autojump_clock, client, queue, status):
    answer = await client.post(
        "/v1/predictions",
        json={"version": VERSION, "input": {"fake": {"queue_seconds": queue, "seconds": 1000}}},
        headers={"cancel-after": "1m30s"},
    )
    await trio.sleep(90)
    body = await read(client, answer.json())
    assert body["status"] == status
    assert body["deadline"] is not None


@pytest.mark.parametrize("text", ["4s", "soon", "", "1d"])
async def test_a_cancel_after_that_cannot_be_is_refused(autojump_clock, client, text):
    answer = await client.post(
        "/v1/predictions", json={"version": VERSION, "input": {}}, headers={"cancel-after": text}
    )
    assert answer.status_code == 422


# Shapes.


async def test_a_creation_leaves_out_what_the_others_say_null_for(autojump_clock, client):
    job = await create(client, queue_seconds=10)
    assert job.keys().isdisjoint({"output", "metrics", "started_at", "completed_at", "data_removed"})
    later = await read(client, job)
    assert [later[name] for name in ("output", "started_at", "completed_at", "logs")] == [None] * 4
    assert "metrics" not in later
    listed = (await client.get("/v1/predictions")).json()["results"][0]
    assert "logs" not in listed


async def test_timestamps_have_any_number_of_digits_and_two_clocks(autojump_clock, fake, client):
    """Nothing can be joined by created_at: the creation dates a job up to 230 ms later than any other answer."""
    answers = [await create(client) for _ in range(60)]
    digits = {len(one["created_at"].partition(".")[2].rstrip("Z")) for one in answers}
    assert digits == set(range(10))
    skews = [job.skew for job in fake.jobs()]
    assert max(skews) <= timedelta(milliseconds=230)
    assert len(set(skews)) == 60


async def test_results_vanish_an_hour_after_the_end(autojump_clock, client):
    job = await create(client, seconds=10, logs="hello\n")
    await trio.sleep(10 + 3599)
    body = await read(client, job)
    file = body["output"][0]
    assert (body["data_removed"], body["logs"]) == (False, "hello\n")
    assert (await client.get(file)).text == f"the output of {job['id']}\n"
    await trio.sleep(2)
    body = await read(client, job)
    assert (body["data_removed"], body["output"], body["logs"], body["input"]) == (True, None, None, {})
    assert (await client.get(file)).status_code == 404


async def test_a_training_names_its_version_and_is_read_under_two_addresses(autojump_clock, client):
    answer = await client.post(
        "/v1/models/ana/trainer/versions/abc/trainings",
        json={"destination": "greenroom/mine", "input": {"fake": {"seconds": 5}}},
    )
    job = answer.json()
    assert answer.status_code == 201
    assert "/v1/predictions/" in job["urls"]["get"]
    await trio.sleep(5)
    body = await read(client, job, "trainings")
    assert body["output"]["version"].startswith("greenroom/mine:")
    assert body["urls"]["get"] == f"https://api.example/v1/trainings/{job['id']}"
    assert (await read(client, job))["status"] == "succeeded"
    assert (await client.get("/v1/predictions")).json()["results"] == []


async def test_a_wrong_destination_is_not_found(autojump_clock, fake, client):
    answer = await client.post(
        "/v1/models/ana/trainer/versions/abc/trainings", json={"destination": "bo/x", "input": {}}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert fake.jobs("training") == []


# Lists.


async def test_a_list_is_walked_by_its_own_addresses_newest_first_without_loss(autojump_clock, fake, client):
    """A job that comes while the list is walked moves nothing."""
    made = [fake.create("prediction", "m/n", "v", {}).id for _ in range(250)]
    seen, sizes, address = [], [], "https://api.example/v1/predictions"
    while address:
        page = (await client.get(address)).json()
        seen += [one["id"] for one in page["results"]]
        sizes.append(len(page["results"]))
        address = page["next"]
        fake.create("prediction", "m/n", "v", {})
    assert sizes == [100, 100, 50]
    assert seen == made[::-1]
    back = (await client.get(page["previous"])).json()
    assert [one["id"] for one in back["results"]] == made[50:150][::-1]


async def test_a_list_is_cut_by_time_and_by_source(autojump_clock, fake, client):
    moments = []
    for number in range(5):
        moments.append(fake.now().isoformat())
        fake.create("prediction", "m/n", str(number), {}, source="web" if number == 3 else "api")
        await trio.sleep(10)

    async def versions(**query):
        return [one["version"] for one in (await client.get("/v1/predictions", params=query)).json()["results"]]

    assert await versions(created_after=moments[2]) == ["4", "3", "2"]
    assert await versions(created_before=moments[2]) == ["1", "0"]
    assert await versions(created_after=moments[1], created_before=moments[3]) == ["2", "1"]
    assert await versions(source="web") == ["3"]


@pytest.mark.parametrize(
    "query", ["created_after=yesterday", "source=api", "cursor=nonsense", "created_after=2024-01-01"]
)
async def test_a_query_that_cannot_be_read_is_refused(autojump_clock, client, query):
    assert (await client.get(f"/v1/predictions?{query}")).status_code in (404, 422)


async def test_what_came_is_recorded(autojump_clock, fake, client):
    await trio.sleep(5)
    await client.get("/v1/predictions?source=web", headers={"X-Correlation-ID": "abc"})
    (call,) = fake.calls("GET", "/v1/predictions")
    assert (call.correlation_id, call.target, call.status) == ("abc", "/v1/predictions?source=web", 200)
    assert call.at == fake.now()
