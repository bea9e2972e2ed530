"""What Ray says of jobs, and what it means when it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trio

from actors.jobs.records import Phase
from actors.providers import errors
from actors.providers.base import CancelAck
from tests.providers.ray.canned import SESSION, Canned, details, text, unknown

LIST, ONE, STOP = "GET /api/jobs/", "GET /api/jobs/k1", "POST /api/jobs/k1/stop"
HANDLE = {"id": "k1", "session": SESSION}
OLD = {"id": "k1", "session": "session_before"}
TEN_SECONDS_LATER = 1_700_000_010_000


def failed(error_type: str | None, **more: Any) -> dict[str, Any]:
    return details("FAILED", error_type=error_type, end_time=TEN_SECONDS_LATER, **more)


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        ("PENDING", Phase.QUEUED),
        ("RUNNING", Phase.RUNNING),
        ("SUCCEEDED", Phase.SUCCEEDED),
        ("FAILED", Phase.FAILED),
        ("STOPPED", Phase.CANCELED),
        ("succeeded ", Phase.SUCCEEDED),
        ("HIBERNATING", Phase.UNKNOWN),
    ],
)
async def test_each_status_has_its_phase_and_is_kept_as_it_was(said: str, phase: Phase) -> None:
    view = await Canned({ONE: details(said)}).provider().observe_many({"k1": HANDLE})
    assert (view.observations["k1"].phase, view.observations["k1"].raw_status) == (phase, said)


async def test_times_are_utc_and_a_waiting_job_has_none() -> None:
    ray = Canned({ONE: details("SUCCEEDED", end_time=TEN_SECONDS_LATER)})
    seen = (await ray.provider().observe_many({"k1": HANDLE})).observations["k1"]
    assert seen.started_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert seen.completed_at == datetime.fromtimestamp(1_700_000_010, UTC)
    ray.answers[ONE] = details("PENDING")
    seen = (await ray.provider().observe_many({"k1": HANDLE})).observations["k1"]
    assert (seen.started_at, seen.completed_at) == (None, None)


@pytest.mark.parametrize(
    ("code", "exit_code", "signal", "words"),
    [(3, 3, None, "exit status 3: out of luck"), (-9, None, 9, "ended by signal 9: out of luck")],
)
async def test_a_failure_tells_status_or_signal_and_the_programs_last_words(
    code: int, exit_code: int | None, signal: int | None, words: str
) -> None:
    job = failed(
        "JOB_ENTRYPOINT_COMMAND_ERROR", driver_exit_code=code, message="Job entrypoint failed\nout of luck\n\n"
    )
    seen = (await Canned({ONE: job}).provider().observe_many({"k1": HANDLE})).observations["k1"]
    assert (seen.exit_code, seen.signal, seen.error) == (exit_code, signal, words)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", "exit status 1"),
        ("ValueError: no data\n=====\n\x1b[0m", "exit status 1: ValueError: no data"),
        (" 50%|##| 1/2\rfatal: no such file", "exit status 1: fatal: no such file"),
    ],
)
async def test_rays_own_lines_are_not_a_jobs_last_words(log: str, words: str) -> None:
    head = "Job entrypoint command failed with exit code 1, last available logs (truncated to 20,000 chars):\n"
    own = "2026-01-01 00:00:00,000\tINFO job_manager.py:531 -- Runtime env is setting up.\n"
    own += "Running entrypoint for job k1: false\n"
    job = failed("JOB_ENTRYPOINT_COMMAND_ERROR", driver_exit_code=1, message=head + own + log)
    seen = (await Canned({ONE: job}).provider().observe_many({"k1": HANDLE})).observations["k1"]
    assert seen.error == words


async def test_a_failure_of_rays_own_tells_its_kind_and_no_path() -> None:
    message = 'Traceback:\n  File "/opt/ana/x.py", line 3\nRuntimeError: Failed to download runtime_env'
    seen = (
        await Canned({ONE: failed("RUNTIME_ENV_SETUP_FAILURE", message=message)})
        .provider()
        .observe_many({"k1": HANDLE})
    )
    assert seen.observations["k1"].error == "RUNTIME_ENV_SETUP_FAILURE: RuntimeError: Failed to download runtime_env"


@pytest.mark.parametrize(
    "error_type",
    ["JOB_ENTRYPOINT_COMMAND_START_ERROR", "JOB_SUPERVISOR_ACTOR_START_TIMEOUT", "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE"],
)
@pytest.mark.parametrize("stopped", [True, False])
async def test_a_job_that_could_not_start_after_our_stop_is_cancelled(error_type: str, stopped: bool) -> None:
    """So Ray tells the stop of a waiting job; ``False`` is heard by a supervisor that was restarted and asks again."""
    ray = Canned({STOP: {"stopped": stopped}, ONE: failed(error_type)})
    provider = ray.provider()
    await provider.cancel("k1", HANDLE)
    seen = (await provider.observe_many({"k1": HANDLE})).observations["k1"]
    assert (seen.phase, seen.error) == (Phase.CANCELED, None)


async def test_a_job_that_could_not_start_by_itself_has_failed() -> None:
    job = failed("JOB_SUPERVISOR_ACTOR_START_TIMEOUT")
    assert (await Canned({ONE: job}).provider().observe_many({"k1": HANDLE})).observations["k1"].phase is Phase.FAILED


@pytest.mark.parametrize(
    ("error_type", "message", "interrupted"),
    [
        ("JOB_SUPERVISOR_ACTOR_DIED", "Job supervisor actor died: The actor died because its node has died.",
         "its node was lost"),
        ("JOB_SUPERVISOR_ACTOR_DIED", "Job supervisor actor died: The worker process was killed.",
         "Ray lost the process that ran it"),
        ("JOB_ENTRYPOINT_COMMAND_ERROR", "Job entrypoint command failed: its node has died", None),
        ("RUNTIME_ENV_SETUP_FAILURE", "its node has died", None),
        (None, "its node has died", None),
    ],
)  # fmt: skip
async def test_the_loss_of_a_node_is_an_interruption_and_what_a_job_prints_is_none(
    error_type: str | None, message: str, interrupted: str | None
) -> None:
    seen = await Canned({ONE: failed(error_type, message=message)}).provider().observe_many({"k1": HANDLE})
    assert (seen.observations["k1"].phase, seen.observations["k1"].interrupted) == (Phase.FAILED, interrupted)


async def test_a_program_that_fails_of_our_stop_is_cancelled() -> None:
    """Ray had taken the stop: how the program answered it is no failure."""
    end = failed("JOB_ENTRYPOINT_COMMAND_ERROR", driver_exit_code=1)
    ray = Canned({STOP: {"stopped": True}, ONE: (details("RUNNING"), end)})
    provider = ray.provider()
    await provider.cancel("k1", HANDLE)
    assert (await provider.observe_many({"k1": HANDLE})).observations["k1"].phase is Phase.CANCELED


async def test_a_program_that_had_failed_before_the_stop_stays_failed() -> None:
    ray = Canned({STOP: {"stopped": False}, ONE: failed("JOB_ENTRYPOINT_COMMAND_ERROR", driver_exit_code=1)})
    provider = ray.provider()
    assert await provider.cancel("k1", HANDLE) is CancelAck.ALREADY_TERMINAL
    assert (await provider.observe_many({"k1": HANDLE})).observations["k1"].phase is Phase.FAILED


async def test_a_job_that_has_ended_is_not_stopped() -> None:
    """For a moment after the end Ray would say that there was something to stop."""
    ray = Canned({STOP: {"stopped": True}, ONE: details("SUCCEEDED")})
    assert await ray.provider().cancel("k1", HANDLE) is CancelAck.ALREADY_TERMINAL
    assert ray.asked(STOP) == []


async def test_a_stop_of_a_waiting_job_leaves_it_waiting_until_ray_says_otherwise() -> None:
    """The answer of a stop ends nothing; only a status does."""
    ray = Canned({STOP: {"stopped": True}, ONE: details("PENDING")})
    provider = ray.provider()
    assert await provider.cancel("k1", HANDLE) is CancelAck.ACCEPTED
    assert (await provider.observe_many({"k1": HANDLE})).observations["k1"].phase is Phase.QUEUED
    ray.answers[ONE] = details("RUNNING")
    assert (await provider.observe_many({"k1": HANDLE})).observations["k1"].phase is Phase.STOPPING
    assert await provider.cancel("k1", HANDLE) is CancelAck.ACCEPTED
    assert len(ray.asked(STOP)) == 2


async def test_a_stop_of_an_unknown_job_says_so() -> None:
    ray = Canned({STOP: unknown(), ONE: unknown()})
    assert await ray.provider().cancel("k1", HANDLE) is CancelAck.UNKNOWN_JOB


@pytest.mark.parametrize("code", [124, 137])
async def test_a_program_that_passed_its_deadline_timed_out(code: int) -> None:
    job = failed("JOB_ENTRYPOINT_COMMAND_ERROR", driver_exit_code=code, metadata={"greenroom_max_runtime": "10"})
    seen = await Canned({ONE: job}).provider().observe_many({"k1": HANDLE})
    assert seen.observations["k1"].phase is Phase.TIMED_OUT


async def test_a_program_that_ends_itself_so_before_its_deadline_has_failed() -> None:
    job = failed("JOB_ENTRYPOINT_COMMAND_ERROR", driver_exit_code=124, metadata={"greenroom_max_runtime": "11"})
    seen = await Canned({ONE: job}).provider().observe_many({"k1": HANDLE})
    assert seen.observations["k1"].phase is Phase.FAILED


async def test_many_jobs_cost_one_request() -> None:
    """Drivers without a submission, others' jobs and entries that make no sense disturb nobody."""
    jobs: list[Any] = [details("RUNNING", f"k{number}") for number in range(500)]
    jobs += [{"type": "DRIVER", "submission_id": None}, {"submission_id": "of-others"}]
    jobs[7] = {"submission_id": "k7", "status": None}
    ray = Canned({LIST: jobs})
    handles = {f"k{number}": {"id": f"k{number}", "session": SESSION} for number in range(500)}
    view = await ray.provider().observe_many(handles)
    assert len(view.observations) == 499
    assert list(view.failed) == ["k7"]
    assert [one.url.path for one in ray.requests] == ["/api/jobs/"]


