"""Kill a supervisor at every system call by which it changes its state directory, and see that the next one recovers.

    python -m tests.kills.sweep                       # SIGKILL at each
    python -m tests.kills.sweep --fault EIO           # each fails, once, and the supervisor goes on or ends
    python -m tests.kills.sweep --fault ENOSPC --lasting    # and all that follow within three seconds
    python -m tests.kills.sweep --fault EIO --calls fsync,fdatasync
    python -m tests.kills.sweep --every 40 --first 7  # some of them

The n-th run stops at the n-th call that *it* makes, counted over all of its threads. It is made on a fresh directory;
then a supervisor runs undisturbed on what was left, and every promise of :mod:`tests.kills.sweep_run` is looked at.
Ends with a table by system call and file, and with status 1 where a promise was broken: what was left is kept then.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import trio

from tests.kills.stage import Stage
from tests.kills.sweep_run import Place, broken_promises, supervise
from tests.kills.sweep_tracer import KILL, Call, Ended, Tracer, code, untraced

ROOT = Path(__file__).parents[2]
LASTS = 3.0  # seconds of a lasting fault; then the disk is well again
MISSES = 4  # runs differ by some calls: one that made fewer is not yet the end
PATIENCE = 60.0  # seconds for one supervisor; only one that hangs takes so long

_KINDS = [  # what a path in the state directory is, for the table
    (re.compile(r"^$"), "another process"),
    (re.compile(r"providers/[^/]+/jobs/[^/]+(/(work|output))?$"), "a job's folders"),
    (re.compile(r"providers/[^/]+/jobs/[^/]+/(.*?)(\.[0-9a-f]{8}\.tmp)?$"), "a job's files"),
]


@attrs.frozen
class Point:
    """What one run showed. ``broken`` is empty where everything held; ``where`` was kept then."""

    call: Call
    ended: Ended
    broken: tuple[str, ...] = ()
    where: str = ""


def kind_of(path: str) -> str:
    """The file that a path stands for, without the names that differ from run to run."""
    return next((kind for pattern, kind in _KINDS if pattern.search(path)), path)


@attrs.frozen
class Fault:
    """``what`` as the tracer takes it; ``lasting``: it meets what follows, too, for some seconds.

    ``calls``: the only ones that are met, and counted; empty for all.
    """

    what: int = KILL
    lasting: bool = False
    calls: frozenset[str] = frozenset()

    @classmethod
    def named(cls, name: str, *, lasting: bool = False, calls: str = "") -> Fault:
        return cls(KILL if name == "KILL" else code(name), lasting, frozenset(calls.split(",")) - {""})


def probe(number: int, fault: Fault, scratch: Path) -> Point | None:
    """Disturb the call of that number, recover, and look. None: the run made fewer calls."""
    place = Place(Path(tempfile.mkdtemp(prefix=f"sweep-{number}-", dir=scratch)))
    hit: list[Call] = []
    counted, ends = 0, math.inf

    def decide(call: Call) -> int:
        nonlocal counted, ends
        if fault.calls and call.name not in fault.calls:
            return 0
        counted += 1
        if counted == number:
            hit.append(call)
            ends = time.monotonic() + LASTS
            return fault.what
        met = fault.lasting and counted > number and call.path and time.monotonic() < ends
        return fault.what if met else 0

    ended = Tracer(place.state_dir, decide).run(lambda: _heard(place, "disturbed"), PATIENCE)
    if not hit:
        shutil.rmtree(place.path)
        return None
    broken = tuple(_after(place, ended, fault))
    if broken:
        trio.run(Stage(place.path).clean_up)
    else:
        shutil.rmtree(place.path)
    return Point(hit[0], ended, broken, str(place.path) if broken else "")


def _after(place: Place, ended: Ended, fault: Fault) -> Iterator[str]:
    if ended.hung:
        yield "a supervisor that cannot go on ends: it hung"
    if fault.what == KILL and ended.status != -9:
        yield f"it was to be killed: status {ended.status}"
    recovered = untraced(lambda: _heard(place, "recovering"), PATIENCE)
    if recovered.status:
        yield f"the next supervisor recovers: {'it hung' if recovered.hung else f'status {recovered.status}'}"
        return
    verdict = place.path / "verdict"
    judged = untraced(lambda: _judge(place, verdict), PATIENCE)
    yield from json.loads(verdict.read_text()) if judged.status == 0 else ["the rows can be read"]


def _heard(place: Place, name: str) -> None:
    """Run a supervisor whose standard error goes to a file."""
    descriptor = os.open(place.path / f"{name}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 2)
    supervise(place)


def _judge(place: Place, verdict: Path) -> None:
    verdict.write_text(json.dumps(trio.run(broken_promises, place)))


def sweep(first: int, every: int, fault: Fault, scratch: Path, until: float) -> Iterator[Point]:
    """One point after another, until runs make no more calls, ``MISSES`` in a row, or the time (monotonic) has come."""
    number, missed = first, 0
    while time.monotonic() < until and missed < MISSES:
        point = probe(number, fault, scratch)
        missed = missed + 1 if point is None else 0
        if point is not None:
            yield point
        number += every


def calls_of_a_clean_run(scratch: Path) -> list[Call]:
    """All calls of a run that nothing disturbs, in their order."""
    place = Place(Path(tempfile.mkdtemp(prefix="sweep-clean-", dir=scratch)))
    calls: list[Call] = []

    def note(call: Call) -> int:
        calls.append(call)
        return 0

    ended = Tracer(place.state_dir, note).run(lambda: _heard(place, "clean"), PATIENCE)
    assert ended.status == 0, f"see {place.path}"
    shutil.rmtree(place.path)
    return calls


def table(points: list[Point]) -> str:
    """By file and system call: how many points, after how many of them everything held."""
    total = Counter((kind_of(one.call.path), one.call.name) for one in points)
    held = Counter((kind_of(one.call.path), one.call.name) for one in points if not one.broken)
    rows = [f"| {path} | `{name}` | {total[path, name]} | {held[path, name]} |" for path, name in sorted(total)]
    rows.append(f"| all | | {total.total()} | {held.total()} |")
    return "\n".join(["| file | system call | points | recovered |", "|---|---|---|---|", *rows])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kills.sweep")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fault", default="KILL", help="KILL, or the name of an error such as EIO or ENOSPC")
    parser.add_argument("--lasting", action="store_true", help="what follows fails, too, for three seconds")
    parser.add_argument("--calls", default="", help="these system calls alone, such as fsync,fdatasync")
    parser.add_argument("--seconds", type=float, default=86_400.0, help="begin no point after this time")
    parser.add_argument("--scratch", type=Path, default=None, help="where the state directories are made")
    parser.add_argument("--lines", action="store_true", help="print a JSON line for each point instead of a table")
    return parser.parse_args()


def _shared(arguments: argparse.Namespace) -> Iterator[Point]:
    """The points of several processes: each takes every so many-th."""
    workers = arguments.workers
    same = ["--lines", "--every", str(arguments.every * workers), "--fault", arguments.fault]
    same += ["--seconds", str(arguments.seconds), *(["--lasting"] if arguments.lasting else [])]
    same += ["--calls", arguments.calls] if arguments.calls else []
    same += ["--scratch", str(arguments.scratch)] if arguments.scratch else []
    command = [sys.executable, "-m", "tests.kills.sweep", *same, "--first"]
    processes = [
        subprocess.Popen([*command, str(first)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for first in range(arguments.first, arguments.first + workers * arguments.every, arguments.every)
    ]
    for process in processes:
        assert process.stdout is not None
        for line in process.stdout:
            call, ended, broken, where = json.loads(line)
            yield Point(Call(*call), Ended(*ended), tuple(broken), where)
        assert process.wait() in (0, 1)


def main() -> int:
    """Sweep as the arguments say; 1 where a promise was broken."""
    arguments = _arguments()
    scratch = arguments.scratch or Path(tempfile.gettempdir())
    fault = Fault.named(arguments.fault, lasting=arguments.lasting, calls=arguments.calls)
    until = time.monotonic() + arguments.seconds
    if arguments.workers > 1:
        found = _shared(arguments)
    else:
        found = sweep(arguments.first, arguments.every, fault, scratch, until)
    points = []
    for point in found:
        points.append(point)
        if arguments.lines:
            print(json.dumps([point.call, point.ended, point.broken, point.where]), flush=True)
        elif point.broken:
            print(f"{point.call} {point.ended}: {'; '.join(point.broken)} (kept: {point.where})", flush=True)
    if not arguments.lines:
        print(table(points))
        ends = Counter(one.ended.status for one in points)
        print(f"{len(points)} points; ends of the disturbed supervisors by status: {dict(ends)}")
    return int(any(point.broken for point in points))


if __name__ == "__main__":
    sys.exit(main())
