"""Fixtures of the logging tests: a logging system as a fresh process has it, and scripts in processes of their own."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logconf import clear_context
from logconf.handler import drain_at_exit, installed_handler

REPOSITORY = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Whatever a test configures is taken away: handlers, levels, the record maker, signal handlers, context."""
    root = logging.getLogger()
    level, raising = root.level, logging.raiseExceptions
    maker, log = logging.Logger.makeRecord, logging.Logger._log
    flags = logging.logThreads, logging.logProcesses, logging.logMultiprocessing
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    clear_context()
    yield
    handler = installed_handler()
    if handler is not None:
        root.removeHandler(handler)
        handler.shut_down()
        drain_at_exit(None)
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.Logger.makeRecord, logging.Logger._log = maker, log  # type: ignore[method-assign]
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = flags
    for number, previous in signals.items():
        signal.signal(number, previous)
    clear_context()


@pytest.fixture
def run_script(tmp_path: Path) -> Run:
    """Run Python source in a process of its own, as `script.py`; the result has stdout and stderr as text."""

    def run(source: str, *, env: dict[str, str] | None = None, check: bool = True, **options: Any) -> Any:
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(source), encoding="utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIMPLETUNER_")}
        return subprocess.run(
            [sys.executable, str(script)],
            env={**inherited, "PYTHONPATH": str(REPOSITORY), **(env or {})},
            check=check,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            cwd=tmp_path,
            **options,
        )

    return run
