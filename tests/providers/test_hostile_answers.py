"""What a provider answers is hostile: bounded after unpacking, wherever it is read.

Every call of every remote provider is made over an outside that answers any request of it in one hostile way. The
outside counts what was read of its answers; a place that reads them and is not known here is found in the source.
"""

from __future__ import annotations

import gzip
import re
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx
import orjson
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import Observation, Phase
from actors.providers.answers import LARGEST_OBJECT, LONGEST_TEXT, checked_observation
from actors.providers.base import LogChunk, Prepared, Provider
from actors.providers.breaker import BreakerOptions
from actors.providers.guard import Failure, GuardedProvider
from actors.providers.ray import RayOptions, RayProvider
from actors.providers.ray.cluster import _MOST_JOBS
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.providers.replicate.api import MOST_BYTES_OF_ONE
from actors.testing.fake_replicate import TOKEN
from tests.providers.provider_calls import CALLS, IDS, PREPARED, REMOTES

ROOT = Path(__file__).resolve().parents[2]
PIECE = b"x" * (1 << 20)
LOG_BYTES = 1 << 20

# The largest answer that any call reads; one piece more may come before that is noticed.
MOST = {"ray": _MOST_JOBS, "replicate": MOST_BYTES_OF_ONE}


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@attrs.define
class Body(httpx.AsyncByteStream):
    """``pieces`` one after the other, ``endless``: the last one for ever. ``sent`` bytes were taken so far."""

    pieces: tuple[bytes, ...]
    endless: bool = False
    sent: int = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await trio.lowlevel.checkpoint()
            self.sent += len(piece)
            yield piece
        while self.endless:
            await trio.lowlevel.checkpoint()
            self.sent += len(self.pieces[-1])
            yield self.pieces[-1]


def document(**fields: Any) -> bytes:
    """One job as either provider tells of it, at the head of a list and alone."""
    return orjson.dumps({"id": IDS[0], "submission_id": IDS[0], "status": "RUNNING", "logs": "x", **fields})


BOMB = gzip.compress(gzip.compress(b"\0" * (32 << 20)))
JSON = {"content-type": "application/json"}
ANSWERS: Mapping[str, tuple[int, Mapping[str, str], tuple[bytes, ...], bool]] = {
    # status, headers, pieces, endless
    "a bomb": (200, {"content-encoding": "gzip, gzip", **JSON}, (BOMB,), False),
    "a bomb as a refusal": (500, {"content-encoding": "gzip, gzip"}, (BOMB,), False),
    "an endless refusal": (500, {}, (PIECE,), True),
    "an endless 404": (404, {}, (PIECE,), True),
    "deep": (200, JSON, (b'{"id":"a","status":', deep(100_000), b"}"), False),
    "deep enough to be read": (200, JSON, (document().rstrip(b"}") + b',"output":' + deep(500) + b"}",), False),
    "no UTF-8": (200, JSON, (document().replace(b'"x"', b'"\xff\xfe"'),), False),
    "half a pair": (200, JSON, (document().replace(b'"x"', rb'"\ud800"'),), False),
    "a key twice": (200, JSON, (document().rstrip(b"}") + b',"id":"other","status":"failed"}',), False),
    "no numbers": (200, JSON, (document().replace(b'"x"', b"[NaN,1e999," + b"9" * 5000 + b"]"),), False),
    "wrong types": (
        200,
        JSON,
        (document(status=["x"], logs={"a": 1}, id={}, metadata=7, start_time="x", results=7),),
        False,
    ),
    "a long list": (200, JSON, (orjson.dumps([{"submission_id": 7}] * 20_000),), False),
    "long texts": (200, JSON, (document(status="s" * 100_000, message="m" * 100_000, error="e" * 100_000),), False),
    "empty": (200, JSON, (b"",), False),
    "null": (200, JSON, (b"null",), False),
}


@attrs.define
class Outside(httpx.AsyncBaseTransport):
    answer: tuple[int, Mapping[str, str], tuple[bytes, ...], bool]
    bodies: list[Body] = attrs.field(factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        status, headers, pieces, endless = self.answer
        self.bodies.append(Body(pieces, endless))
        return httpx.Response(status, headers=headers, stream=self.bodies[-1], request=request)


def guarded(kind: str, outside: httpx.AsyncBaseTransport) -> GuardedProvider:
    real: Provider
    if kind == "ray":
        real = RayProvider(RayOptions(log_bytes=LOG_BYTES), transport=outside)
    else:
        real = ReplicateProvider(ReplicateOptions(token_input="token", settle_seconds=0), transport=outside)
    PREPARED[real.name] = real.prepare(REMOTES[kind][1])
    assert isinstance(PREPARED[real.name], Prepared)
    return GuardedProvider(real, breaker=BreakerOptions(failures=10_000))


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)


