"""Texts that no store can keep are refused by every operation of a runtime: never an error of the driver's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.jobs.records import ApprovalRule
from actors.jobs.refusal import Refused
from actors.runtime import RunningRuntime

Operation = Callable[[RunningRuntime, str, str], Awaitable[Any]]
"""Called with the runtime, the id of a job that waits for an approval, and the text."""

OPERATIONS: dict[str, Operation] = {
    "cancel": lambda runtime, _job, bad: runtime.cancel(bad),
    "cancel by": lambda runtime, job, bad: runtime.cancel(job, by=bad),
    "retry": lambda runtime, _job, bad: runtime.jobs.retry(bad),
    "wait": lambda runtime, _job, bad: runtime.wait(bad),
    "job": lambda runtime, _job, bad: runtime.jobs.get(bad),
    "jobs": lambda runtime, _job, bad: runtime.jobs.page(user_id=bad, text=bad),
    "settle": lambda runtime, job, bad: runtime.jobs.settle(job, "ran", handle={"id": bad}, by="ana"),
    "approve": lambda runtime, _job, bad: runtime.approve(bad, by="ana"),
    "approve by": lambda runtime, job, bad: runtime.approve(job, by=bad),
    "reject": lambda runtime, job, bad: runtime.reject(job, by="ana", reason=bad),
    "withdraw": lambda runtime, job, bad: runtime.approvals.withdraw(job, by=bad),
    "pause": lambda runtime, _job, bad: runtime.queue.pause(None, bad),
    "pause provider": lambda runtime, _job, bad: runtime.queue.pause(bad, "a reason"),
    "resume": lambda runtime, _job, bad: runtime.queue.resume(bad),
    "set_limit": lambda runtime, _job, bad: runtime.queue.set_limit(f"per_provider.{bad}", 1),
    "set_limit by": lambda runtime, _job, bad: runtime.queue.set_limit("total", 1, by=bad),
    "prioritise": lambda runtime, job, bad: runtime.jobs.prioritise(job, 50, by=bad),
    "add_rule": lambda runtime, _job, bad: runtime.rules.add(ApprovalRule(bad, "provider", "scripted")),
    "past_events": lambda runtime, _job, bad: runtime.event_reader.past_events(job_id=bad),
    "create_token": lambda runtime, _job, bad: runtime.access.create_token(user_id="ana", level="viewer", name=bad),
    "revoke": lambda runtime, _job, bad: runtime.access.revoke(bad),
    "token_peer": lambda runtime, _job, bad: runtime.access.token_peer(bad),
}


@pytest.mark.parametrize("bad", ["\udcff", "a\ud800b"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_text_that_is_not_utf8_is_refused_and_changes_nothing(world: Any, name: str, bad: str) -> None:
    """A refusal, or an answer that finds nothing; the runtime works on, and the message itself can be written."""
    async with world.open() as runtime:
        job = await world.submit(requires_approval="look first", config_name="first")
        try:
            await OPERATIONS[name](runtime, job.job_id, bad)
        except Refused as refusal:
            str(refusal).encode()
        assert (await runtime.jobs.get(job.job_id)).job.request.config_name == "first"
        assert (await world.submit(duration=1)).job_id != job.job_id


async def test_a_request_with_such_a_text_names_the_field(world: Any) -> None:
    async with world.open() as runtime:
        with pytest.raises(Refused, match="config_name must be UTF-8"):
            await world.submit(config_name="\udcff")
        for half in ("\udcff", "\ud800"):
            with pytest.raises(Refused, match=r"env_from\[0\] must be UTF-8"):
                await world.submit(env_from=(half,))
        assert await runtime.jobs.page() == []
