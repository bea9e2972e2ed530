"""The provider on a Slurm of canned answers: what it calls, and what it makes of each answer."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.jobs.ids import IdFactory, submission_key
from actors.jobs.records import JobRequest, Phase
from actors.providers.base import ABSENT, CancelAck, Submitted
from actors.providers.errors import Conflict, Invalid, OutcomeUnknown, ProviderError, RateLimited, Unavailable
from actors.providers.slurm import SlurmOptions, SlurmProvider
from actors.providers.slurm.commands import Answer, CommandTooSlow
from tests.providers.slurm.answers import NOW, Canned, line

KEY = submission_key(IdFactory().new(NOW + timedelta(seconds=1)), 0)


def provider_at(path: Path, canned: Canned) -> SlurmProvider:
    provider = SlurmProvider(SlurmOptions(directory=str(path / "shared")), path / "root", now=lambda: NOW)
    provider._cluster.commands = canned  # type: ignore[assignment]
    return provider


async def submit(provider: SlurmProvider, token: str = "t", **context: str) -> Submitted:
    return await provider.submit(KEY, token, provider.prepare(JobRequest(command=("true",))), context)


async def seen(provider: SlurmProvider) -> Any:
    return (await provider.observe_many({KEY: {"id": 7}})).observations[KEY]


async def test_a_submission_says_all_in_options_and_a_script(tmp_path: Path) -> None:
    canned = Canned()
    provider = provider_at(tmp_path, canned)
    submitted = await submit(provider, attempt="2", previous_key="before-1", job_id="j", parents="[]")
    assert (submitted.handle, submitted.existed) == ({"id": 7}, False)
    (arguments,) = canned.named("sbatch")
    job = tmp_path / "shared" / "jobs" / KEY
    assert [one for one in arguments if not one.startswith("--job-name")] == [
        "--parsable", f"--comment={KEY}", "--no-requeue", "--open-mode=append", f"--output={job}/log",
        f"--chdir={job}", "--cpus-per-task=1",
    ]  # fmt: skip
    script = (job / "run").read_text()
    for words in (
        "export GREENROOM_ATTEMPT=2\n", "export GREENROOM_JOB_ID=j\n", f"export GREENROOM_OUTPUT_DIR={job}/output\n",
        f"export GREENROOM_PREVIOUS_OUTPUT_DIR={tmp_path}/shared/jobs/before-1/output\n",
        f"export GREENROOM_PARENTS={job}/parents.json\n", f"cd {job}/work ",
    ):  # fmt: skip
        assert words in script
    assert (job / "run").stat().st_mode & 0o077 == 0
    assert json.loads((tmp_path / "shared" / f"{KEY}.intent").read_text())["job"] == 7


async def test_the_intent_is_there_before_sbatch_is_called(tmp_path: Path) -> None:
    told = []

    class Watched(Canned):
        async def run(self, program: str, *arguments: str, **options: Any) -> Answer:
            if program == "sbatch":
                told.append((await provider._finder.known(KEY)).intent)
                assert not provider._records.no_sbatch_lives(KEY)
                assert len(options["keep"]) == 1
            return await super().run(program, *arguments, **options)

    provider = provider_at(tmp_path, Watched())
    await submit(provider)
    assert told[0] is not None
    assert told[0].token == "t"


@pytest.mark.parametrize(
    ("answer", "error", "is_kept"),
    [
        (Answer(1, "", "sbatch: error: Memory specification can not be satisfied"), Invalid, False),
        (Answer(1, "", "sbatch: error: QOSMaxSubmitJobPerUserLimit"), RateLimited, False),
        (Answer(1, "", "Unable to contact slurm controller (connect failure)"), Unavailable, False),
        (Unavailable("sbatch is not found"), Unavailable, False),
        (Answer(1, "", "Socket timed out on send/recv operation"), OutcomeUnknown, True),
        (Answer(-9, "", ""), OutcomeUnknown, True),
        (Answer(0, "hello\n", ""), OutcomeUnknown, True),
        (CommandTooSlow("sbatch did not end within 45 s"), OutcomeUnknown, True),
    ],
)
async def test_only_a_sure_refusal_leaves_no_intent(
    tmp_path: Path, answer: Answer | Exception, error: type[ProviderError], is_kept: bool
) -> None:
    provider = provider_at(tmp_path, Canned(sbatch=answer))
    with pytest.raises(error) as caught:
        await submit(provider)
    assert type(caught.value) is error
    assert ((await provider._finder.known(KEY)).intent is not None) is is_kept
    assert await trio.Path(tmp_path / "shared" / "jobs" / KEY).exists() is (error is not Invalid)


async def test_a_submission_whose_answer_was_lost_is_looked_for_before_it_is_repeated(tmp_path: Path) -> None:
    canned = Canned(sbatch=CommandTooSlow("too slow"))
    provider = provider_at(tmp_path, canned)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await submit(provider)
    assert len(canned.named("sbatch")) == 1
    canned.squeue = line(9, "PENDING", KEY, reason="Priority")
    found = await submit(provider)
    assert (found.handle, found.existed) == ({"id": 9}, True)
    assert found.observation is not None
    assert found.observation.waiting_reason == "Priority"


async def test_five_at_once_under_one_key_are_one_sbatch(tmp_path: Path) -> None:
    canned = Canned(squeue=line(7, "PENDING", KEY))
    provider = provider_at(tmp_path, canned)
    answers: list[Submitted] = []

    async def one() -> None:
        answers.append(await submit(provider))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(one)
    assert len(canned.named("sbatch")) == 1
    assert sorted(answer.existed for answer in answers) == [False, True, True, True, True]


async def test_a_look_at_many_jobs_is_one_squeue(tmp_path: Path) -> None:
    keys = [f"{KEY[:-1]}{number}" for number in range(200)]
    canned = Canned(squeue="\n".join(line(number + 1, "PENDING", key) for number, key in enumerate(keys)))
    view = await provider_at(tmp_path, canned).observe_many({key: {"id": 1} for key in keys})
    assert {one.phase for one in view.observations.values()} == {Phase.QUEUED}
    assert [name for name, *_ in canned.calls] == ["squeue"]


async def test_a_lost_node_is_believed_when_all_nodes_have_answered_for_a_while(
    tmp_path: Path, autojump_clock: object
) -> None:
    canned = Canned(squeue=line(7, "NODE_FAIL", KEY, nodes="n[1-2]"))
    provider = provider_at(tmp_path, canned)
    (tmp_path / "shared").mkdir()
    for states in (("IDLE", "DOWN*"), ("IDLE", "IDLE*"), ("IDLE", "MIXED+DRAIN")):
        canned.nodes = "\n".join(f"NodeName=n{number} State={state} Threads=1" for number, state in enumerate(states))
        assert not (await seen(provider)).proven_dead
    await trio.sleep(30)
    assert (await seen(provider)).proven_dead
    assert ("--oneliner", "show", "node", "n[1-2]") in [tuple(one) for one in canned.named("scontrol")]


async def test_a_job_that_slurm_has_forgotten_is_looked_up_in_accounting(
    tmp_path: Path, autojump_clock: object
) -> None:
    canned = Canned()
    provider = provider_at(tmp_path, canned)
    await submit(provider)
    first = await provider.observe_many({KEY: {"id": 7}})
    assert (
        "Slurm does not show it; it counts as absent" in first.failed[KEY]
    )  # a controller that starts anew knows nothing yet
    await trio.sleep(60)
    assert (await seen(provider)).phase is Phase.LOST
    job = tmp_path / "shared" / "jobs" / KEY
    canned.sacct = Answer(0, f"7|FAILED|3:0|2026-03-01T11:00:00|2026-03-01T11:00:09|n1|{job}\n", "")
    ended = await seen(provider)
    assert (ended.phase, ended.exit_code) == (Phase.FAILED, 3)
    canned.sacct = Answer(0, f"7|RUNNING|0:0|2026-03-01T11:00:00|Unknown|n1|{job}\n", "")
    assert (await seen(provider)).phase is Phase.LOST


async def test_a_job_of_which_nothing_is_known_is_absent(tmp_path: Path) -> None:
    view = await provider_at(tmp_path, Canned()).observe_many({KEY: {"id": 7}})
    assert view.absent == {KEY}


async def test_what_it_holds_are_the_jobs_with_keys_that_go_on(tmp_path: Path) -> None:
    lines = [line(7, "RUNNING", KEY), line(8, "COMPLETED", "old-1"), line(9, "PENDING", "train")]
    provider = provider_at(tmp_path, Canned(squeue="\n".join(lines)))
    assert [(one.key, one.name) for one in await provider.list_jobs()] == [(KEY, "Slurm job 7")]


async def test_a_cancel_is_sent_to_each_job_of_the_key_that_goes_on(tmp_path: Path, autojump_clock: object) -> None:
    canned = Canned(squeue="\n".join([line(7, "FAILED", KEY), line(8, "PENDING", KEY), line(9, "RUNNING", "x")]))
    provider = provider_at(tmp_path, canned)
    assert await provider.cancel(KEY, {"id": 8}) is CancelAck.ACCEPTED
    assert canned.named("scancel") == [["8"]]
    canned.squeue = line(7, "CANCELLED", KEY)
    await trio.sleep(3)
    assert await provider.cancel(KEY, {"id": 7}) is CancelAck.ALREADY_TERMINAL
    canned.squeue = line(7, "RUNNING", "other")
    await trio.sleep(3)
    assert await provider.cancel(KEY, {"id": 7}) is CancelAck.UNKNOWN_JOB  # the number is another's


async def test_many_cancels_at_once_cost_one_squeue(tmp_path: Path, autojump_clock: object) -> None:
    keys = [f"{KEY[:-1]}{number}" for number in range(30)]
    canned = Canned(squeue="\n".join(line(number + 1, "PENDING", key) for number, key in enumerate(keys)))
    provider = provider_at(tmp_path, canned)
    for key in keys:
        assert await provider.cancel(key, {}) is CancelAck.ACCEPTED
    assert (len(canned.named("squeue")), len(canned.named("scancel"))) == (1, 30)
    canned.squeue += "\n" + line(99, "PENDING", f"{KEY[:-1]}new")
    assert await provider.cancel(f"{KEY[:-1]}new", {}) is CancelAck.ACCEPTED  # it was submitted since then
    await trio.sleep(3)
    await provider.cancel(keys[0], {})
    assert len(canned.named("squeue")) == 3


async def test_a_job_that_was_cancelled_while_it_waited_and_is_forgotten_was_ended_by_that(tmp_path: Path) -> None:
    canned = Canned(squeue=line(7, "PENDING", KEY))
    provider = provider_at(tmp_path, canned)
    handle = (await submit(provider)).handle
    await provider.cancel(KEY, handle)
    canned.squeue = ""
    assert (await seen(provider)).phase is Phase.CANCELED


@pytest.mark.parametrize(("status", "phase"), [(143, Phase.CANCELED), (0, Phase.SUCCEEDED)])
async def test_a_cancel_is_the_cause_of_an_end_of_which_slurm_does_not_tell(
    tmp_path: Path, status: int, phase: Phase
) -> None:
    canned = Canned(squeue=line(7, "RUNNING", KEY, nodes="n1"))
    provider = provider_at(tmp_path, canned)
    handle = (await submit(provider)).handle
    await provider.cancel(KEY, handle)
    canned.squeue = ""
    (tmp_path / "shared" / f"{KEY}.exit").write_text(json.dumps({"status": status, "job": 7}))
    assert (await seen(provider)).phase is phase


async def test_what_runs_is_not_forgotten(tmp_path: Path) -> None:
    canned = Canned()
    provider = provider_at(tmp_path, canned)
    handle = (await submit(provider)).handle
    canned.squeue = line(7, "RUNNING", KEY, nodes="n1")
    with pytest.raises(Conflict, match="has not ended"):
        await provider.forget(KEY, handle)
    canned.squeue = line(7, "COMPLETED", KEY, nodes="n1")
    await provider.forget(KEY, handle)
    assert await provider.find(KEY, "t") is ABSENT
    assert not (tmp_path / "shared" / "jobs" / KEY).exists()


async def test_after_a_persons_verdict_the_key_can_be_used_again(tmp_path: Path) -> None:
    canned = Canned(sbatch=CommandTooSlow("too slow"))
    provider = provider_at(tmp_path, canned)
    with pytest.raises(OutcomeUnknown):
        await submit(provider)
    canned.squeue = line(9, "PENDING", KEY)
    await provider.settled(KEY)
    assert canned.named("scancel") == [["9"]]
    canned.squeue, canned.sbatch = "", Answer(0, "10\n", "")
    assert (await submit(provider, token="new")).handle == {"id": 10}


async def test_an_output_on_a_file_system_that_is_not_there_is_no_empty_output(tmp_path: Path) -> None:
    provider = provider_at(tmp_path, Canned())
    handle = (await submit(provider)).handle
    assert [chunk async for chunk in provider.logs(KEY, handle)] == []
    (tmp_path / "shared").rename(tmp_path / "away")
    (tmp_path / "shared").mkdir()
    with pytest.raises(Unavailable, match="is its file system mounted"):
        [chunk async for chunk in provider.logs(KEY, handle)]


@pytest.mark.parametrize("key", ["../x", "", "a/b", "k\n", "-x", "k" * 300])
async def test_a_key_that_is_no_file_name_is_refused(tmp_path: Path, key: str) -> None:
    provider = provider_at(tmp_path, Canned())
    with pytest.raises(Invalid):
        await provider.submit(key, "t", provider.prepare(JobRequest(command=("true",))), {})
    assert await provider.find(key, "t") is ABSENT
    assert (await provider.observe_many({key: {}})).observations == {}
    await provider.forget(key, {})
    assert not await trio.Path(tmp_path / "shared").exists()
