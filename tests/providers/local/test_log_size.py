"""A job's output takes a bounded part of the disk: the beginning and the newest part stay, cursors stay valid."""

from __future__ import annotations

import os
import re
from pathlib import Path

import attrs

from actors.providers.local.shim.ending import trim
from tests.providers.local.stage import Stage, until

CAP = 64 * 1024
LINES = "for i in range(60000): print('line', i)"  # about 700 kB


def taken(path: Path) -> int:
    return path.stat().st_blocks * 512


async def read(stage: Stage, key: str, cursor: str | None = None) -> tuple[bytes, str | None]:
    data = b""
    async for chunk in stage.provider.logs(key, {}, cursor):
        data, cursor = data + chunk.data, chunk.cursor
    return data, cursor


async def test_the_middle_of_a_long_output_is_given_back_while_the_job_runs(stage: Stage) -> None:
    """What is read says how much is missing and which setting decides it; reading on from a cursor goes on."""
    stage.options = attrs.evolve(stage.options, log_bytes=CAP)
    program = f"{LINES}\nimport signal, sys\nsys.stdout.flush()\nopen('ready', 'w')\nsignal.pause()"
    key = await stage.submit("python3", "-c", program)
    await stage.wrote(key, "ready")
    log = stage.directory(key).log
    await stage.logged(key, "line 59999\n")
    await until(lambda: taken(log) <= CAP + 8192)
    data, cursor = await read(stage, key)
    assert data.startswith(b"line 0\n")
    assert data.endswith(b"line 59999\n")
    gap = re.search(rb"\n\[(\d+) bytes of output are not kept: providers.local.log_bytes\]\n", data)
    assert gap is not None
    assert b"\0" not in data
    assert len(data) - len(gap[0]) + int(gap[1]) == log.stat().st_size
    assert cursor == str(log.stat().st_size)
    assert await read(stage, key, cursor) == (b"", cursor)


def test_a_file_within_its_allowance_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 60_000)
    with path.open("ab") as file:
        assert trim(file.fileno(), CAP) == 0
    assert path.read_bytes() == b"x" * 60_000


def test_appending_goes_on_after_a_trim_and_each_byte_keeps_its_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    text = b"".join(b"%07d\n" % number for number in range(100_000))
    path.write_bytes(text)
    with path.open("ab") as file:
        end = trim(file.fileno(), CAP)
        file.write(b"later\n")
    assert end > 0
    assert taken(path) <= CAP + 8192
    assert path.stat().st_size == len(text) + 6
    fd = os.open(path, os.O_RDONLY)
    assert os.pread(fd, 8, 800) == b"0000100\n"
    assert os.pread(fd, len(text), end) == text[end:] + b"later\n"
    os.close(fd)
