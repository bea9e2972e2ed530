"""Size: the work is linear in the children, and a long life leaves nothing behind."""

import collections
import gc
import os
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

import supervision
from supervision import Backoff, Supervisor, open_supervisor
from supervision.testing import Act, Scripted

HOME = str(Path(supervision.__file__).parent)


def lines_executed(main, *args):
    """How many lines of supervision's own code run: its work, whatever the machine."""
    count = collections.Counter()

    def trace(frame, event, arg):
        if not frame.f_code.co_filename.startswith(HOME):
            return None
        count[event] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        trio.run(main, *args, clock=trio.testing.MockClock(autojump_threshold=0))
    finally:
        sys.settrace(before)
    return count["line"]


async def start_and_stop(stage, number, strategy):
    async with open_supervisor([stage.spec(str(n)) for n in range(number)], strategy=strategy):
        pass


async def one_failure(stage, number, strategy):
    children = [stage.spec("x", Act(lives=1), Act()), *(stage.spec(str(n)) for n in range(number))]
    async with open_supervisor(children, strategy=strategy):
        await trio.sleep(2)


async def a_pool(stage, number, strategy):
    async with open_supervisor(max_children=number) as pool:
        for n in range(number):
            await pool.start_child(stage.spec(str(n)))
        for n in range(number):
            await pool.stop_child(str(n))


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("what", [start_and_stop, one_failure, a_pool])
def test_the_work_is_linear_in_the_number_of_children(stage, what, strategy):
    few, many = (lines_executed(what, stage, number, strategy) for number in (50, 200))
    assert many < 4.3 * few


def test_a_thousand_children_start_and_stop_in_order(stage):
    trio.run(start_and_stop, stage, 1000, "rest_for_one", clock=trio.testing.MockClock(autojump_threshold=0))
    assert stage.happened("ready") == [str(n) for n in range(1000)]
    assert stage.happened("end") == [str(n) for n in reversed(range(1000))]


async def test_cancelled_alarms_do_not_pile_up(stage, autojump_clock):
    children = [stage.spec("x", Act(lives=0.01), start_deadline=10**6, heartbeat=10**6)]
    supervisor = Supervisor(children, max_restarts=10**9)
    with trio.move_on_after(50):
        await supervisor.run()
    assert stage.scripts["x"].entries > 1000
    assert len(supervisor._state.alarms) < 200


@pytest.mark.parts
async def test_a_long_crash_loop_leaves_memory_and_tasks_where_they_were(autojump_clock):
    """5,000 restarts; `SOAK_RESTARTS=100000 pytest -n0 -m parts tests/supervision/test_scale.py` for the long one."""
    wanted = int(os.environ.get("SOAK_RESTARTS", "5000"))
    script = Scripted(Act(lives=0.5), name="x", journal=collections.deque(maxlen=0))
    spec = supervision.ChildSpec("x", script, start_deadline=60, heartbeat=60)
    marks = []

    def take_stock():
        gc.collect()
        marks.append((len(gc.get_objects()), trio.lowlevel.current_statistics().tasks_living))

    restarts = 0
    async with (
        open_supervisor([spec], max_restarts=10**9, backoff=Backoff(0.1, 1.0)) as supervisor,
        supervisor.reports() as reports,
    ):
        async for report in reports:
            restarts += report.kind == "restart"
            if report.kind == "restart" and restarts in (wanted // 10, wanted):
                take_stock()
            if restarts == wanted:
                break
    (objects, tasks), (objects_later, tasks_later) = marks
    assert abs(tasks_later - tasks) <= 1  # the child may be down for a moment
    assert objects_later - objects < 300
