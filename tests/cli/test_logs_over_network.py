"""``logs --follow`` over the network: byte for byte, and over a lost connection."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from actors.cli import event_stream
from actors.cli.group import cli
from tests.cli.test_event_stream import CONNECTED, Answer, stream, target
from tests.cli.test_network import answering, greenroom

JOB = greenroom(200, orjson.dumps({"job_id": "j", "status": "running"}))
ENDED = greenroom(200, orjson.dumps({"job_id": "j", "status": "completed"}))
END = (9, "end", {"type": "end", "status": "completed"})


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(event_stream.time, "sleep", found.append)
    return found


def output(cursor: int, data: bytes) -> tuple[int, str, dict[str, Any]]:
    return cursor, "output", {"type": "output", "base64": b64encode(data).decode()}


def followed(answers: list[Answer], token_file: Path, *words: str) -> tuple[Result, list[str]]:
    with answering(answers) as (url, received):
        typed = ["--url", url, "--token-file", str(token_file), "logs", "-f", *words, "train"]
        done = CliRunner().invoke(cli, typed, env={"GREENROOM_URL": None, "GREENROOM_SOCKET": None})
    return done, [target(one) for one in received]


def test_it_continues_where_the_connection_was_lost(token_file: Path, pauses: list[float]) -> None:
    """The job is asked for by its id: another one may have its name by then. Bytes that are no UTF-8 stay."""
    page = greenroom(200, b"a\n", "X-Next-Cursor: 2%3A2")
    cut = stream((1, "connection", CONNECTED), output(4, b"\xff\n"), output(6, b"c\n"), cut=4)
    rest = stream((1, "connection", CONNECTED), output(6, b"c\n"), (6, "notice", {"text": "shorter"}), END)
    done, targets = followed([JOB, page, cut, rest], token_file, "--tail", "1")
    assert (done.exit_code, done.stdout_bytes) == (0, b"a\n\xff\nc\n\n[shorter]\n")
    assert targets == [
        "/api/jobs/train", "/api/jobs/j/logs?limit=65536&tail=1",
        "/api/jobs/j/logs/stream?cursor=2%3A2&encoding=base64", "/api/jobs/j/logs/stream?cursor=4&encoding=base64",
    ]  # fmt: skip
    assert pauses == [1]
    assert "was lost before the answer was whole; going on in 1 s" in done.stderr


def test_watch_too_asks_for_its_job_by_the_id_and_says_which_events_are_missing(token_file: Path) -> None:
    gap = {"type": "gap", "after": 3, "missing": 4, "resume": 7}
    cut = stream((1, "connection", CONNECTED), (7, "gap", gap), cut=2)
    rest = stream((7, "connection", CONNECTED), (7, "gap", gap), (8, "goodbye", {}))
    with answering([JOB, cut, rest]) as (url, received):
        typed = ["--url", url, "--token-file", str(token_file), "watch", "--job", "train"]
        done = CliRunner().invoke(cli, typed, env={"GREENROOM_URL": None, "GREENROOM_SOCKET": None})
    assert [target(one) for one in received] == [
        "/api/jobs/train", "/api/events?job_id=j", "/api/events?job_id=j&after=1",
    ]  # fmt: skip
    assert "(4 events after 3 are no longer kept)" in done.stderr
    assert done.exit_code == 1


def test_output_that_was_not_followed_to_its_end_is_a_failure(token_file: Path) -> None:
    answers = [JOB, greenroom(200, b""), stream(output(2, b"a\n"), (3, "goodbye", {}))]
    done, _ = followed(answers, token_file)
    words = "the supervisor has stopped; the output was not followed to its end"
    assert (done.exit_code, done.stdout, done.stderr) == (1, "a\n", f"greenroom: {words}\n")


@pytest.mark.parametrize(
    ("now", "status", "words"),
    [
        (JOB, 1, "greenroom: the output could not be followed to its end; the job is running\n"),
        (ENDED, 0, ""),
    ],
)
def test_output_that_becomes_unreadable_ends_as_on_the_socket(
    token_file: Path, now: Answer, status: int, words: str
) -> None:
    """F1: the same output and the same exit status: a line says so, and it is a failure if the job goes on."""
    detail = {"detail": "the output cannot be read any further: gone"}
    answers = [JOB, greenroom(200, b""), stream(output(2, b"a\n"), (3, "unreadable", detail)), now]
    done, _ = followed(answers, token_file)
    shown = "a\n\n[the output cannot be read any further: gone]\n"
    assert (done.exit_code, done.stdout, done.stderr) == (status, shown, words)


def test_an_ended_job_without_output_since_then_is_not_followed(token_file: Path) -> None:
    done, targets = followed([ENDED, greenroom(200, b"")], token_file, "--since", "2026-01-31T22:00:00Z")
    assert (done.exit_code, done.output, len(targets)) == (0, "", 2)
