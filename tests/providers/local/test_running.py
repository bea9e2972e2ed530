"""A job is a process: what it finds, what it leaves, how its end is told."""

from __future__ import annotations

import json
import os
import signal

import pytest
import trio

from actors.jobs.records import JobRequest, Phase
from actors.providers.base import ABSENT, Submitted
from actors.providers.errors import ProviderError, Unavailable
from actors.providers.local.directory import JobDirectory
from actors.providers.local.records import Note, read_note
from actors.providers.local.shim import RECORD_SIZE
from tests.providers.local.stage import Stage


@pytest.mark.parametrize(("given", "found"), [({}, "1"), ({"PYTHONUNBUFFERED": ""}, "")])
async def test_the_output_of_a_python_program_comes_line_by_line_unless_it_says_otherwise(
    stage: Stage, given: dict[str, str], found: str
) -> None:
    await stage.ended(key := await stage.shell('echo "$PYTHONUNBUFFERED"', env=given))
    assert stage.log(key) == f"{found}\n"


async def test_a_job_that_exits_with_0_has_succeeded(stage: Stage) -> None:
    """Its times, exit code and output are told."""
    seen = await stage.ended(key := await stage.shell("echo hello; echo kept > $GREENROOM_OUTPUT_DIR/model"))
    assert (seen.phase, seen.exit_code, seen.error) == (Phase.SUCCEEDED, 0, None)
    assert seen.started_at is not None
    assert seen.completed_at is not None
    assert seen.started_at <= seen.completed_at
    assert seen.output_url == stage.directory(key).output.as_uri()
    assert stage.log(key) == "hello\n"


async def test_a_job_that_fails_says_its_status_and_its_last_words(stage: Stage) -> None:
    seen = await stage.ended(await stage.shell("echo loading; echo 'CUDA is \x1b[31mgone' >&2; exit 3"))
    assert (seen.phase, seen.exit_code, seen.error) == (
        Phase.FAILED,
        3,
        "exit status 3: CUDA is gone",
    )


