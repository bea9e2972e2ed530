"""What the providers have, and what jobs hold of it: of everybody, by whoever may look at providers."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio

from actors.jobs.events import EventType
from actors.providers.answers import LONGEST_NAME, MOST_DEVICES
from actors.providers.guard import GuardedProvider
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from tests.api.servers import bearer

NEEDS = {"cpus": 2, "memory": 3 * 2**30}


async def claimed(edge: Any, job_id: str) -> None:
    """From here on the job holds what it needs."""
    with trio.fail_after(60):
        async with edge.runtime.events(after=0, job_id=job_id) as events:
            async for event in events:
                if event.type == EventType.JOB_DISPATCHED:
                    return


async def usage(http: Any, **options: Any) -> Any:
    (scripted,) = (await http.get("/api/providers", **options)).json()["providers"]
    return scripted


async def test_what_jobs_hold_is_counted_while_they_hold_it(edge: Any, web: Any) -> None:
    """From the moment at which they are handed over to their end; of all users, also for who sees only their own."""
    assert (await usage(edge.http))["in_use"] == {"jobs": 0, "cpus": 0, "gpus": 0, "memory": 0}
    made = [await edge.submit(spec={"duration": 3600}, resources=NEEDS) for _ in range(2)]
    for job in made:
        await claimed(edge, job["job_id"])
    assert (await usage(edge.http))["in_use"] == {"jobs": 2, "cpus": 4, "gpus": 0, "memory": 6 * 2**30}
    other = await usage(web, headers=await bearer(edge.runtime, "viewer", "bo"))
    assert other["in_use"]["jobs"] == 2
    await edge.http.post(f"/api/jobs/{made[0]['job_id']}/cancel")
    await edge.runtime.wait(made[0]["job_id"])
    assert (await usage(edge.http))["in_use"] == {"jobs": 1, "cpus": 2, "gpus": 0, "memory": 3 * 2**30}


async def test_what_a_provider_has_is_told_and_null_is_not_counted(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await usage(edge.http)
    assert (found["capacity"], found["devices"]) == ({"cpus": None, "gpus": None, "memory": None}, None)

    def broken(_self: object) -> Any:
        raise OSError("no answer")

    monkeypatch.setattr(ScriptedProvider, "capacity", broken)
    assert (await usage(edge.http))["capacity"] is None


class WithDevices(ScriptedProvider):
    """A provider that names its GPUs."""

    devices: Any = ()


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (("GPU-a", "GPU-b"), ("GPU-a", "GPU-b")),
        ((), ()),
        (("x" * 10_000,), ("x" * LONGEST_NAME,)),
        (tuple(map(str, range(1000))), tuple(map(str, range(MOST_DEVICES)))),
        ("GPU-a", None),
        ((1, 2), None),
        (None, None),
    ],
)
def test_names_of_devices_are_bounded_and_what_is_no_list_of_names_is_none(named: Any, told: Any) -> None:
    provider = WithDevices(ScriptedOptions(), cast("Any", None))
    provider.devices = named
    found = GuardedProvider(provider).devices()
    assert (found or None) == (told or None)


def test_a_provider_without_names_has_none() -> None:
    assert GuardedProvider(ScriptedProvider(ScriptedOptions(), cast("Any", None))).devices() is None
