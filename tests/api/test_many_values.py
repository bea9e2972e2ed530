"""A body of many small values costs as little as its bytes say, and nobody else waits for it (D2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
import trio

from actors.api import jobs as job_routes
from actors.api.app import ROUTES
from actors.api.body import holds_more
from actors.api.route import DeclaredRoute, Nothing
from actors.api.session import MOST_OF_SIGN_IN
from actors.job_requests.job_request import request_from_mapping
from actors.jobs import maxima
from actors.kernel.turns import InTurns
from actors.runtime import RunningRuntime
from actors.validation import CheckedError
from tests.api.servers import bearer

WITH_BODY = [route for route in ROUTES if isinstance(route, DeclaredRoute) and route.body is not Nothing]
LONG = [route for route in WITH_BODY if route.body_bytes >= maxima.BODY]
LARGE = maxima.VALUES + 1
SHAPES = {
    "numbers": "0,", "lists": "[],", "nested lists": "[[]],", "objects": "{},", "full objects": '{"a":0},',
    "texts": '"",', "texts with escapes": r'"\"\\",',
}  # fmt: skip


def _body(unit: str, number: int) -> bytes:
    return ("[" + unit * number)[:-1].encode() + b"]"


@pytest.mark.parametrize("route", LONG, ids=lambda route: f"{min(route.methods)} {route.path}")
async def test_no_route_reads_more_values_than_it_says(route: DeclaredRoute, web: Any, runtime: RunningRuntime) -> None:
    path = route.path_format.format(**dict.fromkeys(route.param_convertors, "1"))
    headers = {**await bearer(runtime, "admin"), "Content-Type": "application/json"}
    number = LARGE if route.path != "/api/jobs" else maxima.BATCH_VALUES + 1
    answered = await web.request(min(route.methods), path, content=_body("0,", number), headers=headers)
    assert answered.status_code == 413, answered.text


@pytest.mark.parametrize("unit", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("job", ['[{{"provider": "scripted", "spec": {{"a": {}}}}}]', '{{"spec": {{"a": {}}}}}'])
async def test_one_job_has_so_many_values_at_most(unit: str, job: str, web: Any, runtime: RunningRuntime) -> None:
    headers = {**await bearer(runtime, "researcher"), "Content-Type": "application/json"}
    content = job.format(_body(unit, LARGE).decode())
    answered = await web.post("/api/jobs", content=content, headers=headers)
    assert (answered.status_code, "values" in answered.text) == (413, True)


async def test_commas_in_a_text_are_no_values(edge: Any) -> None:
    made = await edge.submit(spec={"duration": 0, "metrics": {"csv": ',"[{\\' * 30_000}})
    assert made["status"] == "pending"


@pytest.mark.parametrize("unit", SHAPES.values(), ids=SHAPES)
def test_values_are_counted_one_by_one(unit: str) -> None:
    data = json.loads(_body(unit, 10))
    values = str(data).count("[") + str(data).count("{") + str(data).count("0") + data.count("") + data.count('"\\')
    assert not holds_more(data, values)
    assert holds_more(data, values - 1)


def test_what_strangers_may_send_is_short() -> None:
    """A sign-in is read before anybody knows who sends it, so it costs next to nothing."""
    (sign_in,) = (route for route in WITH_BODY if route.permission.level is None)
    assert (sign_in.path, sign_in.body_bytes) == ("/api/session", MOST_OF_SIGN_IN)


async def test_others_are_served_while_a_long_list_is_taken(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two hundred of its jobs, in each of the steps, other tasks have their turn."""
    turns, seen = 0, {}

    def noting(module: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(module, name)
        seen[name] = []

        def noted(*args: Any, **more: Any) -> Any:
            seen[name].append(turns)
            return real(*args, **more)

        monkeypatch.setattr(module, name, noted)

    noting(job_routes, "request_of")
    noting(job_routes, "accepted_document")
    noting(edge.runtime.jobs, "_checked")

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    jobs = [{"provider": "scripted", "user_id": "ana", "spec": {"duration": 0}}] * 1000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        assert (await edge.http.post("/api/jobs", json=jobs)).status_code == 201
        nursery.cancel_scope.cancel()
    for name, moments in seen.items():
        assert len(moments) == 1000
        assert max(len(list(one)) for _, one in groupby(moments)) <= 200, name


async def test_items_in_turns_are_all_of_them_in_order() -> None:
    assert [one async for one in InTurns(range(120))] == list(range(120))
    assert [one async for one in InTurns(())] == []


def test_so_many_guesses_are_made_as_anybody_would_read() -> None:
    """A guess costs more than the fault that it ends."""
    with pytest.raises(CheckedError) as found:
        request_from_mapping({f"provide{number:05}": 0 for number in range(2_000)})
    assert len(found.value.faults) == 2_000
    assert sum("did you mean" in fault.message for fault in found.value.faults) <= 100
