"""What tests of programs that embed Greenroom need is importable from one place, and its example runs."""

from __future__ import annotations

import textwrap
from typing import Any

import actors.testing


async def test_the_example_of_the_package_runs(autojump_clock: Any) -> None:
    indented = [line for line in (actors.testing.__doc__ or "").splitlines() if line.startswith("    ") or not line]
    names: dict[str, Any] = {}
    exec(textwrap.dedent("\n".join(indented)), names)
    await names["test_a_job_is_run"](autojump_clock)


def test_every_name_is_there() -> None:
    assert all(getattr(actors.testing, name) is not None for name in actors.testing.__all__)
