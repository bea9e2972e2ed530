"""The notifier is killed on both sides of each write and delivery: nothing is lost, swapped or made up (E11)."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import count

import attrs
import pytest
import trio

from actors.jobs.notifications import Outcome
from actors.jobs.notify_options import NotificationTarget, NotifyOptions
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, open_runtime
from actors.testing import request, seeded_sources, virtual_settings
from supervision import FaultPlan
from tests.notification_fixtures import Targets

POINTS = ("notify.write.before", "notify.write.after", "notify.before", "notify.after")
ENDS = ("completed", "failed", "cancelled")
NOTIFY = NotifyOptions(
    {
        "chat": NotificationTarget(url="https://chat.example/"),
        "all": NotificationTarget(url="https://all.example/", on=("started", *ENDS)),
    },
    per_minute=2,
)


async def evening(targets):
    """A few jobs, a group, a target that is down, one that refuses, more than its minute holds; what stands in rows."""
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    parts = Parts(
        clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider], sender=targets.open,
    )  # fmt: skip
    targets.answers["all"].extend([Outcome("answered 503"), Outcome("answered 400", final=True)])
    async with open_runtime(attrs.evolve(virtual_settings(), notify=NOTIFY), parts) as runtime:
        jobs = [
            await runtime.submit(request(notify=("chat", "all"), group=group, result=result, duration=1))
            for group, result in [(None, "failed"), ("night", "failed"), ("night", "completed"), (None, "completed")]
        ]
        for job in jobs:
            await runtime.wait(job.job_id)
        await trio.sleep(240)
        events = await runtime.event_reader.past_events()
        rows = await runtime.notifications.page(limit=1000)
    return events, rows


def check(targets, events, rows):
    merged = defaultdict(list)
    for row in reversed(rows):
        if row.merged_into is not None:
            merged[row.merged_into].append(row)
    received = [part for _, one in targets.received for part in merged.get(one.notification_id, [one])]
    changes = Counter((event.job_id, event.data["status"]) for event in events if event.type == "job_status_changed")
    newest = defaultdict(int)
    for one in received:
        if one.job_id is None:
            continue
        status = "running" if one.type == "started" else one.type.value
        assert changes[one.job_id, status] == 1
        assert one.notification_id >= newest[one.job_id, one.target]
        newest[one.job_id, one.target] = one.notification_id
    assert {row.state for row in rows} <= {"delivered", "given_up"}
    assert {row.notification_id for row in rows} <= {one.notification_id for one in received} | set(merged)
    assert len({one.message_id for one in rows}) == len(rows)
    expected = Counter()
    for job_id, status in changes:
        in_group = {row.body["data"]["group"] for row in rows if row.job_id == job_id} == {"night"}
        if status == "running":
            expected[job_id, "all", "started"] += 1
        elif status == "failed" or (status in ENDS and not in_group):
            expected += Counter({(job_id, name, status): 1 for name in NOTIFY.targets})
    assert Counter((row.job_id, row.target, row.type.value) for row in rows if row.job_id is not None) == expected
    groups = Counter(row.target for row in rows if row.type == "group_ended")
    assert groups == {"chat": 1, "all": 1}


@pytest.mark.parametrize("point", POINTS)
async def test_whichever_write_or_delivery_it_is_killed_at(autojump_clock, point):
    seen = set()
    for occurrence in count(1):
        targets = Targets()
        with FaultPlan(seed=1).at(f"{point}:*", occurrence=occurrence) as plan:
            check(targets, *await evening(targets))
        if not plan.happened:
            break
        seen.add(plan.happened[0].point.rpartition(":")[2])
    assert occurrence > 6
    assert seen == ({"record", "merge", "end_groups"} if ".write." in point else {"chat", "all"})
