"""A supervisor's whole way of following output, on a real head: by the command and by the route, over broken lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import trio

from actors.api.socket_file import announced
from tests.providers.local.stage import until
from tests.providers.ray.head import Head
from tests.providers.ray.proxy import Proxy
from tests.providers.ray.supervisors import PATIENCE, supervisors_at
from tests.providers.supervisors import Supervisors

pytestmark = pytest.mark.parts

LINES = [f"step {number}: größer\n" for number in range(90)]
PROGRAM = """
import pathlib, select, sys
for number in range(90):
    if number and number % 30 == 0:
        go = pathlib.Path(sys.argv[1], str(number))
        while not go.exists(): select.select([], [], [], 0.02)
    print(f"step {number}: größer", flush=True)
"""


class Watched:
    """What one reader has of the output until now."""

    def __init__(self) -> None:
        self.text = ""

    @property
    def lines(self) -> int:
        return self.text.count("\n")


async def by_command(supervisors: Supervisors, job_id: str, seen: Watched) -> None:
    """``greenroom logs -f`` until it ends by itself."""
    argv = [sys.executable, "-m", "actors", "logs", "-f", job_id]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(supervisors.start, argv)
        assert process.stdout is not None
        held = b""
        async for piece in process.stdout:
            held += piece
            seen.text = held.decode(errors="ignore")
    assert process.returncode == 0


async def by_route(supervisors: Supervisors, job_id: str, seen: Watched) -> dict[str, Any]:
    """``GET /api/jobs/{id}/logs/stream`` to its end; the last that it told."""
    transport = httpx.AsyncHTTPTransport(uds=str(announced(supervisors.path / "state")))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://greenroom", timeout=PATIENCE) as http,
        http.stream("GET", f"/api/jobs/{job_id}/logs/stream") as answer,
    ):
        told: dict[str, Any] = {}
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                told = orjson.loads(line.removeprefix("data: "))
                seen.text += told.get("text", "")
    return told


async def test_output_is_followed_live_over_broken_lines_to_the_end_of_the_job(
    shared_head: Head, tmp_path: Path
) -> None:
    """The job goes on only when both readers have what it wrote: so it came live. Then every line is cut: none is
    told twice, and each reader ends with the job.
    """
    proxy, command, route = Proxy(shared_head.address), Watched(), Watched()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(proxy.serve)
            supervisors = supervisors_at(tmp_path, proxy.address)
            supervisors.write(jobs=1, command=[sys.executable, "-c", PROGRAM, str(tmp_path)])
            process: trio.Process = await nursery.start(supervisors.supervise)
            await until(lambda: proxy.submissions == 1)
            (job,) = await supervisors.jobs()
            ends: list[dict[str, Any]] = []

            async def follow_route() -> None:
                ends.append(await by_route(supervisors, job["job_id"], route))

            async with trio.open_nursery() as readers:
                readers.start_soon(by_command, supervisors, job["job_id"], command)
                readers.start_soon(follow_route)
                for number in (30, 60):
                    while min(command.lines, route.lines) < number:  # noqa: ASYNC110 - told by other processes
                        await trio.sleep(0.02)
                    proxy.cut_tails()
                    (tmp_path / str(number)).touch()
            process.terminate()
            await process.wait()
            nursery.cancel_scope.cancel()
    assert command.text == route.text
    assert command.text.endswith("".join(LINES))  # before them Ray says what it runs
    assert ends == [{"type": "end", "job_id": job["job_id"], "status": "completed"}]
    assert proxy.tails >= 4  # two readers, twice; the third time the job may have ended before they came again
