"""A program that cannot be run ends its job at once, with the reason in words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.jobs.records import Phase
from actors.providers.local.end_messages import end_message, failure_message
from tests.providers.local.stage import Stage


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    path = folder / "program"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


async def test_a_missing_program_is_named(stage: Stage) -> None:
    seen = await stage.ended(await stage.submit("no-such-program", "--fast"))
    assert (seen.phase, seen.exit_code) == (Phase.FAILED, 127)
    assert seen.error == "program not found: no-such-program (not in the job's PATH)"


async def test_a_missing_path_is_named(stage: Stage) -> None:
    seen = await stage.ended(await stage.submit("./train.sh"))
    assert seen.error == "program not found: ./train.sh"


async def test_a_program_that_is_not_executable_says_so(stage: Stage, tmp_path: Path) -> None:
    program = script(tmp_path, "#!/bin/sh\n", mode=0o644)
    seen = await stage.ended(await stage.submit(program))
    assert seen.error == f"program {program} is not executable (chmod +x, or name its interpreter)"


@pytest.mark.parametrize("first", ["#!/bin/sh", "#!/bin/sh -e", "#!/usr/bin/env python3"])
async def test_a_script_with_windows_line_ends_says_so(stage: Stage, tmp_path: Path, first: str) -> None:
    """The kernel looks for an interpreter of that name with a carriage return; ``env`` for such a program."""
    program = tmp_path / "train"
    program.write_bytes(f"{first}\r\necho hello\r\n".encode())
    program.chmod(0o755)
    seen = await stage.ended(await stage.submit(str(program)))
    assert seen.phase is Phase.FAILED
    assert "Windows line ends (CRLF)" in (seen.error or "")


@pytest.mark.parametrize(("before", "says"), [(["sh"], True), (["/bin/sh", "-e"], True), (["python3"], False)])
async def test_a_script_that_a_shell_is_given_says_so_too(
    stage: Stage, tmp_path: Path, before: list[str], says: bool
) -> None:
    """Another interpreter does not mind: its script fails for another reason."""
    (tmp_path / "train").write_bytes(b"if true; then\r\nfalse\r\nfi\r\n")
    seen = await stage.ended(await stage.submit(*before, "train", cwd=str(tmp_path)))
    assert seen.phase is Phase.FAILED
    assert ("Windows line ends (CRLF)" in (seen.error or "")) is says


async def test_a_program_that_is_a_pipe_is_no_program(stage: Stage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o755)
    seen = await stage.ended(await stage.submit(str(tmp_path / "pipe")))
    assert seen.phase is Phase.FAILED
    assert "is not executable" in (seen.error or "")


async def test_a_missing_interpreter_is_named(stage: Stage, tmp_path: Path) -> None:
    program = script(tmp_path, "#!/usr/bin/python7 -E\n")
    seen = await stage.ended(await stage.submit(program))
    assert seen.error == f"program {program}: the interpreter /usr/bin/python7 named in its first line does not exist"


async def test_a_file_that_is_no_program_says_so(stage: Stage, tmp_path: Path) -> None:
    program = script(tmp_path, "print('no first line')\n")
    seen = await stage.ended(await stage.submit(program))
    assert seen.error == f"program {program} is not a program of this machine (no #! line, or another architecture)"


async def test_a_missing_working_directory_is_named(stage: Stage, tmp_path: Path) -> None:
    seen = await stage.ended(await stage.submit("true", cwd=str(tmp_path / "gone")))
    assert seen.error == f"the working directory {tmp_path / 'gone'} cannot be used: no such file or directory"


async def test_arguments_that_are_too_long_say_so(stage: Stage) -> None:
    seen = await stage.ended(await stage.submit("true", "x" * 200_000))
    assert seen.error is not None
    assert seen.error.endswith("could not be run: argument list too long")


async def test_a_job_that_writes_past_its_limit_fails_by_its_own_signal(stage: Stage) -> None:
    """As with a full disk, what the job's own writing did to it is the job's failure; the shim records it."""
    seen = await stage.ended(await stage.shell("ulimit -f 1; exec dd if=/dev/zero of=big bs=4096 count=9 2> /dev/null"))
    assert (seen.phase, seen.signal, seen.error) == (Phase.FAILED, 25, "killed by signal 25 (SIGXFSZ)")


LIKELY = "out of memory, most likely (the kernel ended processes because memory ran out while it ran)"


def counts(group: int | None, machine: int) -> dict[str, int | None]:
    return {"group": group, "machine": machine}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            {"signal": 9, "oom_kills": [counts(1, 5), counts(2, 6)]},
            "killed by signal 9 (SIGKILL): out of memory (the kernel ended it: its control group had none left)",
        ),
        (
            {"signal": 9, "oom_kills": [counts(None, 5), counts(None, 6)]},
            f"killed by signal 9 (SIGKILL): {LIKELY}",
        ),
        (
            {"signal": 9, "oom_kills": [counts(3, 5), counts(3, 5)]},
            "killed by signal 9 (SIGKILL), not by its supervisor; no sign that memory ran out",
        ),
        (
            {"signal": 9, "killed_after_grace": True, "oom_kills": [counts(0, 0), counts(1, 1)]},
            "killed by signal 9 (SIGKILL) after the grace time",
        ),
        (
            {"code": 1, "oom_kills": [counts(0, 0), counts(1, 1)]},
            "exit status 1 after the kernel ended a process of its control group because memory ran out: last words",
        ),
        (
            {"signal": 15, "told_to_stop": True},
            "killed by signal 15 (SIGTERM): its shim was asked to stop (SIGTERM), but nobody requested a cancel",
        ),
        ({"signal": 11}, "killed by signal 11 (SIGSEGV): last words"),
        ({"signal": 36}, "killed by signal 36 (SIGRTMIN+2): last words"),
    ],
)
def test_every_death_has_its_words(record: dict[str, object], words: str) -> None:
    """Out of memory is said only with evidence: the kernel's own counts, before and after."""
    assert end_message({"code": None, "signal": None, **record}, "last words") == words


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ({"stage": "record", "errno": 28}, "the program could not be started: no space left on device"),
        ({"stage": "start", "errno": None, "reason": "it broke"}, "the program could not be started: it broke"),
        ({"stage": "exec", "errno": 13}, "program train could not be run: permission denied"),
    ],
)
def test_every_failure_to_start_has_its_words(failure: dict[str, object], words: str) -> None:
    assert failure_message({"failure": failure}, ["train"], "/w") == words
