"""Slurm's commands as programs: which are found, what they are given, how long they may take."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

from actors.providers.errors import ProviderError, Unavailable
from actors.providers.slurm import SlurmOptions, SlurmProvider
from actors.providers.slurm.commands import Commands
from tests.providers.local.stage import until


async def test_missing_commands_are_one_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    provider = SlurmProvider(SlurmOptions(path=str(tmp_path)), tmp_path, "cluster")
    with pytest.raises(Unavailable, match=r"^sbatch is not found: set providers\.cluster\.path to where"):
        await provider.check()
    await provider.watch(lambda _key: None)
    assert "Provider cluster cannot be used: sbatch is not found" in caplog.text


@pytest.mark.parametrize(
    ("words", "version"),
    [("slurm 20.02.7", "20.02.7"), ("slurm-wlm 22.05.8", "22.05.8"), ("slurm 25.05.0-rc1", "25.05.0-rc1"),
     ("slurm fork", "unknown"), ("slurm 19.05.3", None), ("slurm 2.6.5", None)],
)  # fmt: skip
async def test_a_slurm_that_is_too_old_is_one_sentence(tmp_path: Path, words: str, version: str | None) -> None:
    for name in ("sbatch", "squeue", "scancel", "scontrol"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {words}\n")
        program.chmod(0o755)
    provider = SlurmProvider(SlurmOptions(path=str(tmp_path)), tmp_path, "cluster")
    if version is not None:
        assert await provider._cluster.version() == version
        return
    with pytest.raises(Unavailable, match=rf"^cluster is {words}: Slurm 20\.02 or newer is needed$"):
        await provider.check()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("yes", "printed more than"),
        ("exec sleep 1000", "did not end within 0.3 s"),
    ],
)
async def test_a_command_is_bounded_in_time_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: str
) -> None:
    monkeypatch.setattr("actors.providers.slurm.commands.MOST_BYTES", 100_000)
    program = tmp_path / "squeue"
    program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    program.chmod(0o755)
    commands = Commands("slurm", SlurmOptions(path=str(tmp_path)))
    with pytest.raises(ProviderError, match=error):
        await commands.run("squeue", seconds=0.3 if "sleep" in script else 30)


async def test_submissions_that_hang_keep_nobody_from_asking(tmp_path: Path) -> None:
    for name, script in (("sbatch", 'echo >> "$0.began"; exec sleep 1000'), ("squeue", "echo yes")):
        (tmp_path / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        (tmp_path / name).chmod(0o755)
    commands = Commands("slurm", SlurmOptions(path=str(tmp_path)))
    began = tmp_path / "sbatch.began"
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(commands.run, "sbatch")
            await until(lambda: began.exists() and len(began.read_text()) >= 4)
            assert (await commands.run("squeue")).out == "yes\n"
            assert len(began.read_text()) == 4  # the others wait
            nursery.cancel_scope.cancel()


async def test_no_variable_of_ours_reaches_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SBATCH_PARTITION", "SQUEUE_FORMAT", "SLURM_CLUSTERS", "SECRET_TOKEN"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SLURM_CONF", "/etc/own.conf")
    program = tmp_path / "squeue"
    program.write_text("#!/usr/bin/env -S /bin/sh\nexec env\n")
    program.chmod(0o755)
    for options, conf in ((SlurmOptions(), "/etc/own.conf"), (SlurmOptions(conf="/srv/slurm.conf"), "/srv/slurm.conf")):
        answer = await Commands("slurm", attrs.evolve(options, path=str(tmp_path))).run("squeue")
        found = dict(entry.split("=", 1) for entry in answer.out.splitlines())
        assert found["SLURM_CONF"] == conf
        assert found["TZ"] == "UTC0"
        assert not {"SBATCH_PARTITION", "SQUEUE_FORMAT", "SLURM_CLUSTERS", "SECRET_TOKEN"} & found.keys()
