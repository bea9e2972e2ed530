"""``watch --url``: another machine's events, over a lost connection too."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
import trio

from actors.cli.context import Failed
from actors.cli.remote import _Watching
from actors.feed.server import FeedServer
from actors.runtime import RunningRuntime
from supervision import Supervisor


class Printed:
    """What a watch printed, line by line, with a wait for more."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = trio.Event()

    def echo(self, text: str | bytes, err: bool = False) -> None:
        self.lines.append(text.decode() if isinstance(text, bytes) else text)
        self._news.set()
        self._news = trio.Event()

    async def until(self, there: Callable[[list[str]], bool]) -> None:
        with trio.fail_after(60):
            while not there(self.lines):
                await self._news.wait()

    def numbers(self) -> list[int]:
        return [orjson.loads(line)["seq"] for line in self.lines if line.startswith("{")]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    found = Printed()
    monkeypatch.setattr("actors.cli.remote.click.echo", found.echo)
    return found


@pytest.mark.parametrize("grace", [60.0])
async def test_a_lost_connection_is_taken_up_where_it_was_lost(
    runtime: RunningRuntime, feed: FeedServer, supervisor: Supervisor, printed: Printed
) -> None:
    """The server stops and starts on the same port; what happened meanwhile comes once."""
    feed._options = type(feed._options)(port=feed.port)
    watching = _Watching(f"ws://127.0.0.1:{feed.port}", "boss", {"after": 0, "types": []}, as_json=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watching.run)
        await printed.until(lambda lines: "Connected; Ctrl-C ends this." in lines)
        await runtime.queue.set_limit("total", 5)
        await printed.until(lambda _lines: printed.numbers() == [1])
        await supervisor.stop_child("feed")
        await printed.until(lambda lines: any("the supervisor stops; trying again in 1 s" in line for line in lines))
        await runtime.queue.set_limit("total", 6)
        await supervisor.restart_child("feed")
        await runtime.queue.set_limit("total", 7)
        await printed.until(lambda _lines: len(printed.numbers()) == 3)
        nursery.cancel_scope.cancel()
    assert printed.numbers() == [1, 2, 3]


async def test_a_refusal_ends_it_in_words(feed: FeedServer, printed: Printed) -> None:
    watching = _Watching(f"ws://127.0.0.1:{feed.port}", "wrong", {}, as_json=False)
    with pytest.raises(Failed, match="this token is not known, or has ended"):
        await watching.run()


async def test_nobody_there_ends_it_in_words(printed: Printed) -> None:
    with pytest.raises(Failed, match="nobody answers at ws:"):
        await _Watching("ws://127.0.0.1:1", "t", {}, as_json=False).run()
