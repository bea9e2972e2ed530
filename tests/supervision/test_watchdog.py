"""The watchdog: a loop that does not turn is seen from a thread. Real threads, real seconds, but waits for signals."""

import logging
import subprocess
import sys
import textwrap
import threading

import pytest
import trio
import trio.testing

from supervision import ChildSpec, SpecError, open_supervisor, watchdog

GENEROUS = 30.0  # nothing here waits that long unless it is broken


async def test_a_stalled_loop_is_reported_with_the_stack_of_what_stalls_it():
    seen, stalls = threading.Event(), []

    def note(stall):
        stalls.append(stall)
        seen.set()

    def blocks_the_loop():
        assert seen.wait(GENEROUS)

    async with open_supervisor([ChildSpec("watchdog", watchdog.run, args=(0.05, None, note))]):
        blocks_the_loop()
    assert "blocks_the_loop" in stalls[0].stack
    assert stalls[0].seconds >= 0.05


async def test_a_loop_that_turns_is_left_alone():
    stalls = []
    async with open_supervisor([ChildSpec("watchdog", watchdog.run, args=(GENEROUS, None, stalls.append))]):
        for _ in range(100):
            await trio.lowlevel.checkpoint()
    assert stalls == []


async def test_the_thread_ends_with_the_child():
    async with open_supervisor([ChildSpec("watchdog", watchdog.run, args=(GENEROUS,))]):
        thread = next(thread for thread in threading.enumerate() if thread.name == "supervision-watchdog")
        assert thread.daemon
    thread.join(GENEROUS)
    assert not thread.is_alive()


async def test_a_stall_is_logged_as_an_error(caplog):
    caplog.set_level(logging.ERROR, logger="supervision.watchdog")
    watchdog.log_stall(watchdog.Stall(1.5, "stack", "others"))
    assert [(record.levelname, record.seconds, record.stack) for record in caplog.records] == [("ERROR", 1.5, "stack")]


async def test_a_limit_has_to_be_positive():
    with pytest.raises(SpecError, match="limit"):
        await watchdog.run(0)


async def test_a_report_that_fails_or_hangs_is_not_the_last_one():
    hangs, seen = threading.Event(), [threading.Event() for _ in range(3)]
    numbers = iter(range(3))

    def report(stall):
        number = next(numbers)
        seen[number].set()
        if number == 0:
            raise RuntimeError("the pager is down")
        if number == 1:
            hangs.wait()

    async with open_supervisor([ChildSpec("watchdog", watchdog.run, args=(0.05, None, report))]):
        for event in seen:
            assert event.wait(GENEROUS)  # which blocks the loop
            await trio.testing.wait_all_tasks_blocked()  # until it was seen to turn
    hangs.set()


@pytest.mark.parts
@pytest.mark.parametrize("on_stall", ["watchdog.log_stall", "fails", "hangs"])
def test_where_it_is_told_to_it_ends_the_process(on_stall):
    """So that the service manager starts it again; whatever becomes of the report."""
    code = f"""
        import threading, trio
        from supervision import ChildSpec, open_supervisor, watchdog

        def fails(stall):
            raise RuntimeError("the pager is down")

        def hangs(stall):
            threading.Event().wait()

        async def main():
            async with open_supervisor([ChildSpec("watchdog", watchdog.run, args=(0.05, 70, {on_stall}))]):
                threading.Event().wait()

        trio.run(main)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 70
    expected = {"fails": "the pager is down", "hangs": ""}.get(on_stall, "The event loop does not turn")
    assert expected in done.stderr
