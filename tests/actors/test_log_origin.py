"""Whose place a log line names: that of the change or the decision, never of a helper that words it (A6)."""

from __future__ import annotations

from typing import Any

import pytest

from actors.providers.scripted import ScriptedOptions

HELPERS = {"event_log.py", "reports.py", "state.py", "transaction.py", "base.py", "origin.py", "ledger.py"}


async def test_every_line_of_a_runtime_names_the_place_that_changed_or_decided_something(
    world: Any, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with world.open(options=ScriptedOptions()) as runtime:
        done = await world.submit(duration=3)
        failed = await world.submit(duration=1, error="no")
        blocked = await world.submit(requires_approval="look first")
        await runtime.reject(blocked.job_id, by="bo", reason="no")
        await runtime.queue.set_limit("total", 3)
        for job in (done, failed):
            await runtime.wait(job.job_id)
        await runtime.tree.restart("expiry")
    ours = [record for record in caplog.records if record.name.startswith(("actors", "supervision"))]
    assert len(ours) > 30
    wrong = {(record.filename, record.funcName, record.message) for record in ours if record.filename in HELPERS}
    assert wrong == set()
    places = {record.message: (record.filename, record.funcName) for record in ours}
    assert places["Job is now completed"] == ("observe.py", "apply_observation")
    assert places["Limits changed"] == ("limits.py", "set_limit")