async def test_a_job_that_a_living_head_denies_had_ended() -> None:
    """Ray deletes only what has: so nothing runs any more, and that is proven (B17)."""
    seen = (await Canned({ONE: unknown()}).provider().observe_many({"k1": HANDLE})).observations["k1"]
    assert (seen.phase, seen.proven_dead, seen.interrupted) == (Phase.LOST, True, None)  # somebody deleted it


@pytest.mark.parametrize("ends", [False, True])
async def test_a_job_that_a_restarted_head_has_forgotten_is_lost_and_proven_so_only_where_configured(
    ends: bool,
) -> None:
    provider = Canned({ONE: unknown()}).provider(head_restart_ends_jobs=ends)
    seen = (await provider.observe_many({"k1": OLD})).observations["k1"]
    assert (seen.phase, seen.proven_dead) == (Phase.LOST, ends)
    assert seen.error is not None
    assert ("may still run on a node" in seen.error) is not ends
    assert seen.interrupted == "the Ray head was restarted"


async def test_a_job_that_a_restarted_head_still_knows_is_seen_as_it_is() -> None:
    """A head whose state lies outside of it keeps its jobs."""
    view = await Canned({ONE: details("RUNNING")}).provider().observe_many({"k1": OLD})
    assert view.observations["k1"].phase is Phase.RUNNING


