"""What a scrape says of a runtime that did something."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import httpx
import pytest
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.jobs.records import JobRequest
from actors.runtime import RunningRuntime
from actors.testing import request
from supervision import FaultPlan

PROMTOOL = os.environ.get("GREENROOM_TEST_PROMTOOL") or shutil.which("promtool")


def parsed(text: bytes) -> dict[str, float]:
    """Every sample as ``name{label=value}``, read by the parser of prometheus-client."""
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def busy(runtime: RunningRuntime) -> None:
    """One job ends, one is cancelled, one waits for a person."""
    ended = await runtime.submit(request(duration=30))
    await runtime.wait(ended.job_id)
    cancelled = await runtime.submit(request(duration=3600))
    await trio.sleep(5)  # virtual: it runs by then
    await runtime.cancel(cancelled.job_id)
    await runtime.wait(cancelled.job_id)
    await runtime.submit(dear())


def dear() -> JobRequest:
    return attrs.evolve(request(duration=1), config_name="dear")


async def test_the_names_of_the_manual_tell_of_jobs_approvals_and_breakers(
    autojump_clock: MockClock, runtime: RunningRuntime
) -> None:
    await busy(runtime)
    found = parsed(await runtime.metrics.scrape())
    assert found["simpletuner_jobs_total"] == 3
    assert found["simpletuner_jobs_by_status{status=completed}"] == 1
    assert found["simpletuner_jobs_by_status{status=cancelled}"] == 1
    assert found["simpletuner_jobs_by_status{status=running}"] == 0
    assert found["simpletuner_jobs_active"] == 1
    assert found["simpletuner_approval_requests_pending"] == 1
    assert found["simpletuner_circuit_breaker_state{provider=scripted}"] == 0
    assert found["simpletuner_uptime_seconds"] >= 30


async def test_an_embedded_runtime_is_timed_without_anybody_asking_before(
    autojump_clock: MockClock, runtime: RunningRuntime
) -> None:
    """Queue wait, dispatch, commits, cycles and messages were counted while no server was there."""
    await busy(runtime)
    found = parsed(await runtime.metrics.scrape())
    assert found["greenroom_queue_wait_seconds_count"] == 2
    assert found["greenroom_dispatch_latency_seconds_count"] == 2
    assert found["greenroom_store_commit_seconds_count"] >= 6
    for actor in ("scheduler", "poller", "expiry"):
        assert found[f"greenroom_actor_cycle_seconds_count{{actor={actor}}}"] >= 1
    assert found["greenroom_actor_handling_seconds_count{actor=scheduler}"] >= 2
    assert found["greenroom_jobs_ended_total{status=completed}"] == 1


async def test_the_tree_and_its_mailboxes_are_there(autojump_clock: MockClock, runtime: RunningRuntime) -> None:
    await runtime.tree.restart("expiry")
    found = parsed(await runtime.metrics.scrape())
    assert found["greenroom_actor_up{actor=actors/poller}"] == 1
    assert found["greenroom_actor_restarts_total{actor=actors/expiry}"] == 0  # by hand is not automatic
    assert found["greenroom_mailbox_depth{actor=poller}"] == 0
    assert found["greenroom_mailbox_capacity{actor=poller}"] == 64


async def test_a_crash_is_a_restart_and_a_message_in_quarantine(
    autojump_clock: MockClock, runtime: RunningRuntime
) -> None:
    with FaultPlan(seed=1).at("receive.before:expiry", occurrence=1):
        runtime.registry.cast("expiry", "look")
        await trio.testing.wait_all_tasks_blocked()
    await trio.sleep(1)  # virtual: past the back-off
    found = parsed(await runtime.metrics.scrape())
    assert found["greenroom_actor_restarts_total{actor=actors/expiry}"] == 1
    assert found["greenroom_actor_up{actor=actors/expiry}"] == 1
    assert found["greenroom_quarantined_messages"] == 1


async def test_what_reached_nobody_is_counted(autojump_clock: MockClock, runtime: RunningRuntime) -> None:
    runtime.registry.cast("nobody", "hello")
    assert parsed(await runtime.metrics.scrape())["greenroom_dead_letters_total"] == 1


async def test_open_streams_of_events_are_counted_while_they_are_open(
    autojump_clock: MockClock, runtime: RunningRuntime
) -> None:
    async with runtime.events(), runtime.events():
        assert parsed(await runtime.metrics.scrape())["greenroom_event_subscribers"] == 2
    assert parsed(await runtime.metrics.scrape())["greenroom_event_subscribers"] == 0


async def test_the_route_serves_the_text_format(autojump_clock: MockClock, runtime: RunningRuntime) -> None:
    transport = httpx.ASGITransport(app=asked_by(create_app(runtime), Peer(0, "ana")))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://greenroom") as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "simpletuner_jobs_total" in answer.text


async def test_no_series_grows_with_jobs_or_users(autojump_clock: MockClock, runtime: RunningRuntime) -> None:
    """A hundred jobs of a hundred users add no line."""
    for user in ("ana", "bo"):
        await runtime.wait((await runtime.submit(request(user_id=user, duration=1))).job_id)
    before = set(parsed(await runtime.metrics.scrape()))
    await runtime.jobs.submit_many([request(user_id=f"user-{number}", duration=1) for number in range(100)])
    assert set(parsed(await runtime.metrics.scrape())) == before


def test_counting_loads_no_prometheus_client() -> None:
    code = "import sys, actors.runtime; sys.exit('prometheus_client' in sys.modules)"
    root = Path(importlib.import_module("actors").__file__ or "").parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.parts
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: .ci/run installs it (Debian: prometheus)")
async def test_promtool_finds_nothing_to_say(autojump_clock: MockClock, runtime: RunningRuntime) -> None:
    await busy(runtime)
    text = await runtime.metrics.scrape()
    assert PROMTOOL is not None
    checked = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False)  # noqa: ASYNC221 - virtual time stands still meanwhile
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
