"""`python -m logconf trace`: which lines, in which order, how shown."""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from logconf.trace import command
from logconf.trace.command import Timeline, main
from logconf.trace.reading import LONGEST_LINE, Search, TraceLine, follow_file, search_files, with_rotated

Capture = pytest.CaptureFixture[str]


def line(second: float, message: str, correlation_id: str = "abc", level: str = "INFO", **fields: Any) -> bytes:
    record = {
        "timestamp": f"2024-01-15T10:{int(second) // 60:02d}:{second % 60:06.3f}Z",
        "level": level,
        "logger": "actors.poller",
        "message": message,
        "correlation_id": correlation_id,
        "source": {"file": "x.py", "line": 1, "function": "f"},
        "extra": {},
        **fields,
    }
    return json.dumps(record).encode() + b"\n"


def found(*names: Path, **wanted: Any) -> list[str]:
    search = Search(**wanted)
    return [one.fields["message"] for one in search_files(search, map(str, names))]


def test_lines_of_one_id_from_several_files_in_order_of_time(tmp_path: Path) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_bytes(line(1, "a") + line(3, "c") + line(4, "other", "xyz"))
    two.write_bytes(line(2, "b") + line(5, "d"))
    assert found(one, two, correlation_id="abc") == ["a", "b", "c", "d"]


def test_rotated_and_gzipped_files_are_read_too_once_and_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "cloud.log"
    path.write_bytes(line(9, "now"))
    (tmp_path / "cloud.log.1").write_bytes(line(8, "1"))
    (tmp_path / "cloud.log.2.gz").write_bytes(gzip.compress(line(7, "2")))
    (tmp_path / "cloud.log.10").write_bytes(line(5, "10"))
    (tmp_path / "cloud.log-20240114.gz").write_bytes(gzip.compress(line(3, "dated")))
    (tmp_path / "cloud.log.bak").write_bytes(line(1, "not a rotated one"))
    (tmp_path / "cloud.log2").write_bytes(line(1, "another log"))
    assert found(path, correlation_id="abc") == ["dated", "10", "2", "1", "now"]
    assert found(*with_rotated(path), correlation_id="abc") == ["dated", "10", "2", "1", "now"]


def test_by_job_level_and_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(
        line(1, "a", extra={"job_id": "j1"})
        + line(2, "b", "other", extra={"job_id": "j1"}, level="ERROR")
        + line(3, "c", extra={"job_id": "j2", "note": "j1"})
        + line(4, "d", extra={"job_id": "j1"}, level="WARNING")
    )
    assert found(path, job_id="j1") == ["a", "b", "d"]
    assert found(path, job_id="j1", least_level=30) == ["b", "d"]
    assert found(path, job_id="j1", since="2024-01-15T10:00:03.000Z") == ["d"]
    assert found(path, correlation_id="abc", job_id="j2") == ["c"]


def test_broken_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    huge = b'{"correlation_id": "abc", "message": "' + b"x" * (3 * LONGEST_LINE) + b'"}\n'
    path.write_bytes(b"stray text\n\n{abc}\n" + huge + line(1, "good") + b'["abc"]\n' + b'{"torn": "abc')
    search = Search(correlation_id="abc")
    assert [one.fields["message"] for one in search_files(search, [str(path)])] == ["good"]
    assert search.broken == 5


