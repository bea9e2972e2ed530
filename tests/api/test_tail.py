"""The output of a job over HTTP: its last lines while the job goes on writing, and its bytes in a stream."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import orjson
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


async def test_a_stream_of_output_has_the_bytes_where_they_are_asked_for(edge: Any) -> None:
    made = await edge.submit(spec={"duration": 0, "progress": 3})
    await edge.runtime.wait(made["job_id"])
    path = f"/api/jobs/{made['job_id']}/logs"
    events = (await edge.http.get(f"{path}/stream?encoding=base64")).text.split("\n\n")
    data = [orjson.loads(one.partition("data: ")[2]) for one in events if "event: output" in one]
    assert b"".join(b64decode(one["base64"]) for one in data) == (await edge.http.get(path)).content
    assert (await edge.http.get(f"{path}/stream?encoding=hex")).status_code == 422