def sensible(answer: object) -> None:
    """What the actors get is small, and can be written down."""
    if isinstance(answer, Failure):
        assert len(answer.message) <= 2_100
        answer.message.encode()
    elif isinstance(answer, list):
        assert all(isinstance(chunk, LogChunk) for chunk in answer)
    for seen in getattr(answer, "observations", {}).values():
        plain = attrs.asdict(checked_observation(seen))
        orjson.dumps({name: str(value) for name, value in plain.items()})
        assert all(len(value) <= LONGEST_TEXT for value in plain.values() if isinstance(value, str))


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("call", [call for call in CALLS if call != "log_cursor"])  # of this machine's provider alone
@pytest.mark.parametrize("kind", REMOTES)
async def test_a_hostile_answer_is_read_within_bounds_and_hurts_nobody(
    kind: str, call: str, answer: str, autojump_clock: MockClock
) -> None:
    """No call raises, none reads on for ever, and nothing is unpacked."""
    outside = Outside(ANSWERS[answer])
    provider = guarded(kind, outside)
    tracemalloc.start()
    try:
        with trio.fail_after(600):
            sensible(await CALLS[call][0](provider, IDS[0]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for body in outside.bodies:
        assert body.sent <= max(2 * len(PIECE), len(b"".join(body.pieces)))
    assert peak < 24 << 20, "something was unpacked, or kept many times over"


@pytest.mark.parametrize(
    ("kind", "call", "most"),
    [
        ("ray", "check", 16 << 20),
        ("ray", "logs", 6 * LOG_BYTES),
        ("ray", "cancel", 16 << 20),
        ("replicate", "check", 16 << 20),
        ("replicate", "observe_many of one", MOST_BYTES_OF_ONE),
        ("replicate", "logs", MOST_BYTES_OF_ONE),
        ("replicate", "delivery_secrets", 16 << 20),
    ],
)
async def test_an_endless_answer_is_given_up_at_its_bound(
    kind: str, call: str, most: int, autojump_clock: MockClock
) -> None:
    outside = Outside((200, JSON, (b'{"id": "', PIECE), True))
    provider = guarded(kind, outside)
    assert isinstance(await CALLS[call][0](provider, IDS[0]), Failure)
    for body in outside.bodies:
        assert body.sent <= most + 2 * len(PIECE)


async def test_what_a_job_left_is_bounded_before_anybody_keeps_it() -> None:
    """Whatever the provider: it is written down beside what is said of other jobs."""
    wide = {"a": "x" * (LARGEST_OBJECT + 1)}
    nested: dict[str, Any] = {}
    for _ in range(2000):
        nested = {"a": nested}
    seen = checked_observation(
        Observation(Phase.SUCCEEDED, raw_status="\ud800" * 9000, error="\udfff", progress=wide, result=nested)
    )
    assert set(seen.progress or {}) == set(seen.result or {}) == {"not_kept"}
    assert (len(seen.raw_status), seen.error) == (LONGEST_TEXT, "\ufffd")
    seen.raw_status.encode()
    for number in (2**63, -(2**63) - 1, 2**64 - 1, 10**400):  # no column takes them, and the others' rows go with it
        seen = checked_observation(Observation(Phase.FAILED, exit_code=number, signal=number))
        assert (seen.exit_code, seen.signal) == (None, None)
    assert checked_observation(Observation(Phase.FAILED, exit_code=0xC0000005)).exit_code == 0xC0000005


# Where answers are read: each of these bounds what it reads, and refuses what is packed.
READERS = {
    "actors/providers/http.py": "the client of every provider",
    "actors/providers/replicate/downloading.py": "results, into a file",
    "actors/providers/ray/logs.py": "the live output: messages of a bounded size",
}
READING = re.compile(
    r"\.(aiter_\w+|iter_bytes|iter_text|iter_raw|aread|get_message)\(|\bresponse\.(content|text|json\(\))"
    r"|get_async_client\(|httpx\.(AsyncClient|Client|get|post|stream)\("
)


def test_nobody_else_reads_what_comes_from_a_provider() -> None:
    """A new place where an answer is read is a decision: it belongs into the table, its bound into the test above."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "actors" / "providers").rglob("*.py"))
        if READING.search(path.read_text())
    }
    assert found == set(READERS)
    for path in READERS:
        assert re.search(r"most_bytes|copy_file_bytes|max_message_size", (ROOT / path).read_text())
