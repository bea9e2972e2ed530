"""How busy it was: counted from rows, of what the caller sees."""

from __future__ import annotations

from typing import Any

from actors.testing import request
from tests.api.servers import bearer


async def test_what_ended_waits_and_runs_is_counted_of_what_one_sees(edge: Any, web: Any) -> None:
    headers = await bearer(edge.runtime, "researcher", "ana")
    mine = await edge.runtime.jobs.submit_many([request(user_id="ana", config_name="dear") for _ in range(3)])
    await edge.runtime.jobs.submit_many([request(user_id="bo", config_name="dear") for _ in range(2)])
    await edge.runtime.cancel(mine[0].job.job_id, by="ana")
    everything = (await edge.http.get("/api/queue/activity")).json()
    own = (await web.get("/api/queue/activity", headers=headers)).json()
    assert (everything["waiting"], everything["blocked"], everything["running"]) == (4, 4, 0)
    assert (own["waiting"], own["blocked"], own["running"]) == (2, 2, 0)
    for found in (everything, own):
        assert len(found["minutes"]) == 60
        assert sum(minute["cancelled"] for minute in found["minutes"]) == 1
        assert found["minutes"][0]["waiting"] == 0


async def test_jobs_that_ran_are_counted_in_the_minute_of_their_end(edge: Any) -> None:
    job = await edge.runtime.submit(request(user_id="ana", duration=0))
    await edge.runtime.wait(job.job_id)
    found = (await edge.http.get("/api/queue/activity")).json()
    assert (found["waiting"], found["running"]) == (0, 0)
    assert sum(minute["completed"] for minute in found["minutes"]) == 1