@pytest.mark.parametrize("answer", ["[1", '"x"', '{"a": 1}', "Traceback ..."])
async def test_a_list_that_is_none_is_a_fault_of_the_cluster_and_says_nothing_of_jobs(answer: str) -> None:
    with pytest.raises(errors.Protocol):
        await Canned({LIST: text(200, answer)}).provider().observe_many({"k1": HANDLE, "k2": {"id": "k2"}})


async def test_a_head_that_is_down_says_nothing_of_jobs(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(errors.Unavailable):
        await Canned({ONE: httpx.ConnectError("refused")}).provider().observe_many({"k1": HANDLE})


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    elsewhere = httpx.Response(302, headers={"Location": "http://elsewhere.example/api/jobs/k1"})
    ray = Canned({ONE: elsewhere})
    with pytest.raises(errors.Protocol, match="redirect"):
        await ray.provider().observe_many({"k1": HANDLE})
    assert {one.url.host for one in ray.requests} == {"127.0.0.1"}


async def test_a_handle_with_a_path_in_it_reaches_no_other_address() -> None:
    ray = Canned()
    with pytest.raises(errors.ProviderError, match="holds no id"):
        await ray.provider().cancel("k1", {"id": "../version"})
    assert ray.requests == []


async def test_the_output_goes_on_from_a_cursor() -> None:
    provider = Canned({"GET /api/jobs/k1/logs": {"logs": "größer\n" * 20_000}}).provider()
    chunks = [chunk async for chunk in provider.logs("k1", HANDLE)]
    assert len(chunks) > 1
    assert b"".join(chunk.data for chunk in chunks) == "größer\n".encode() * 20_000
    rest = [chunk async for chunk in provider.logs("k1", HANDLE, chunks[0].cursor)]
    assert b"".join(chunk.data for chunk in chunks[1:]) == b"".join(chunk.data for chunk in rest)


@pytest.mark.parametrize("cursor", ["-1", "x", "٣", "1" * 30])
async def test_a_cursor_that_was_never_given_is_refused(cursor: str) -> None:
    with pytest.raises(errors.Invalid, match="log cursor"):
        [chunk async for chunk in Canned().provider().logs("k1", HANDLE, cursor)]


async def test_a_log_that_is_too_large_is_a_fault_and_not_read_to_its_end() -> None:
    ray = Canned({"GET /api/jobs/k1/logs": {"logs": "x" * 1000}})
    with pytest.raises(errors.Protocol, match="more than"):
        [chunk async for chunk in ray.provider(log_bytes=100).logs("k1", HANDLE)]


async def test_a_job_that_has_not_ended_is_not_forgotten() -> None:
    ray = Canned({"DELETE /api/jobs/k1": text(500, "RuntimeError: Attempted to delete job k1, but it is in RUNNING")})
    with pytest.raises(errors.Conflict, match="in RUNNING"):
        await ray.provider().forget("k1", HANDLE)
    ray.answers["DELETE /api/jobs/k1"] = unknown()
    await ray.provider().forget("k1", HANDLE)


async def test_the_check_tells_what_answers() -> None:
    facts = await Canned().provider(cpus=8).check()
    assert (facts["ray_version"], facts["session_name"], facts["cpus"]) == ("2.60.0", SESSION, 8)


async def test_an_address_that_is_no_dashboard_is_told_so() -> None:
    with pytest.raises(errors.NotFound, match=r"is http://127\.0\.0\.1:8265 a Ray dashboard"):
        await Canned({"GET /api/version": text(404, "not found")}).provider().check()
