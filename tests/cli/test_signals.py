"""Signals to a supervisor (C1): close together they count as one, after a pause the next one ends it at once."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing

from actors.cli.signals import SAME_SIGNAL_SECONDS, StopSignals
from tests.cli.conftest import rest_of, stop, until

ONE_BURST = """
from actors import cli
from actors.cli import signals
signals.SAME_SIGNAL_SECONDS = 3600.0
cli.main(["run"])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_without_a_pause_until_it_has_ended_stop_it_once_and_in_order(terminal: Any, number: int) -> None:
    """The last of them arrive when trio has ended and the process is closing.

    However long this process pauses between two of them, they count as one.
    """
    process = terminal.python(ONE_BURST)
    until(process, "Supervisor is ready")
    sent = 0
    while process.poll() is None and sent < 100_000:
        process.send_signal(number)
        sent += 1
    rest = rest_of(process).splitlines()
    lines = [
        json.loads(line) for line in rest if line.startswith("{")
    ]  # the interpreter may remark on trio's closed pipe
    assert sent > 100
    assert process.returncode == 0
    assert [line["message"] for line in lines].count("Supervisor stops") == 1


def test_a_hangup_does_not_end_a_service_that_logs_to_stdout(terminal: Any, supervisor: Any) -> None:
    supervisor.send_signal(signal.SIGHUP)
    assert terminal.type("tree").returncode == 0
    stop(supervisor)
    assert supervisor.returncode == 0


def test_a_program_of_a_job_is_ended_by_a_hangup_as_anywhere(terminal: Any, supervisor: Any) -> None:
    """An ignored signal would be inherited by every program that the supervisor starts."""
    done = terminal.type("submit", "--wait", "--", "sh", "-c", "kill -HUP $$; echo lives")
    assert done.returncode == 128 + signal.SIGHUP, done.stderr


class Ended(BaseException):
    """The process would have ended."""


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The clock of the signals; handlers are put back and an end at once is an exception."""
    moment = [100.0]

    def end(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    monkeypatch.setattr(os, "_exit", end)
    numbers = (signal.SIGUSR1, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield moment
    for number, handler in before.items():
        signal.signal(number, handler)


def test_after_a_pause_the_next_signal_ends_the_process_with_its_number(now: list[float]) -> None:
    """Each signal begins the pause anew, so a long burst is one signal."""
    StopSignals([signal.SIGUSR1])
    for _ in range(1000):
        signal.raise_signal(signal.SIGUSR1)
        now[0] += SAME_SIGNAL_SECONDS * 0.99
    now[0] += SAME_SIGNAL_SECONDS * 0.02
    with pytest.raises(Ended) as end:
        signal.raise_signal(signal.SIGUSR1)
    assert end.value.args == (128 + signal.SIGUSR1,)


async def test_a_signal_that_came_before_it_is_awaited_is_not_lost(now: list[float]) -> None:
    signals = StopSignals([signal.SIGUSR1])
    signal.raise_signal(signal.SIGUSR1)
    assert await signals.wait() is signal.SIGUSR1


async def test_a_signal_wakes_the_one_that_waits(now: list[float], nursery: trio.Nursery) -> None:
    signals = StopSignals([signal.SIGUSR1])
    nursery.start_soon(signals.wait)
    await trio.testing.wait_all_tasks_blocked()
    signal.raise_signal(signal.SIGUSR1)
    assert await signals.wait() is signal.SIGUSR1
