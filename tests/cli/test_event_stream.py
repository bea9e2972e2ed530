"""Events over the network: a lost connection is taken up after the last event, and not for ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from actors.cli import waiting
from actors.cli.client import Client
from actors.cli.context import Failed, TryLater
from actors.cli.event_stream import GIVE_UP_SECONDS, Patience, events
from actors.cli.network import network_address
from tests.cli.test_network import answering, greenroom

Answer = bytes | Callable[[bytes], bytes]


def stream(*events: tuple[int, str, dict[str, Any]], cut: int = 0) -> Answer:
    """An answer of a supervisor with these events (number, name, document) that never ends; ``cut``: bytes left out."""
    lines = []
    for number, name, document in events:
        named = "" if name == "message" else f"event: {name}\n"
        lines.append(f"id: {number}\n{named}data: {orjson.dumps(document).decode()}\n\n".encode())
    body = b"".join(lines)
    chunk = b"%x\r\n%b" % (len(body), body[:-cut] if cut else body + b"\r\n")
    head = greenroom(200, b"")
    return lambda request: head(request).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + chunk


CONNECTED = {"type": "connected"}


@pytest.fixture
def client_of(tmp_path: Path) -> Callable[[str], Client]:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("gr_abc")
    return lambda url: Client(supervisor=network_address(url, "--url", str(token), "--token-file", insecure=False))


def target(request: bytes) -> str:
    return request.split(b" ")[1].decode()


def test_it_goes_on_after_the_last_event_that_came_whole(client_of: Callable[[str], Client]) -> None:
    """The second event was cut off in the middle, so that it comes again."""
    first = stream((7, "connection", CONNECTED), (8, "message", {"n": 1}), (9, "message", {"n": 2}), cut=4)
    busy = greenroom(503, b'{"detail": "too many streams"}', "Retry-After: 5")
    second = stream((8, "connection", CONNECTED), (9, "message", {"n": 2}), (10, "goodbye", {"type": "goodbye"}))
    pauses: list[float] = []
    with answering([first, busy, second]) as (url, received):
        client = client_of(url)
        found = list(events(client, {"job_id": "j"}, Patience(client, pauses.append)))
    assert [event.get("n", kind) for kind, event in found] == ["connection", 1, "connection", 2, "goodbye"]
    assert [target(one) for one in received] == [
        "/api/events?job_id=j", "/api/events?job_id=j&after=8", "/api/events?job_id=j&after=8",
    ]  # fmt: skip
    assert pauses == [1, 5]


def test_where_it_never_began_it_fails_at_once(client_of: Callable[[str], Client]) -> None:
    with answering([b""]) as (url, _):
        client = client_of(url)
        with pytest.raises(Failed, match="without an answer"):
            list(events(client, {}, Patience(client, _never)))


def _never(_seconds: float) -> None:
    raise AssertionError("nothing is to be waited for")


def test_what_will_not_pass_ends_it_at_once(client_of: Callable[[str], Client]) -> None:
    first = stream((7, "connection", CONNECTED))
    with answering([first, greenroom(401, b"{}")]) as (url, _):
        client = client_of(url)
        with pytest.raises(Failed, match="does not accept the token"):
            list(events(client, {}, Patience(client, lambda _seconds: None)))


def test_it_gives_up_after_a_quarter_of_an_hour_without_an_answer(client_of: Callable[[str], Client]) -> None:
    pauses: list[float] = []
    patience = Patience(client_of("http://127.0.0.1:1"), pauses.append)

    def fail() -> None:
        raise TryLater("nobody listens", 1)

    with pytest.raises(TryLater):
        patience.ask(fail)
    assert pauses[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert GIVE_UP_SECONDS <= sum(pauses) < GIVE_UP_SECONDS + 30


def job(job_id: str, status: str) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "config_name": "a",
        "status": status,
        "reason": None,
        "created_at": "2026-01-31T22:00:00Z",
    }


def page(jobs: Sequence[dict[str, Any]], following: str | None = None) -> Answer:
    return greenroom(200, orjson.dumps({"jobs": jobs, "next": following}))


def test_many_jobs_are_read_as_a_list(client_of: Callable[[str], Client]) -> None:
    """A request for each would soon be too many for one token; what is in no page is asked for by itself."""
    submitted = [job(f"j{number}", "pending") for number in range(30)]
    done = [job(f"j{number}", "completed") for number in range(30)]
    others = [job("other", "running")]
    answers = [
        stream((7, "connection", CONNECTED)), page([*others, *done[:20]], "next-page"), page(done[20:29]),
        greenroom(200, orjson.dumps(done[29])),
    ]  # fmt: skip
    with answering(answers) as (url, received):
        ended = waiting.wait_for(client_of(url), submitted)
    assert list(ended.values()) == done
    since = "since=2026-01-31T22%3A00%3A00Z"
    assert [target(one) for one in received[1:]] == [
        f"/api/jobs?limit=1000&{since}", f"/api/jobs?limit=1000&{since}&cursor=next-page", "/api/jobs/j29",
    ]  # fmt: skip


def test_a_wait_outlives_lost_connections(
    client_of: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its jobs are submitted already: even the first connection is tried again, and so is a look at a job."""
    monkeypatch.setattr("actors.cli.event_stream.time.sleep", lambda _seconds: None)
    submitted = job("j", "pending")
    done = {**submitted, "status": "completed"}
    answers: Sequence[Answer] = [
        b"", stream((7, "connection", CONNECTED)), b"", greenroom(200, orjson.dumps(submitted)),
        stream((7, "connection", CONNECTED)), greenroom(200, orjson.dumps(done)),
    ]  # fmt: skip
    with answering(answers) as (url, received):
        ended = waiting.wait_for(client_of(url), [submitted])
    assert ended == {"j": done}
    assert len(received) == len(answers)
    assert (
        "closed the connection without an answer; if it is encrypted, write https://; going on in 1 s)"
        in capsys.readouterr().err
    )
