"""What counts against the two remote providers: what they make of an answer, and of none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from actors.providers.breaker import BreakerOptions, BreakerState
from actors.providers.guard import CallDeadlines, Failure, GuardedProvider
from actors.testing.fake_replicate import TOKEN
from tests.providers.provider_calls import CALLS, HANDLES, IDS, NEVER, PREPARED, REMOTES, real_one


@attrs.define
class Outside(httpx.AsyncBaseTransport):
    """Answers every request about ``job`` (None: every request whatever) in one way, and the others well."""

    answer: Callable[[httpx.Request], httpx.Response]
    job: str | None
    well: Callable[[httpx.Request], httpx.Response]
    struck: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        if self.job is None or self.job in request.url.path or self.job.encode() in await request.aread():
            self.struck += 1
            return self.answer(request)
        return self.well(request)


def raising(kind: type[Exception]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise kind("broken")

    return answer


def saying(status: int, **content: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(status, **content)


ANSWERS: Mapping[str, tuple[Callable[[httpx.Request], httpx.Response], str]] = {
    # What comes, and what counts for a question about one job.
    "400": (saying(400, text="bad"), "nobody"),
    "403": (saying(403, text="no"), "nobody"),
    "404": (saying(404, text="none"), "nobody"),
    "408": (saying(408, text="slow"), "nobody"),
    "409": (saying(409, text="clash"), "nobody"),
    "422": (saying(422, text="odd"), "nobody"),
    "429": (saying(429, text="too many"), "nobody"),
    "500": (saying(500, text="UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff"), "job"),
    "502": (saying(502, text="gateway"), "job"),
    "503": (saying(503, text="busy"), "job"),
    "html": (saying(200, text="<html>hello</html>"), "job"),
    "packed": (saying(200, content=b"x", headers={"content-encoding": "gzip, gzip"}), "job"),
    "redirect": (saying(302, headers={"location": "https://elsewhere.invalid/"}), "job"),
    "answer lost": (raising(httpx.ReadError), "job"),
    "unreachable": (raising(httpx.ConnectError), "provider"),
}
# Calls that make a request which names the job.
OVER_HTTP = {
    "ray": ("find", "observe_many of one", "cancel", "logs", "forget"),
    "replicate": ("observe_many of one", "cancel", "logs"),
}


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)


def over_http(kind: str, tmp_path: Path, outside: Outside) -> GuardedProvider:
    real = real_one(kind, tmp_path, outside)
    PREPARED[real.name] = real.prepare(REMOTES[kind][1])
    return GuardedProvider(real, CallDeadlines(), BreakerOptions(open_seconds=1e9))


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("kind", "call"), [(kind, call) for kind in OVER_HTTP for call in OVER_HTTP[kind]])
async def test_one_job_that_cannot_be_told_of_stops_nobody_else(
    kind: str, call: str, answer: str, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Asked about twenty times in a row, with no success between: the others are asked about all the same."""
    given, counted = ANSWERS[answer]
    outside = Outside(given, IDS[0], REMOTES[kind][0])
    provider = over_http(kind, tmp_path, outside)
    for _ in range(20):
        await CALLS[call][0](provider, IDS[0])
    assert outside.struck >= 5
    alone = answer == "unreachable" and call not in NEVER and counted == "provider"
    assert provider.breaker.state is (BreakerState.OPEN if alone else BreakerState.CLOSED)
    if not alone:
        assert not isinstance(await provider.observe_many({IDS[1]: HANDLES[IDS[1]]}), Failure)


@pytest.mark.parametrize("answer", [name for name, (_, counted) in ANSWERS.items() if counted != "nobody"])
@pytest.mark.parametrize("kind", OVER_HTTP)
async def test_a_provider_that_answers_nobody_is_left_alone(
    kind: str, answer: str, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The same answers to everything: a few calls about several jobs, or about all of them, open the breaker."""
    provider = over_http(kind, tmp_path, Outside(ANSWERS[answer][0], None, REMOTES[kind][0]))
    for number in range(6):
        await provider.observe_many({IDS[number % 2]: HANDLES[IDS[number % 2]]})
    assert provider.breaker.state is BreakerState.OPEN
    other = over_http(kind, tmp_path, Outside(ANSWERS[answer][0], None, REMOTES[kind][0]))
    for call in ("check", "observe_many", "check", "observe_many", "check"):
        await CALLS[call][0](other, IDS[0])
    assert other.breaker.state is BreakerState.OPEN
