"""An event loop that does not turn is reported from a thread: in the log, by health, as a metric, to systemd."""

from __future__ import annotations

import logging
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trio

from actors.cli.systemd import Notifier, notify_systemd
from actors.control import loop_stalls
from actors.runtime import Parts, open_runtime
from actors.settings import Settings
from supervision import ChildSpec

GENEROUS = 30.0
LIMIT = 0.05


async def test_a_child_that_blocks_the_loop_is_named(tmp_path: Path, caplog: Any, monkeypatch: Any) -> None:
    """Health shows it for ten minutes; the last words that systemd gets say who it was."""
    caplog.set_level(logging.ERROR, logger="supervision.watchdog")
    reported, block = threading.Event(), trio.Event()

    def blocks_the_loop() -> None:
        assert reported.wait(GENEROUS)

    async def run(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await block.wait()
        blocks_the_loop()
        await trio.sleep_forever()

    def note(text: str) -> None:
        if "blocker" in text:
            reported.set()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        parts = Parts(servers=lambda _: [ChildSpec("blocker", run)])
        running = open_runtime(Settings.default(state_dir=tmp_path / "state"), parts, watchdog=LIMIT)
        async with running as runtime, notify_systemd(runtime, notifier):
            runtime.loop_stalls.listeners.append(note)
            block.set()
            with trio.fail_after(GENEROUS):
                while not reported.is_set():
                    await trio.lowlevel.checkpoint()
            health = await runtime.health.check()
            scraped = (await runtime.metrics.scrape()).decode()
            later = time.monotonic() + loop_stalls.SHOWN_SECONDS
            monkeypatch.setattr(loop_stalls, "time", SimpleNamespace(monotonic=lambda: later))
            assert not list(runtime.loop_stalls.reasons())
        words = iter(lambda: manager.recv(1000), b"")
        assert next(text for text in words if b"blocker was running" in text)
    assert health.status == "degraded"
    assert any("the event loop did not turn" in reason for reason in health.reasons)
    assert "greenroom_event_loop_stalls_total" in scraped
    (record,) = [one for one in caplog.records if getattr(one, "child", "") == "blocker"]
    assert record.message == "The event loop does not turn"
    assert "blocks_the_loop" in record.stack


async def test_an_embedded_runtime_is_not_watched_unless_asked(tmp_path: Path) -> None:
    async with open_runtime(Settings.default(state_dir=tmp_path)) as runtime:
        (housekeeping,) = [one for one in runtime.tree.children() if one.id == "housekeeping"]
        assert "watchdog" not in [one.id for one in housekeeping.children]