async def test_the_environment_is_the_submitters_and_ours_and_nothing_of_the_supervisors(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable of the supervisor's own reaches the job: neither its secrets nor its settings."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", "secret")
    key = await stage.submit("env", "-0", inherited_env={"PATH": os.environ["PATH"], "WHO": "ana"}, env={"LR": "0.1"})
    await stage.ended(key)
    directory = stage.directory(key)
    found = dict(line.split("=", 1) for line in stage.log(key).split("\0") if line)
    assert found == {
        "PATH": os.environ["PATH"],
        "WHO": "ana",
        "LR": "0.1",
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "GREENROOM_JOB_ID": f"id-of-{key}",
        "GREENROOM_CORRELATION_ID": "abc123",
        "GREENROOM_OUTPUT_DIR": str(directory.output),
        "GREENROOM_PROGRESS_FILE": str(directory.progress),
        "GREENROOM_RESULT_FILE": str(directory.result),
        "GREENROOM_ATTEMPT": "1",
    }


async def test_the_shim_carries_nothing_of_the_supervisors_either(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives as long as the job, and its environment can be read by every process of this user."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", "secret")
    key = await stage.shell("exec sleep 1000")
    pid = (await stage.started(key))["shim"]
    names = {line.split("=")[0] for line in (await trio.Path(f"/proc/{pid}/environ").read_text()).split("\0") if line}
    assert names <= {"PATH", "LD_LIBRARY_PATH", "LC_CTYPE"}


async def test_bytes_that_are_not_utf8_pass_through_the_environment(stage: Stage) -> None:
    odd = os.fsdecode(b"caf\xe9")
    key = await stage.shell('printf %s "$ODD"', env={"ODD": odd})
    await stage.ended(key)
    assert stage.directory(key).log.read_bytes() == b"caf\xe9"


async def test_without_the_submitters_environment_the_default_names_are_taken(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that the request adds are not: nobody resolved them where the submitter stands."""
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HF_HOME", "/models")
    key = await stage.shell('echo "$HF_HOME-$HF_TOKEN"', inherited_env=None, env_from=("HF_TOKEN",))
    await stage.ended(key)
    assert stage.log(key) == "/models-\n"


async def test_a_job_has_a_session_and_a_folder_of_its_own_and_no_terminal(stage: Stage) -> None:
    script = "pwd; cut -d' ' -f 1,5,6 /proc/$$/stat; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l"
    await stage.ended(key := await stage.shell(script))
    folder, numbers, stdin, descriptors = stage.log(key).splitlines()
    assert folder == str(stage.directory(key).work)
    assert len(set(numbers.split())) == 1, "pid, group and session"
    assert stdin == "/dev/null"
    assert int(descriptors) == 4, "three, and that of the listing"


async def test_signals_are_those_of_a_fresh_process(stage: Stage) -> None:
    """Python ignores SIGPIPE and SIGXFSZ; a job must not inherit that, nor the shim's blocked signals."""
    await stage.ended(key := await stage.submit("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"))
    known = sum(1 << number - 1 for number in signal.valid_signals())  # without those that the C library keeps
    assert [int(line.split()[1], 16) & known for line in stage.log(key).splitlines()] == [0, 0]


async def test_the_kernel_prefers_the_job_when_memory_runs_out(stage: Stage) -> None:
    ours = int(await trio.Path("/proc/self/oom_score_adj").read_text())
    await stage.ended(key := await stage.submit("cat", "/proc/self/oom_score_adj"))
    assert int(stage.log(key)) > ours or ours == 1000


async def test_progress_and_result_are_told(stage: Stage) -> None:
    """Progress while it runs, the last of it and the result at its end."""
    script = """
        echo '{"step": 1}' >> $GREENROOM_PROGRESS_FILE; touch ready
        until [ -e go ]; do sleep 0.01; done
        echo '{"step": 2}' >> $GREENROOM_PROGRESS_FILE; echo '{"loss": 0.5}' > $GREENROOM_RESULT_FILE
    """
    ready = await stage.wrote(key := await stage.shell(script), "ready")
    seen = await stage.observe(key)
    assert (seen.phase, seen.progress, seen.result) == (Phase.RUNNING, {"step": 1}, None)
    ready.with_name("go").touch()
    seen = await stage.ended(key)
    assert (seen.phase, seen.progress, seen.result) == (Phase.SUCCEEDED, {"step": 2}, {"loss": 0.5})


@pytest.mark.parametrize("code", [1, 2, 127, 255])
async def test_exit_codes_are_kept(stage: Stage, code: int) -> None:
    assert (await stage.ended(await stage.shell(f"exit {code}"))).exit_code == code


async def test_the_same_key_again_is_the_same_job(stage: Stage) -> None:
    """Also after its end, and whatever the second submission says."""
    first = await stage.hand_over("twice", "sh", "-c", "echo once >> ../output/runs")
    await stage.ended("twice")
    second = await stage.hand_over("twice", "sh", "-c", "echo again >> ../output/runs")
    assert (first.existed, second.existed) == (False, True)
    assert second.observation is not None
    assert second.observation.phase is Phase.SUCCEEDED
    assert (stage.directory("twice").output / "runs").read_text() == "once\n"


async def test_a_directory_without_a_spec_was_never_submitted(stage: Stage) -> None:
    """Its maker was killed in between: it is absent, and a submission completes it."""
    stage.provider  # noqa: B018 - makes the folders
    stage.directory("half").path.mkdir()
    assert await stage.provider.find("half", "token") is ABSENT
    assert (await stage.hand_over("half", "true")).existed is False
    assert (await stage.ended("half")).phase is Phase.SUCCEEDED


async def test_space_for_the_exit_record_is_taken_before_the_job_starts(stage: Stage) -> None:
    """The record is written into blocks that are on disk already, so a full disk cannot lose it."""
    key = await stage.shell("until [ -e go ]; do sleep 0.01; done")
    reserve = stage.directory(key).path / "exit.new"
    before = reserve.stat()
    assert (before.st_size, before.st_blocks * 512 >= RECORD_SIZE) == (RECORD_SIZE, True)
    (stage.directory(key).work / "go").touch()
    await stage.ended(key)
    after = stage.directory(key).exit.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, RECORD_SIZE)


async def test_a_disk_that_refuses_the_spec_leaves_nothing_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Surely not accepted: the job may be handed over again later."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("actors.providers.local.directory.write_durably", refuse)
    with pytest.raises(Unavailable, match="No space left"):
        await stage.submit("true", key="full")
    assert not stage.directory("full").path.exists()


async def test_a_process_table_that_is_full_leaves_nothing_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("actors.providers.local.shims.spawn", refuse)
    monkeypatch.setattr("actors.providers.local.zygote.Zygote.take", lambda _: None)  # its fork was refused, too
    with pytest.raises(Unavailable, match="no process can be started"):
        await stage.submit("true", key="full")
    assert not stage.directory("full").path.exists()


async def test_a_disk_in_trouble_tells_nothing_of_a_job_and_fails_its_look_only(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process without free descriptors, too: "cannot be read" is never taken for "is gone"."""
    await stage.ended(good := await stage.submit("true"))
    await stage.ended(bad := await stage.submit("true"))

    def refuse(directory: JobDirectory) -> Note:
        if directory.key == bad:
            raise OSError(24, "Too many open files")
        return read_note(directory)

    with monkeypatch.context() as spoilt:
        spoilt.setattr("actors.providers.local.liveness.read_note", refuse)
        view = await stage.provider.observe_many({good: {}, bad: {}, "none": {}})
        assert (set(view.observations), set(view.failed), set(view.absent)) == ({good}, {bad}, {"none"})
        with pytest.raises(ProviderError, match=bad):
            await stage.provider.find(bad, "token")


async def test_all_files_of_a_job_are_private(stage: Stage) -> None:
    """The spec holds the submitter's environment."""
    await stage.ended(key := await stage.submit("true"))
    directory = stage.directory(key)
    assert directory.path.stat().st_mode & 0o077 == 0
    assert json.loads(directory.spec.read_text())["env"]["GREENROOM_JOB_ID"] == f"id-of-{key}"
    assert {path.name for path in directory.path.iterdir() if path.is_file() and path.stat().st_mode & 0o077} == set()


async def test_shims_that_have_ended_are_reaped(stage: Stage) -> None:
    keys = [await stage.submit("true") for _ in range(3)]
    shims = [(await stage.started(key))["shim"] for key in keys]
    for key in keys:
        await stage.ended(key)
    found = await stage.provider.find(keys[0], "token")
    assert isinstance(found, Submitted)
    await stage.until_gone(shims)


async def test_a_later_attempt_finds_its_number_and_what_the_one_before_it_left(stage: Stage) -> None:
    """The variable of another job, inherited from a job that submitted this one, is not taken for its own."""
    inherited = {"PATH": os.environ["PATH"], "GREENROOM_PREVIOUS_OUTPUT_DIR": "/of/another"}
    show = ("sh", "-c", "echo $GREENROOM_ATTEMPT ${GREENROOM_PREVIOUS_OUTPUT_DIR-none}")
    first = await stage.submit(*show, inherited_env=inherited)
    await stage.ended(first)
    request = JobRequest(command=show, inherited_env=inherited)
    context = {"job_id": "j", "correlation_id": "c", "attempt": "3", "previous_key": first}
    await stage.provider.submit("j-3", "token", stage.provider.prepare(request), context)
    await stage.ended("j-3")
    assert stage.log(first) == "1 none\n"
    assert stage.log("j-3") == f"3 {stage.directory(first).output}\n"
