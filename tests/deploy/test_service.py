"""What the service manager is told, on a real datagram socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.cli.systemd import Notifier, dead_among, notify_systemd
from actors.control.health import Health
from actors.control.loop_stalls import LoopStalls
from actors.kernel import VirtualClock
from actors.metrics import Tallies
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.store.errors import StoreError
from actors.testing import running_runtime, seeded_sources, virtual_settings

ROOT = Path(__file__).resolve().parents[2]


@attrs.define
class Manager:
    """The other end of NOTIFY_SOCKET."""

    path: str
    socket: socket.socket

    def heard(self) -> list[dict[str, str]]:
        """Every message since the last look."""
        self.socket.setblocking(False)
        found = []
        while True:
            try:
                found.append(_fields(self.socket.recv(4096)))
            except BlockingIOError:
                return found

    def wait_for(self, name: str, seconds: float) -> dict[str, str]:
        """The next message that has ``name``; raises TimeoutError."""
        self.socket.settimeout(seconds)
        while name not in (found := _fields(self.socket.recv(4096))):
            pass
        return found


def _fields(message: bytes) -> dict[str, str]:
    return dict(line.split("=", 1) for line in message.decode().split("\n"))


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        yield Manager(path, listening)


@attrs.define
class Stub:
    """A runtime that is as well as it is told to be."""

    state: str = "running"
    reasons: tuple[str, ...] = ()
    fault: Exception | None = None
    hangs: bool = False

    @property
    def tree(self) -> Stub:
        return self

    @property
    def health(self) -> Stub:
        return self

    @property
    def loop_stalls(self) -> LoopStalls:
        return LoopStalls(Tallies())

    def describe(self) -> list[dict[str, Any]]:
        return [{"id": "actors", "state": "running", "children": [{"id": "scheduler", "state": self.state}]}]

    async def check(self) -> Health:
        if self.fault is not None:
            raise self.fault
        if self.hangs:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return Health("ok", self.reasons)


async def test_ready_alive_and_stopping_are_told_in_this_order(autojump_clock: MockClock, manager: Manager) -> None:
    """Twice in each period of the watchdog."""
    notifier = Notifier({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "4000000"})
    async with notify_systemd(Stub(), notifier):  # type: ignore[arg-type]
        await trio.sleep(4.5)
    heard = manager.heard()
    assert [next(iter(message)) for message in heard] == ["READY", "WATCHDOG", "WATCHDOG", "WATCHDOG", "STOPPING"]
    assert heard[0]["MAINPID"] == str(os.getpid())


@pytest.mark.parametrize(
    "stub",
    [Stub(state="parked"), Stub(state="stopped"), Stub(fault=StoreError("the disk is gone")), Stub(hangs=True)],
    ids=["parked", "stopped", "no rows", "hanging"],
)
async def test_no_sign_of_life_is_given_for_one_that_is_dead(
    autojump_clock: MockClock, manager: Manager, stub: Stub
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "4000000"})
    async with notify_systemd(stub, notifier):  # type: ignore[arg-type]
        await trio.sleep(30)
    assert all("WATCHDOG" not in message for message in manager.heard())


async def test_a_restart_with_back_off_is_no_death(autojump_clock: MockClock, manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "4000000"})
    async with notify_systemd(Stub(state="restarting", reasons=("scheduler is restarting",)), notifier):  # type: ignore[arg-type]
        await trio.sleep(1)
    assert {"WATCHDOG": "1", "STATUS": "scheduler is restarting"} in manager.heard()


async def test_a_real_runtime_is_alive(autojump_clock: MockClock, manager: Manager) -> None:
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    async with running_runtime(settings=virtual_settings(), parts=parts) as runtime:
        async with notify_systemd(runtime, Notifier({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "4000000"})):
            await trio.sleep(1)
        vital = {node["id"] for child in runtime.tree.describe() for node in (child, *child.get("children", ()))}
    assert {"WATCHDOG": "1", "STATUS": "ok"} in manager.heard()
    assert {"store", "scheduler", "poller", "expiry"} <= vital
    assert list(dead_among(runtime.tree.describe())) != []  # and it knows a dead one


@pytest.mark.parametrize(
    ("environ", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "2500000"}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_ours_or_it_is_none(environ: dict[str, str], watchdog: float | None) -> None:
    assert Notifier(environ).watchdog == watchdog
    assert environ == {}


def test_an_abstract_socket_is_reached() -> None:
    name = f"greenroom-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        Notifier({"NOTIFY_SOCKET": "@" + name}).notify(READY="1")
        assert listening.recv(100) == b"READY=1"


def test_a_manager_that_is_gone_breaks_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).notify(READY="1")
    assert "The service manager cannot be notified of READY" in caplog.text


@pytest.mark.parts
def test_a_real_supervisor_says_ready_alive_and_stopping(manager: Manager, tmp_path: Path) -> None:
    """``python -m actors run`` as systemd would start it, to SIGTERM."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SIMPLETUNER", "GREENROOM"))},
        "GREENROOM_HOME": str(tmp_path / "state"), "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000000",
    }  # fmt: skip
    command = [sys.executable, "-m", "actors", "run"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            assert manager.wait_for("READY", 60)["MAINPID"] == str(process.pid)
            assert manager.wait_for("WATCHDOG", 60)["STATUS"] == "ok"
            process.send_signal(signal.SIGTERM)
            assert manager.wait_for("STOPPING", 60)["STOPPING"] == "1"
            assert process.wait(60) == 0
        finally:
            process.kill()