def test_files_that_cannot_be_read_are_told(tmp_path: Path, capsys: Capture) -> None:
    good = tmp_path / "good"
    good.write_bytes(line(1, "x"))
    (tmp_path / "bad.gz").write_bytes(b"no gzip")
    cut = gzip.compress(b"".join(line(n, "y" * 1000) for n in range(50)))
    (tmp_path / "cut.gz").write_bytes(cut[: len(cut) // 2])
    names = [str(tmp_path / name) for name in ("missing", "bad.gz", "cut.gz", "good")]
    assert main(["abc", *names]) == 0
    told = capsys.readouterr().err
    assert all(name in told for name in ("missing", "bad.gz", "cut.gz"))


def test_a_large_log_is_searched_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        for number in range(60_000):  # some 15 MB
            file.write(line(number % 3600, "m", "abc" if number % 3 == 0 else "xyz"))
    tracemalloc.start()
    count = sum(1 for _ in search_files(Search(correlation_id="abc"), [str(path)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 1_000_000


def test_following_sees_what_is_appended_and_survives_rotation_and_truncation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(1, "there"))
    (tmp_path / "log.1").write_bytes(line(0, "rotated before"))

    def append(data: bytes) -> Callable[[], object]:
        def act() -> None:
            with path.open("ab") as file:
                file.write(data)

        return act

    def rotate() -> None:
        path.rename(tmp_path / "log.2")
        path.write_bytes(line(4, "after rotation"))

    whole = line(3, "in two pieces")
    steps = [
        append(line(2, "appended") + line(2, "not ours", "xyz")),
        append(whole[:20]),
        append(whole[20:]),
        rotate,
        lambda: path.write_bytes(b""),
        append(line(5, "after truncation")),
    ]
    follow = follow_file(Search(correlation_id="abc"), path, lambda: steps.pop(0)())
    assert [one.fields["message"] for one in islice(follow, 6)] == [
        "rotated before", "there", "appended", "in two pieces", "after rotation", "after truncation",
    ]  # fmt: skip


def test_following_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "log"
    follow = follow_file(Search(correlation_id="abc"), path, lambda: path.write_bytes(line(1, "came")))
    assert next(follow).fields["message"] == "came"


def shown(*lines: bytes, **options: Any) -> list[str]:
    timeline = Timeline(**{"colour": False, **options})
    texts = []
    for raw in lines:
        fields = json.loads(raw)
        texts.append(timeline.show(TraceLine(fields["timestamp"], fields, raw)))
    return "\n".join(texts).split("\n")


def test_times_are_relative_and_gaps_marked() -> None:
    first, second, gap, third = shown(line(1, "a"), line(1.5, "b"), line(700, "c"))
    assert "+0.000" in first
    assert "+0.500" in second
    assert gap.strip() == "··· 12 min ···"
    assert "+699.000" in third


def test_a_clock_that_was_put_back_makes_no_negative_time() -> None:
    lines = shown(line(100, "before"), line(99, "after"), line(101, "later"))
    assert [text.split()[1] for text in lines] == ["+0.000", "+0.000", "+1.000"]


def test_exceptions_are_folded_to_their_last_line() -> None:
    failed = line(1, "failed", exception="Traceback (most recent call last):\n  File x\nValueError: no")
    assert shown(failed)[1].strip() == "└ ValueError: no (3 lines, --full shows them)"
    assert [text.strip() for text in shown(failed, full=True)[1:]] == [
        "│ Traceback (most recent call last):", "│   File x", "│ ValueError: no",
    ]  # fmt: skip


def test_one_colour_an_actor_and_no_control_characters() -> None:
    by_actor = [line(1, "\x1b[2Jx\ny", extra={"actor": name, "k": "\x07"}) for name in ("poller", "expiry", "poller")]
    one, two, three = shown(*by_actor, colour=True)
    colours = [text.split("actors.poller")[0].rsplit("\x1b[", 1)[1] for text in (one, two, three)]
    assert colours[0] == colours[2]
    assert "\x1b[2J" not in one
    assert "\x07" not in one


def test_odd_lines_are_shown_too() -> None:
    odd = json.dumps({"timestamp": "yesterday", "level": 5, "extra": [], "correlation_id": "abc"}).encode()
    assert shown(odd)[0].startswith("yesterday")


def test_the_command_prints_a_timeline_or_the_lines(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(1, "a", extra={"job_id": "j"}) + b"broken\n")
    assert main(["abc", str(path)]) == 0
    output = capsys.readouterr()
    assert "a" in output.out
    assert "job_id=j" in output.out
    assert output.err == "1 broken lines skipped\n"
    assert main(["--job", "j", "--json", str(path)]) == 0
    assert capsys.readouterr().out.encode() == line(1, "a", extra={"job_id": "j"})
    assert main(["nobody", str(path)]) == 1


def test_an_id_may_begin_with_a_dash(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(1, "found").replace(b'"abc"', b'"-abc"'))
    assert main(["--json", "--", "-abc", str(path)]) == 0
    assert '"found"' in capsys.readouterr().out


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for words in (["abc"], ["abc", "-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line(1, "piped"))))
        assert main(words) == 0
        assert "piped" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [[], ["abc", "--since", "later"], ["abc", "--follow"], ["abc", "a", "b", "--follow"], ["abc", "--level", "x"]],
)
def test_wrong_usage_is_status_2(words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2024-01-15T10:30", "2024-01-15T10:30:00.000Z"),
        ("2024-01-15T10:30:00.5+02:00", "2024-01-15T08:30:00.500Z"),
        ("2024-01-15", "2024-01-15T00:00:00.000Z"),
    ],
)
def test_since_is_a_time(given: str, meant: str) -> None:
    assert command._since(given) == meant


def test_since_is_an_age() -> None:
    ages = ("2w", "1d12h", "2h", "1.5h", "89m", "30s", "20", "0s")
    times = [command._since(age) for age in ages]
    assert times == sorted(times)
    assert command._gap("2m") == 120
    for wrong in ("1h90", "15min", "", "-5s"):
        with pytest.raises(argparse.ArgumentTypeError):
            command._gap(wrong)


def test_following_ends_quietly_on_interrupt(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(1, "a"))

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("logconf.trace.reading.time.sleep", interrupt)
    assert main(["abc", "--follow", str(path)]) == 0
    assert "a" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "status"), [([], 2), (["nonsense"], 2), (["--help"], 0)])
def test_the_module_names_its_command(
    words: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from logconf.__main__ import main as module_main

    monkeypatch.setattr(sys, "argv", ["logconf", *words])
    assert module_main() == status
    output = capsys.readouterr()
    assert "python -m logconf trace" in output.out + output.err
