"""Every process of a job is asked to end once, by SIGTERM, whenever it is found: a rank may save its state."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import attrs
import pytest

from actors.jobs.records import Phase
from actors.providers.local.shim import process_tree
from actors.providers.local.shim.process_tree import TermOnce
from tests.providers.local.stage import Stage

RANK = """
import os, signal, sys, time
asked = 0
def ask(*_):
    global asked
    asked += 1
    with open("asked-" + sys.argv[1], "a") as file:
        file.write("asked\\n")
signal.signal(signal.SIGTERM, ask)
open("ready-" + sys.argv[1], "w").close()
until = time.monotonic() + 60
while time.monotonic() < until and not (asked and sys.argv[2] == "ends"):
    signal.sigtimedwait([], 0.02)  # a wait in a child process
"""
LAUNCH = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', sys.argv[1], *sys.argv[2:]], start_new_session=True).wait()
"""
DEEP = """
import os, subprocess, sys
subprocess.Popen([sys.executable, '-c', sys.argv[1], 'outer', 'ends'], start_new_session=True)
inner = [sys.executable, '-c', sys.argv[2], sys.argv[1], 'inner', 'ends']
subprocess.Popen(inner, start_new_session=True).wait()
"""


def asked(stage: Stage, key: str, name: str) -> int:
    path = stage.directory(key).work / f"asked-{name}"
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """With a grace time that ends no test by itself, unless it is meant to."""
    stage.options = attrs.evolve(stage.options, grace_seconds=20)
    return stage


@pytest.mark.parametrize("by", ["cancel", "max_runtime"])
async def test_a_rank_in_a_session_of_its_own_is_asked(stage: Stage, by: str) -> None:
    """Its launcher dies of SIGTERM at once; the rank, a grandchild of the shim, has its own time to save."""
    more = {"max_runtime": 8} if by == "max_runtime" else {}
    key = await stage.submit(sys.executable, "-c", LAUNCH, RANK, "rank", "ends", **more)
    await stage.wrote(key, "ready-rank")
    if by == "cancel":
        await stage.provider.cancel(key, {})
    seen = await stage.ended(key)
    assert seen.phase is (Phase.CANCELED if by == "cancel" else Phase.TIMED_OUT)
    assert asked(stage, key, "rank") == 1


async def test_ranks_below_launchers_in_other_sessions_are_asked_once_each(stage: Stage) -> None:
    key = await stage.submit(sys.executable, "-c", DEEP, RANK, LAUNCH)
    for name in ("outer", "inner"):
        await stage.wrote(key, f"ready-{name}")
    await stage.provider.cancel(key, {})
    assert (await stage.ended(key)).phase is Phase.CANCELED
    assert [asked(stage, key, name) for name in ("outer", "inner")] == [1, 1]


async def test_nobody_is_asked_twice_however_often_it_is_found(stage: Stage) -> None:
    """It stays for the whole grace time, in which the shim looks again and again and its launcher goes."""
    stage.options = attrs.evolve(stage.options, grace_seconds=1)
    key = await stage.submit(sys.executable, "-c", LAUNCH, RANK, "rank", "stays")
    await stage.wrote(key, "ready-rank")
    await stage.provider.cancel(key, {})
    assert (await stage.ended(key)).phase is Phase.CANCELED
    assert asked(stage, key, "rank") == 1


async def test_a_rank_that_starts_during_the_grace_time_is_asked(stage: Stage) -> None:
    """Its launcher starts it as its last deed and leaves it behind: it is found as an orphan."""
    script = (
        'trap \'"$PYTHON" -c "$0" late ends & until [ -e ready-late ]; do sleep 0.01; done; exit\' TERM;'
        " touch ready; while :; do sleep 0.01; done"
    )
    key = await stage.submit("sh", "-c", script, RANK)
    await stage.wrote(key, "ready")
    await stage.provider.cancel(key, {})
    assert (await stage.ended(key)).phase is Phase.CANCELED
    assert asked(stage, key, "late") == 1


async def test_what_saves_the_state_of_an_asked_process_is_let_work(stage: Stage) -> None:
    """A program started by the handler of SIGTERM copies a checkpoint: asked to end at once, it would spoil it."""
    script = "trap 'sh -c \"sleep 0.5; echo saved\"; exit' TERM; touch ready; while :; do sleep 0.01; done"
    await stage.wrote(key := await stage.shell(script), "ready")
    await stage.provider.cancel(key, {})
    assert (await stage.ended(key)).phase is Phase.CANCELED
    assert stage.log(key).endswith("saved\n")


Processes = dict[int, tuple[int, int]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Whom SIGTERM was sent to; the clock stands at 100 ticks."""
    sent: list[int] = []
    monkeypatch.setattr(process_tree, "ticks_since_boot", lambda: 100)
    monkeypatch.setattr(process_tree, "send", lambda number, pid, ticks: number != 15 or sent.append(pid) is None)
    return sent


SHIM = 1


@pytest.mark.parametrize(
    ("late", "last_call", "expected"),
    [
        ({3: (2, 99)}, False, [3]),  # it was there before its parent was asked, and was missed
        ({3: (2, 101)}, False, []),  # its parent knew what it did
        ({3: (2, 101), 4: (3, 102)}, False, []),  # and what it starts in turn
        ({3: (2, 101), 4: (3, 102)}, True, [3, 4]),
        ({3: (SHIM, 101)}, False, [3]),  # left behind
        ({2: (SHIM, 60)}, False, [2]),  # another process of a number that was asked
    ],
)
def test_who_is_asked_later(
    sent: list[int], late: Mapping[int, tuple[int, int]], last_call: bool, expected: list[int]
) -> None:
    """2 was asked at 100; what is found at the next look is asked, or spared, or both in turn."""
    term = TermOnce()
    term.send({2: (SHIM, 50)}, last_call=False)
    assert sent == [2]
    term.send({2: (SHIM, 50), **late}, last_call=last_call)
    assert sent == [2, *expected]
