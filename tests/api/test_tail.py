"""The last lines of an output over HTTP, while its job goes on writing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.control.log_beginning import Beginning


@pytest.mark.parametrize(("tail", "text"), [(0, ""), (1, "c\n"), (2, "c\nd\n")])
async def test_what_comes_after_the_place_was_found_is_left_out(
    edge: Any, monkeypatch: pytest.MonkeyPatch, tail: int, text: str
) -> None:
    made = (await edge.http.post("/api/jobs", json={"provider": "scripted"})).json()

    async def beginning(*_asked: Any, **_more: Any) -> Beginning:
        return Beginning(cursor="4")

    async def read(*_asked: Any, **_more: Any) -> AsyncIterator[tuple[bytes, str]]:
        yield b"c", "5"
        yield b"\nd\n", "8"  # written since
        yield b"e\n", "10"

    monkeypatch.setattr(edge.runtime.log_reader, "beginning", beginning)
    monkeypatch.setattr(edge.runtime.log_reader, "read", read)
    answer = await edge.http.get(f"/api/jobs/{made['job_id']}/logs", params={"tail": tail})
    assert (answer.status_code, answer.text) == (200, text)
