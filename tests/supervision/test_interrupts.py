"""KeyboardInterrupt at any point of the supervisor's own bookkeeping: the children stop in order, and it gets out."""

import itertools
import os
import random
import signal
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

import supervision
from supervision import ChildSpec, Supervisor, open_supervisor

HOME = str(Path(supervision.__file__).parent)


@pytest.fixture(autouse=True)
def sigint_is_heard():
    """A process that a shell has put into the background ignores it, and trio leaves that as it is."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Striker:
    """Raises SIGINT as the n-th line of supervision's own code is about to be executed."""

    def __init__(self, at):
        self.at = at
        self.passed = 0
        self.where = None

    def __call__(self, frame, event, arg):
        return self.line if frame.f_code.co_filename.startswith(HOME) else None

    def line(self, frame, event, arg):
        if event == "line":
            self.passed += 1
            if self.passed == self.at:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self.line


async def scenario(journal, form):
    """First start, a crash and its restart, start_child, stop_child, the stop of all."""

    def child(name, crashes=False):
        entries = []

        async def run(*, task_status):
            entries.append(1)
            journal.append(f"+{name}")
            try:
                task_status.started()
                if crashes and len(entries) == 1:
                    await trio.lowlevel.checkpoint()
                    raise ValueError(name)
                await trio.sleep_forever()
            finally:
                journal.append(f"-{name}")

        return ChildSpec(name, run)

    children = [child("a"), child("b", crashes=True), child("c")]
    if form == "open_supervisor":
        async with open_supervisor(children, strategy="rest_for_one") as supervisor:
            await trio.testing.wait_all_tasks_blocked()
            await supervisor.start_child(child("d"))
            await supervisor.stop_child("d")
    else:
        with trio.move_on_after(1):
            await Supervisor(children, strategy="rest_for_one").run()


def run_struck(at, form):
    striker, journal, interrupted = Striker(at), [], False
    sys.settrace(striker)
    try:
        trio.run(scenario, journal, form, clock=trio.testing.MockClock(autojump_threshold=0))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        sys.settrace(None)
    return striker, journal, interrupted


def in_order(journal):
    """Whether what stopped last stopped in reverse; b's crash, which begins the restart, may stand before it."""
    last = [mark[1:] for mark in itertools.takewhile(lambda mark: mark[0] == "-", reversed(journal))][::-1]
    without_the_crash = [name for name in last if name != "b"]
    return sorted(last, reverse=True) == last or sorted(without_the_crash, reverse=True) == without_the_crash


@pytest.mark.parametrize("form", ["open_supervisor", "run"])
def test_an_interrupt_at_any_line_of_the_bookkeeping_stops_the_children_in_order(form):
    """Every passing of a line where SUPERVISION_INTERRUPTS=all (`make check-long`); else one in ten, drawn anew."""
    counted, _, _ = run_struck(0, form)
    assert counted.passed > 500
    passings = range(1, counted.passed + 1)
    if os.environ.get("SUPERVISION_INTERRUPTS") != "all":
        passings = sorted(random.sample(passings, len(passings) // 10))  # pytest-randomly prints the seed
    struck = set()
    for at in passings:
        striker, journal, interrupted = run_struck(at, form)
        struck.add(striker.where)
        assert interrupted or "-a" in journal, striker.where
        entered = sorted(mark[1:] for mark in journal if mark[0] == "+")
        ended = sorted(mark[1:] for mark in journal if mark[0] == "-")
        assert entered == ended, f"a child was left behind at {striker.where}: {journal}"
        assert in_order(journal), f"{striker.where}: {journal}"
    assert len(struck) > 50


def test_pressing_again_while_the_children_stop_changes_nothing():
    """trio delivers it even to a shielded wait of the main task; the stop goes on in order."""
    journal = []

    async def child(name, *, task_status):
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(2, shield=True):
                await trio.sleep_forever()
            journal.append(name)

    async def press():
        for _ in range(4):
            await trio.sleep(1)
            press_now()

    @trio.lowlevel.enable_ki_protection
    def press_now():  # protected, so that it is the main task that gets it
        signal.raise_signal(signal.SIGINT)

    supervisor = Supervisor([ChildSpec(name, child, args=(name,)) for name in "abc"])

    async def start():
        trio.lowlevel.spawn_system_task(press)
        await supervisor.run()

    with pytest.raises(KeyboardInterrupt):
        trio.run(start, clock=trio.testing.MockClock(autojump_threshold=0))
    assert journal == ["c", "b", "a"]


def test_an_interrupt_in_the_childs_own_code_is_not_held_back():
    """Only the bookkeeping is protected."""

    async def child(*, task_status):
        assert not trio.lowlevel.currently_ki_protected()
        task_status.started()
        await trio.sleep_forever()

    async def main():
        async with open_supervisor([ChildSpec("x", child)]):
            assert not trio.lowlevel.currently_ki_protected()

    trio.run(main)
