"""The route that looks for a text in a job's output, as events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.providers.scripted.faults import Fault, FaultKind


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The name and the document of each event."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("event: ")]
    return [(head.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for head, data in blocks]


@pytest.fixture
async def output(edge: Any) -> tuple[str, list[str]]:
    """The path of an ended job's output, and its lines."""
    made = await edge.submit(spec={"duration": 0, "progress": 3})
    await edge.runtime.wait(made["job_id"])
    path = f"/api/jobs/{made['job_id']}/logs"
    return path, (await edge.http.get(path)).text.splitlines()


async def test_lines_of_the_whole_output_are_found(edge: Any, output: tuple[str, list[str]]) -> None:
    path, lines = output
    word = lines[1].split()[0]
    *found, (last, end) = events((await edge.http.get(f"{path}/search", params={"text": word.upper()})).text)
    expected = [(at, line) for at, line in enumerate(lines, 1) if word.lower() in line.lower()]
    assert [(one["line"], one["text"]) for name, one in found if name == "found"] == expected != []
    size = len((await edge.http.get(path)).content)
    assert (last, end) == ("end", {"type": "end", "lines": len(lines), "bytes": size, "all": True})


async def test_no_more_lines_than_wanted_are_sent(edge: Any, output: tuple[str, list[str]]) -> None:
    path, lines = output
    common = next(letter for letter in lines[0] if sum(letter in line for line in lines) > 1)
    found = events((await edge.http.get(f"{path}/search", params={"text": common, "limit": 1})).text)
    assert [name for name, _ in found] == ["found", "end"]
    assert found[-1][1]["all"] is False


@pytest.mark.parametrize("text", ["", "a\nb", "x" * 201])
async def test_what_can_be_in_no_line_is_refused(edge: Any, output: tuple[str, list[str]], text: str) -> None:
    refused = await edge.http.get(f"{output[0]}/search", params={"text": text})
    assert (refused.status_code, refused.json()["field"]) == (422, "text")


async def test_an_output_that_cannot_be_read_any_further_says_so(edge: Any, output: tuple[str, list[str]]) -> None:
    edge.remote.inject(Fault(FaultKind.DOWN, times=None))
    found = events((await edge.http.get(f"{output[0]}/search", params={"text": "x"})).text)
    assert found[-1][0] == "unreadable"
    assert "the output cannot be read any further: " in found[-1][1]["detail"]
