"""The Python on the page about embedding, run in its order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from trio.testing import MockClock

from actors import Settings, get_task_manager

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"


def named() -> dict[str, Any]:
    """What the blocks of the page define together."""
    found: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        exec(block, found)
    return found


async def test_a_runtime_runs_in_a_block(tmp_path: Path) -> None:
    assert await named()["train"](tmp_path) == "completed"


async def test_a_runtime_is_started_and_stopped_by_functions(tmp_path: Path) -> None:
    page = named()
    await page["on_start"](tmp_path)
    assert get_task_manager().is_running
    await page["on_stop"]()
    assert not get_task_manager().is_running


async def test_it_is_served_on_a_socket(tmp_path: Path) -> None:
    assert await named()["serve"](Settings.default(state_dir=tmp_path)) == "ok"


async def test_the_test_of_the_page_passes(autojump_clock: MockClock) -> None:
    await named()["test_a_lost_answer_starts_nothing_twice"](autojump_clock)
