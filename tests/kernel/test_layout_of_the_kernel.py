"""What the kernel costs to import, what it leaves behind, and that the table of rows names tests that exist."""

from __future__ import annotations

import gc
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.kernel import Actor, ActorRef, actor_spec
from supervision import open_supervisor

HERE = Path(__file__).parent


def test_importing_the_kernel_loads_no_heavy_thing():
    heavy = ("sqlalchemy", "httpx", "hypercorn", "starlette", "cattrs", "click", "rich")
    code = f"import sys, actors.kernel; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HERE.parents[1])
    assert done.stdout.strip() == "[]"


def test_the_table_names_every_point_and_only_tests_that_exist():
    table = (HERE / "rows.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", table))
    present = {name for path in HERE.glob("test_*.py") for name in re.findall(r"def (test_\w+)\(", path.read_text())}
    assert named <= present, sorted(named - present)
    assert len(named) >= 60


class Fragile(Actor):
    async def handle(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError(message)
        return message


async def crash_often(times: int) -> int:
    """Crash and restart that often, with a caller each time; how many objects there are afterwards."""
    ref = ActorRef("fragile")
    async with open_supervisor([actor_spec(ref, Fragile)]):
        for _ in range(times):
            ref.cast("crash")
            assert await ref.call("hello") == "hello"
            await trio.sleep(5)  # longer than the window of restarts
        assert ref.incarnation == times + 1
        ref.quarantine._kept.clear()
        gc.collect()
        return len(gc.get_objects())


@pytest.fixture
def quiet() -> Iterator[None]:
    """pytest keeps every line that is logged, and with it the crash; that is not what is measured here."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def test_restarts_leave_nothing_behind(autojump_clock, quiet):
    """Neither objects nor tasks: what ten crashes leave, three hundred leave too."""
    tasks = trio.lowlevel.current_statistics().tasks_living
    few = await crash_often(10)
    many = await crash_often(300)
    assert many - few < 500
    await trio.sleep(10)
    assert trio.lowlevel.current_statistics().tasks_living == tasks


@pytest.mark.parts
async def test_five_thousand_restarts_leave_nothing_behind(autojump_clock, quiet):
    few = await crash_often(100)
    many = await crash_often(5000)
    assert many - few < 500


def test_an_interrupt_while_an_actor_works_leaves_the_mailbox_whole():
    """KeyboardInterrupt out of a handler: the caller is told, nothing is quarantined, the run ends with it."""
    ref = ActorRef("interrupted")

    class Interrupted(Actor):
        async def handle(self, message: Any) -> None:
            raise KeyboardInterrupt

    async def main() -> None:
        async with open_supervisor([actor_spec(ref, Interrupted)]):
            ref.cast("work")
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert [letter.reason for letter in ref.dead_letters] == ["interrupted"]
    assert len(ref.quarantine) == 0


def test_a_reference_may_be_used_in_a_second_trio_run():
    ref = ActorRef("again")

    async def main() -> float:
        async with open_supervisor([actor_spec(ref, Fragile)]):
            await ref.call("hello")
            ref.suspend()
            with pytest.raises(trio.TooSlowError):
                await ref.call("late")
            return trio.current_time()

    for _ in range(2):
        assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 5.0
