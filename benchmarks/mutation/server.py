"""Tries one mutant after another, each in a fork of a process that has imported everything and collected the tests.

``server.py PATH...``: of these files and folders; without any, for requests of worlds alone.

A request is a line of JSON on standard input: ``file``, ``number``, ``seconds`` and ``tests`` or ``worlds``; the answer
a line on standard output: ``{"how": who noticed, or null}``, ``{"undecided": why}``, or ``{"import": true}`` where the
mutant needs a process of its own. A test that fails is run once more without the change: if it fails then too, it says
nothing about the mutant, and is not asked again.
"""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import pytest  # noqa: E402 - the path is set above
from patch import CannotPatch, Functions, Imports  # noqa: E402
from places import OPTIONS, ROOT  # noqa: E402
from trial import Finder, limit, selected, violated  # noqa: E402

from tests import left_processes  # noqa: E402

MARK = "PYTEST_RUN_OF_GREENROOM"
"""As in tests/conftest.py: in the environment of what tests start."""

STILL_SECONDS = 60.0
"""A trial that sleeps for so long waits for what never comes, which is noticed too."""


class Server:
    """A plugin of pytest that does not run what was collected, but what is asked for."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._requests, self._answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        self._failed: list[str] = []
        self._unfit: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed."""
        if report.failed:
            self._failed.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Answer with the tests that were collected."""
        self.serve(session.items)
        return True

    def serve(self, items: Sequence[pytest.Item]) -> None:
        """Answer until there are no more requests."""
        functions = self._imports.over(ROOT / "actors")
        for line in self._requests:
            print(json.dumps(self._answer(items, functions, json.loads(line))), file=self._answers, flush=True)

    def _answer(self, items: Sequence[pytest.Item], functions: Functions, request: dict[str, Any]) -> dict[str, Any]:
        seconds = request["seconds"]
        while True:
            fit = {**request, "tests": [one for one in request.get("tests", ()) if one not in self._unfit]}
            answer = forked(functools.partial(self._tried, items, functions, fit), seconds)
            test = answer.get("test")
            if test is None or forked(functools.partial(self._ran, items, [test]), seconds) == {"how": None}:
                return answer
            self._unfit.add(test)

    def _tried(self, items: Sequence[pytest.Item], functions: Functions, request: dict[str, Any]) -> dict[str, Any]:
        module = Finder(request["file"], request["number"])
        try:
            if module.name in sys.modules:
                functions.change(request["file"], request["number"])
            else:
                sys.meta_path.insert(0, module)
        except CannotPatch:
            return {"import": True}
        if "worlds" in request:
            return {"how": violated(request["worlds"])}
        return self._ran(items, request["tests"])

    def _ran(self, items: Sequence[pytest.Item], tests: list[str]) -> dict[str, Any]:
        """Run these tests until one fails."""
        mark = os.environ[MARK] = uuid.uuid4().hex
        chosen = selected(items, tests)
        for item, following in zip(chosen, [*chosen[1:], None], strict=True):
            limit()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                break
        left_processes.end(left_processes.left_by([f"{MARK}={mark}".encode()]))
        return {"how": f"FAILED {self._failed[0]}", "test": self._failed[0]} if self._failed else {"how": None}


def forked(work: Callable[[], dict[str, Any]], seconds: float) -> dict[str, Any]:
    """What ``work`` answers in a process of its own, which is ended when that takes too long."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            os.setpgid(0, 0)
            answer = json.dumps(work())
        except BaseException as failure:  # whatever a changed program raises
            answer = json.dumps({"how": f"ERROR {type(failure).__name__}: {failure}"[:160]})
        try:
            os.write(writing, answer.encode())
        finally:
            os._exit(0)
    os.close(writing)
    undecided = _watch(pid, reading, time.monotonic() + seconds)
    answer_text = b"" if undecided else os.read(reading, 65536)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if undecided:
        return undecided
    return (
        json.loads(answer_text)
        if answer_text
        else {"how": "ERROR " + ("does not end" if status == signal.SIGXCPU else f"ended with status {status}")}
    )


def _watch(pid: int, reading: int, end: float) -> dict[str, Any] | None:
    """Wait until it answers or has ended. What it did otherwise, in which case it is ended here."""
    used, moved = -1.0, time.monotonic()
    while not select.select([reading], [], [], 1.0)[0]:
        state, spent = _state(pid)
        if spent != used or state == "R":
            used, moved = spent, time.monotonic()
        if time.monotonic() - moved > STILL_SECONDS or time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            if time.monotonic() > end:
                return {"undecided": "no end in time"}
            return {"how": f"ERROR waits for ever, after {used:g} s"}
    return None


def _state(pid: int) -> tuple[str, float]:
    """Whether a process runs (``R``), and the processor time that it has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    imports = Imports()
    import actors.simulation  # noqa: F401 - so that no fork imports it

    if not sys.argv[1:]:
        Server(imports).serve(())
        sys.exit()
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is removed when others start often
        pytest.main([*OPTIONS, f"--basetemp={folder}/tests", *sys.argv[1:]], plugins=[Server(imports)])
