"""Where the last lines of an output begin, and where what came since a time does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.providers.local.directory import JobDirectory
from actors.providers.local.log_places import log_place
from actors.providers.local.shim.ending import trim
from actors.providers.local.shim.log_pipe import ArrivalTimes
from tests.providers.local.stage import Stage

EPOCH = 1_000_000.0
Written = Callable[..., JobDirectory]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A job's directory with this output, and these times of it."""

    def write(log: bytes, times: bytes | None = None, changed: float = EPOCH + 1000) -> JobDirectory:
        directory = JobDirectory.of(tmp_path, "job")
        directory.path.mkdir(exist_ok=True)
        directory.log.write_bytes(log)
        os.utime(directory.log, (changed, changed))
        if times is not None:
            directory.log_times.write_bytes(times)
        return directory

    return write


def since(directory: JobDirectory, seconds: float) -> int | None:
    return log_place(directory, None, datetime.fromtimestamp(EPOCH + seconds, UTC))


@given(
    text=st.lists(st.sampled_from([b"\n", b"a", b"bc\n", b"\n\n"]), max_size=12).map(b"".join), lines=st.integers(0, 9)
)
def test_the_last_lines_are_those_of_a_text(tmp_path_factory: pytest.TempPathFactory, text: bytes, lines: int) -> None:
    directory = JobDirectory.of(tmp_path_factory.mktemp("jobs"), "job")
    directory.path.mkdir()
    directory.log.write_bytes(text)
    place = log_place(directory, lines, None)
    assert place is not None
    assert text[place:] == b"".join(text.splitlines(keepends=True)[-lines:] if lines else [])


def test_they_are_found_in_a_long_output_from_its_end(written: Written) -> None:
    text = b"".join(b"line %07d\n" % number for number in range(100_000))
    directory = written(text)
    for lines in (1, 5, 6000, 99_999, 100_000, 200_000):
        place = log_place(directory, lines, None)
        assert text[place:] == b"".join(text.splitlines(keepends=True)[-lines:])


def test_they_end_at_what_was_given_back_to_the_disk(tmp_path: Path) -> None:
    directory = JobDirectory.of(tmp_path, "job")
    directory.path.mkdir()
    text = b"".join(b"%07d\n" % number for number in range(400_000))
    with directory.log.open("wb") as file:
        file.write(text)
        file.flush()
        end = trim(file.fileno(), 1 << 20)
    assert end > 0
    assert log_place(directory, 400_000, None) == end
    assert log_place(directory, 3, None) == len(text) - 24


TIMES = b"1000000.000 0\n1000010.000 8\n1000020.500 16\n"
TEXT = b"first..\nsecond.\nthird..\nfourth.\n"


@pytest.mark.parametrize(
    ("seconds", "place"), [(-5, 0), (0, 0), (9.9, 0), (10, 8), (15, 8), (20.5, 16), (900, 16), (1001, len(TEXT))]
)
def test_since_a_time_is_the_last_place_before_which_all_came_before_it(
    written: Written, seconds: float, place: int
) -> None:
    """Nothing that came since then is left out; what came just before it may be among it."""
    assert since(written(TEXT, TIMES), seconds) == place


def test_it_is_moved_back_to_the_beginning_of_a_line(written: Written) -> None:
    assert since(written(TEXT, b"1000000.000 0\n1000010.000 11\n"), 12) == 8
    assert since(written(b"x" * 9000, b"1000000.000 8000\n"), 12) == 8000  # no line so long


@pytest.mark.parametrize(
    "times",
    [
        b"1000010.000 8\nnonsense\n1000020.000 16\n", b"1000010.000 8\n1 16\n", b"1000010.000 8\nnan 99\ninf 99\n",
        b"1000010.000 8\n1000011.000 4\n", b"1000010.000 8\n1000011.000 -4\n1000012.0",
        b"1000010.000 8 \xff\n1000010.000 8\n",
    ],
)  # fmt: skip
def test_what_makes_no_sense_in_the_times_is_left_out(written: Written, times: bytes) -> None:
    """The job may write there."""
    assert since(written(TEXT, times), 12) == 8


def test_a_place_beyond_the_output_is_its_end(written: Written) -> None:
    assert since(written(TEXT, b"1000000.000 99999\n"), 12) == len(TEXT)


def test_without_times_it_is_not_known(written: Written, tmp_path: Path) -> None:
    directory = written(TEXT)
    assert since(directory, 12) is None
    assert since(directory, 1001) == len(TEXT)  # the file itself says that nothing came since
    directory.log_times.mkdir()
    assert since(directory, 12) is None
    assert log_place(JobDirectory.of(tmp_path, "none"), 3, None) == 0


def test_of_lines_and_time_the_later_place_counts(written: Written) -> None:
    directory = written(TEXT, TIMES)
    moment = datetime.fromtimestamp(EPOCH + 10, UTC)
    assert (log_place(directory, 1, moment), log_place(directory, 4, moment)) == (24, 8)


def test_times_are_written_once_a_second_and_more_seldom_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: EPOCH + now[0])
    with (tmp_path / "times").open("wb") as times, (tmp_path / "log").open("wb", buffering=0) as log:
        arrivals = ArrivalTimes(times.fileno())
        counts = []
        for _ in range(20):  # a line each half second, ten thousand seconds later less often
            arrivals.note(log.fileno())
            log.write(b"line\n")
            now[0] += 0.5
        counts.append(len((tmp_path / "times").read_bytes().splitlines()))
        now[0] += 30_000
        for _ in range(200):
            arrivals.note(log.fileno())
            now[0] += 0.5
        counts.append(len((tmp_path / "times").read_bytes().splitlines()) - counts[0])
    assert counts == [10, 4]
    assert (tmp_path / "times").read_bytes().startswith(b"1000000.000 0\n1000001.000 10\n")


async def test_of_a_job_the_last_lines_and_those_since_a_time_are_found(stage: Stage) -> None:
    """The drainer writes the times, the job's own first line among them."""
    script = "echo one; touch ready; until [ -e go ]; do sleep 0.01; done; echo two; echo three"
    ready = await stage.wrote(key := await stage.shell(script), "ready")
    await stage.logged(key, "one\n")
    ready.with_name("go").touch()
    await stage.ended(key)

    async def place(lines: int | None = None, moment: float | None = None) -> str | None:
        when = None if moment is None else datetime.fromtimestamp(moment, UTC)
        return await stage.provider.log_cursor(key, {}, lines=lines, since=when)

    assert (await place(1), await place(2), await place(9)) == ("8", "4", "0")
    began = float(stage.directory(key).log_times.read_bytes().split()[0])
    assert await place(moment=began - 10) == "0"
    assert await place(moment=began + 1e6) == "14"


async def test_what_a_job_puts_in_their_place_changes_only_what_is_known(stage: Stage) -> None:
    script = "rm -f ../log.times; ln -s /etc/passwd ../log.times; echo one"
    await stage.ended(key := await stage.shell(script))
    moment = datetime.fromtimestamp(0, UTC)
    assert await stage.provider.log_cursor(key, {}, lines=None, since=moment) is None
    assert await stage.provider.log_cursor(key, {}, lines=1, since=None) == "0"
