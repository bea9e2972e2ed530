"""Times by the clock of the terminal."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any


def test_times_are_those_of_the_terminal(terminal: Any, supervisor: Any) -> None:
    """Documents have UTC; people have their own clock, whatever the supervisor's is."""
    terminal.environment["TZ"] = "XYZ-5:30"
    answer = terminal.type("submit", "--name", "night", "--start-after", "+20h", "--", "true").stdout
    job = terminal.json("show", "--json", "night")
    utc = datetime.fromisoformat(job["start_after"]).timestamp()
    local = datetime.fromtimestamp(utc + 5.5 * 3600, tz=datetime.fromisoformat(job["start_after"]).tzinfo)
    assert re.search(rf"night: pending, starts at (.* )?{local:%H:%M}", answer)
    for words in (("show", "night"), ("queue",)):
        shown = terminal.type(*words).stdout
        assert f"{local:%H:%M}" in shown
        assert "UTC" not in shown
    assert job["reason"].endswith(" UTC")
