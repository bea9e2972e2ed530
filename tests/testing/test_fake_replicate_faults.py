"""What the fake refuses, and the faults that it has on demand."""

from __future__ import annotations

import math

import httpx
import pytest
import trio

from actors.testing.fake_replicate import FakeTransport, Fault, FaultKind, Form
from tests.testing.fake_client import AUTH, VERSION, create, read

# Refusals.


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "JSON"),
        (b"[]", "object"),
        (b'{"input": {}}', "version is required"),
        (b'{"version": "v"}', "input is required"),
        (b'{"version": "v", "input": {}, "colour": 1}', "colour"),
        (b'{"version": "v", "input": {}, "webhook": "http://example.com/"}', "https"),
        (b'{"version": "v", "input": {}, "webhook_events_filter": ["end"]}', "event"),
        (b'{"version": "v", "input": {"fake": {"duration": 3}}}', "duration"),
    ],
)
async def test_a_creation_that_is_wrong_is_refused_with_the_reason(autojump_clock, fake, client, body, said):
    answer = await client.post("/v1/predictions", content=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert fake.jobs() == []


async def test_a_wrong_token_sees_nothing(autojump_clock, client):
    answer = await client.get("/v1/account", headers={"authorization": "Bearer other"})
    assert (answer.status_code, answer.json()["title"]) == (401, "Unauthenticated")


async def test_what_is_not_there_is_a_problem(autojump_clock, fake, client):
    fake.missing_models.add("ana/trainer")
    for answer in (
        await client.get("/v1/predictions/unknown"),
        await client.get("/v1/elsewhere"),
        await client.post("/v1/predictions", json={"version": VERSION, "input": {}}),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_creations_are_limited_apart_from_everything_else(autojump_clock, fake, client):
    for _ in range(600):
        answer = await client.post("/v1/models/a/b/predictions", json={"input": {}})
        assert answer.status_code == 201
    assert answer.headers["ratelimit-remaining"] == "0"
    answer = await client.post("/v1/models/a/b/predictions", json={"input": {}})
    assert (answer.status_code, answer.json()["retry_after"]) == (429, 60)
    assert (await client.get("/v1/account")).status_code == 200
    await trio.sleep(60)
    assert (await client.post("/v1/models/a/b/predictions", json={"input": {}})).status_code == 201
    assert len(fake.jobs()) == 601


# Faults.


async def struck(client):
    try:
        answer = await client.post("/v1/predictions", json={"version": VERSION, "input": {}})
    except httpx.HTTPError as error:
        return type(error).__name__
    return answer.status_code


@pytest.mark.parametrize(
    ("kind", "seen", "made"),
    [
        (FaultKind.SERVER_ERROR, 500, 0),
        (FaultKind.RATE_LIMITED, 429, 0),
        (FaultKind.UNAUTHORIZED, 401, 0),
        (FaultKind.REFUSED, "ConnectError", 0),
        (FaultKind.REDIRECT, 307, 0),
        (FaultKind.HANG, "ReadTimeout", 1),
        (FaultKind.LOST_ANSWER, "RemoteProtocolError", 1),
        (FaultKind.CUT_BODY, "RemoteProtocolError", 1),
        (FaultKind.DRIP, 201, 1),
        (FaultKind.GARBAGE, 200, 1),
        (FaultKind.UNKNOWN_STATUS, 201, 1),
        (FaultKind.HUGE_BODY, 201, 1),
    ],
)
@pytest.mark.parametrize("acts", [None, True, False])
async def test_a_fault_strikes_once_and_the_work_is_done_or_not(autojump_clock, fake, client, kind, seen, made, acts):
    if acts is False and kind in (FaultKind.UNKNOWN_STATUS, FaultKind.DRIP, FaultKind.CUT_BODY, FaultKind.HUGE_BODY):
        with pytest.raises(ValueError, match="acts"):
            Fault(kind, acts=acts)
        return
    fake.inject(Fault(kind, "POST", "/v1/pred*", acts=acts, size=1000))
    assert await struck(client) == seen
    assert len(fake.jobs()) == (made if acts is None else int(acts))
    assert await struck(client) == 201
    assert [one.fault for one in fake.calls("POST")] == [kind, None]


async def test_a_fault_strikes_what_it_names_after_some(autojump_clock, fake, client):
    fake.inject(Fault(FaultKind.SERVER_ERROR, "GET", "/v1/account", times=2, skip=1))
    seen = [(await client.get(path)).status_code for path in ["/v1/predictions", *["/v1/account"] * 4]]
    assert seen == [200, 200, 500, 500, 200]


@pytest.mark.parametrize("form", Form)
async def test_a_429_says_how_long_in_one_place_or_nowhere(autojump_clock, fake, client, form):
    fake.inject(Fault(FaultKind.RATE_LIMITED, form=form, seconds=7))
    answer = await client.get("/v1/account")
    said = {
        Form.HEADER: answer.headers.get("retry-after"),
        Form.BODY: str(answer.json().get("retry_after", "")).removesuffix(".0") or None,
        Form.RESET: answer.headers.get("ratelimit-reset"),
    }
    assert said == {other: "7" if other is form else None for other in said}


async def test_a_drip_keeps_each_read_alive_and_the_answer_endless(autojump_clock, fake, client):
    fake.inject(Fault(FaultKind.DRIP, seconds=10))
    start = trio.current_time()
    answer = await client.get("/v1/account")
    assert trio.current_time() - start == 10 * len(answer.content)
    assert answer.json()["username"] == "greenroom"


async def test_a_huge_body_is_as_long_as_it_says(autojump_clock, fake, client):
    fake.inject(Fault(FaultKind.HUGE_BODY, size=5_000_000))
    answer = await client.get("/v1/account")
    assert len(answer.content) == 5_000_000 == int(answer.headers["content-length"])
    assert len(answer.json()) == 4_999_998


async def test_a_hang_without_a_time_out_lasts(autojump_clock, fake):
    fake.inject(Fault(FaultKind.HANG))
    async with httpx.AsyncClient(transport=FakeTransport(fake), timeout=None) as client:
        with trio.move_on_after(1e6) as scope:
            await client.get("https://api.example/v1/account", headers=AUTH)
    assert scope.cancelled_caught
    assert not math.isinf(scope.deadline)


async def test_an_unknown_status_strikes_lists_too(autojump_clock, fake, client):
    job = await create(client)
    fake.inject(Fault(FaultKind.UNKNOWN_STATUS, times=2))
    assert (await read(client, job))["status"] == "hibernating"
    assert (await client.get("/v1/predictions")).json()["results"][0]["status"] == "hibernating"
    assert (await read(client, job))["status"] == "processing"
