"""What counts against a provider: every call of every provider, and every way in which it can fail.

The calls are those of the guard, so that a new one is missing here; the providers are those that can be configured.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from actors.jobs.records import JobRequest
from actors.providers import errors
from actors.providers.base import Idempotency, Prepared, Provider
from actors.providers.breaker import BreakerOptions, BreakerState
from actors.providers.deliveries import Rejected
from actors.providers.guard import CallDeadlines, Failure, GuardedProvider
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.ray import RayOptions, RayProvider
from actors.providers.registry import kinds
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.slurm import SlurmOptions, SlurmProvider
from actors.testing.fake_replicate import TOKEN

IDS = ("ja-1", "jb-1")
HANDLES = {key: {"id": key, "session": "s1", "run": key, "dir": key} for key in IDS}
ONE = {IDS[0]: HANDLES[IDS[0]]}


async def submit(provider: GuardedProvider, key: str) -> object:
    return await provider.submit(key, "token", PREPARED[provider.name], {"job_id": key})


PREPARED: dict[str, Prepared] = {}

# By the guard's method and how it is used: what is asked, and of how many jobs: one, or the provider as a whole.
CALLS: Mapping[str, tuple[Callable[[GuardedProvider, str], Awaitable[object]], bool]] = {
    "check": (lambda provider, _key: provider.check(), False),
    "submit": (submit, True),
    "find": (lambda provider, key: provider.find(key, "token"), True),
    "observe_many": (lambda provider, _key: provider.observe_many(HANDLES), False),
    "observe_many of one": (lambda provider, key: provider.observe_many({key: HANDLES[key]}), True),
    "cancel": (lambda provider, key: provider.cancel(key, HANDLES[key]), True),
    "logs": (lambda provider, key: provider.logs(key, HANDLES[key]), True),
    "log_cursor": (lambda provider, key: provider.log_cursor(key, HANDLES[key], lines=1, since=None), True),
    "records_since": (lambda provider, _key: provider.records_since(), False),
    "held": (lambda provider, _key: provider.held(), False),
    "delivery_secrets": (lambda provider, _key: provider.delivery_secrets(fresh=True), False),
    "forget": (lambda provider, key: provider.forget(key, HANDLES[key]), True),
}
NOT_THROUGH_THE_BREAKER = {
    "capacity",
    "devices",
    "prepare",
    "check_requests",
    "stored_bytes",
    "read_delivery",
    "follow",
    "watch",
    "settled",
    "aclose",
}
NEVER = {"logs", "log_cursor"}


def test_no_call_is_left_out() -> None:
    """Whatever the guard offers is in the grid, or is known to ask nobody or to wait an outage out."""
    offered = {name for name, _ in inspect.getmembers(GuardedProvider, inspect.isfunction) if not name.startswith("_")}
    assert offered == {name.partition(" ")[0] for name in CALLS} | NOT_THROUGH_THE_BREAKER
    through = {name for name in offered if "self._call(" in inspect.getsource(getattr(GuardedProvider, name))}
    assert through == offered - NOT_THROUGH_THE_BREAKER


# At the provider's own methods: whatever kind of provider it is.

FAILURES: Mapping[str, Callable[[], Exception | None]] = {
    "unreachable": lambda: errors.Unavailable("no route"),
    "5xx": lambda: errors.Unavailable("500", reached=True),
    "5xx, perhaps accepted": lambda: errors.OutcomeUnknown("500"),
    "not understood": lambda: errors.Protocol("<html>"),
    "hangs": lambda: None,
    "invalid": lambda: errors.Invalid("400"),
    "not found": lambda: errors.NotFound("404"),
    "conflict": lambda: errors.Conflict("409"),
    "auth": lambda: errors.Auth("401"),
    "forbidden": lambda: errors.Forbidden("402"),
    "rate limited": lambda: errors.RateLimited("429"),
    "refused": lambda: errors.ProviderError("418"),
    "a 4xx that may be tried again": lambda: _with_status(errors.Unavailable("408", reached=True), 408),
    "a bug": lambda: KeyError("x"),
}
ALL_KINDS = ("unreachable", "5xx", "5xx, perhaps accepted", "not understood", "hangs")


def _with_status(error: errors.ProviderError, status: int) -> errors.ProviderError:
    error.status = status
    return error


def expected(call: str, failure: str, *, about_one: bool, local: bool) -> str:
    """Against whom it counts: "nobody", "job" or "provider", as the promise has it in words."""
    if call in NEVER:
        return "nobody"
    if failure == "a 4xx that may be tried again":
        return "nobody" if about_one else "provider"
    if failure not in ALL_KINDS or (local and failure in ("5xx, perhaps accepted", "not understood")):
        return "nobody"
    return "job" if about_one and failure != "unreachable" else "provider"


class Failing:
    """A provider with the capabilities of a real one, whose methods fail as they are told to."""

    def __init__(self, real: Provider, failure: Callable[[], Exception | None]) -> None:
        self.name = real.name
        self.capabilities = real.capabilities
        self.failure: Callable[[], Exception | None] | None = failure

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "remarks":
            raise AttributeError(name)

        async def fail(*_: object, **__: object) -> Any:
            await trio.lowlevel.checkpoint()
            if (error := self.failure() if self.failure is not None else None) is not None:
                raise error
            await trio.sleep_forever()

        async def fail_in_a_stream(*_: object, **__: object) -> Any:
            yield await fail()

        return fail_in_a_stream if name == "logs" else fail


def real_one(kind: str, tmp_path: Path, transport: httpx.AsyncBaseTransport | None = None) -> Provider:
    match kind:
        case "local":
            return LocalProvider(LocalOptions(), tmp_path)
        case "ray":
            return RayProvider(RayOptions(), transport=transport)
        case "replicate":
            return ReplicateProvider(ReplicateOptions(token_input="token", settle_seconds=0), transport=transport)
        case "slurm":
            return SlurmProvider(SlurmOptions(), tmp_path)
        case "scripted":
            return ScriptedProvider(ScriptedOptions(), ScriptedRemote())
        case "slurm":
            return SlurmProvider(SlurmOptions(), tmp_path)
    raise AssertionError(f"this test does not know providers of kind {kind}")


async def counts(provider: GuardedProvider, call: str, times: int = 20) -> str:
    """Against whom failures of ``call`` count: found out by what they do to the breaker."""
    ask, _about_one = CALLS[call]
    for _ in range(times):
        await ask(provider, IDS[0])
    if provider.breaker.state is BreakerState.OPEN:
        return "provider"
    for number in range(times):  # another job's calls are the second witness
        await ask(provider, IDS[number % 2])
    return "job" if provider.breaker.state is BreakerState.OPEN else "nobody"


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", kinds())
async def test_what_a_failure_counts_against(
    kind: str, call: str, failure: str, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Output: nobody. A refusal: nobody. One job's question: that job, until a second one fails, too."""
    real = real_one(kind, tmp_path)
    PREPARED[real.name] = Prepared({})
    provider = GuardedProvider(Failing(real, FAILURES[failure]), breaker=BreakerOptions(open_seconds=1e9))  # type: ignore[arg-type]
    about_one = CALLS[call][1]
    if call == "find":
        about_one = real.capabilities.submit_idempotency is Idempotency.CLIENT_ID
    local = real.capabilities.ends_are_local_events
    assert await counts(provider, call) == expected(call, failure, about_one=about_one, local=local)


# Over HTTP: what the two remote providers make of an answer, and of none.


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


def ray_says(request: httpx.Request) -> httpx.Response:
    path = request.url.path
    if path == "/api/version":
        return httpx.Response(200, json={"ray_version": "2.60.0", "session_name": "s1"})
    if path.endswith("/stop"):
        return httpx.Response(200, json={"stopped": True})
    if path.endswith("/logs"):
        return httpx.Response(200, json={"logs": "said\n"})
    if request.method == "DELETE":
        return httpx.Response(200, json={"deleted": True})
    if path == "/api/jobs/":
        jobs = [{"submission_id": key, "status": "RUNNING"} for key in IDS]
        return httpx.Response(200, json=jobs if request.method == "GET" else {"submission_id": "new"})
    return httpx.Response(200, json={"submission_id": path.rpartition("/")[2], "status": "RUNNING", "metadata": {}})


def replicate_says(request: httpx.Request) -> httpx.Response:
    path = request.url.path
    job = {"id": path.removesuffix("/cancel").rpartition("/")[2], "status": "processing"}
    if path.endswith("/secret"):
        return httpx.Response(200, json={"key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    if path in ("/v1/predictions", "/v1/trainings"):
        return httpx.Response(200, json={"results": [{"id": key, "status": "processing"} for key in IDS]})
    return httpx.Response(201 if request.method == "POST" and "cancel" not in path else 200, json=job)


REMOTES = {
    "ray": (ray_says, JobRequest(command=("true",))),
    "replicate": (replicate_says, JobRequest(spec={"model": "ana/model", "input": {}})),
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


@pytest.mark.parametrize("failure", [name for name in FAILURES if name != "hangs"])
@pytest.mark.parametrize("kind", kinds())
def test_what_asks_nobody_counts_against_nobody(kind: str, failure: str, tmp_path: Path) -> None:
    """A request that cannot be prepared, a delivery that cannot be read."""

    class Odd:
        name = kind
        capabilities = real_one(kind, tmp_path).capabilities

        def fail(self, *_: object) -> Any:
            error = FAILURES[failure]()
            assert error is not None
            raise error

        capacity = prepare = read_delivery = fail

    provider = GuardedProvider(Odd())  # type: ignore[arg-type]
    for _ in range(20):
        assert isinstance(provider.capacity(), Failure)
        assert isinstance(provider.prepare(JobRequest()), Failure)
        assert isinstance(provider.read_delivery({}, (), datetime.now(UTC)), Rejected)
    assert provider.breaker.state is BreakerState.CLOSED
