"""A store that cannot be written is noticed within 30 s where nothing else writes (D6), and so is its recovery."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio
from sqlalchemy.exc import OperationalError

from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, store

PROMISED = 30.0


@contextmanager
def full_disk(_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As SQLite says it when the write-ahead log cannot grow."""

    def commit(_connection: object) -> None:
        fault = sqlite3.OperationalError("database or disk is full")
        fault.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise OperationalError("COMMIT", {}, fault)

    with monkeypatch.context() as patched:
        patched.setattr(store, "commit", commit)
        yield


@contextmanager
def read_only(broken: Store, _monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SQLite's own refusal, as after a remount."""
    assert broken._writer is not None
    broken._writer.exec_driver_sql("PRAGMA query_only=1")
    yield
    broken._writer.exec_driver_sql("PRAGMA query_only=0")


@contextmanager
def lock_of_another(broken: Store, _monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The lock of a connection that is none of ours."""
    assert broken._writer is not None
    assert broken.path is not None
    broken._writer.exec_driver_sql("PRAGMA busy_timeout=0")
    with closing(sqlite3.connect(broken.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize(
    ("fault", "words"),
    [(full_disk, "disk is full"), (read_only, "read"), (lock_of_another, "held by another process")],
)
async def test_a_store_that_cannot_be_written_is_noticed_without_any_work(
    tmp_path: Path, fault: Callable[..., Iterator[None]], words: str, monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,
) -> None:  # fmt: skip
    broken = Store(tmp_path / "db", executor=InlineExecutor(), now=VirtualClock().now)
    await broken.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(broken.keep_probing)
        await trio.sleep(PROMISED)
        assert broken.reasons == ()
        with fault(broken, monkeypatch):
            await trio.sleep(PROMISED)
            assert words in broken.reasons[0]
        await trio.sleep(PROMISED)
        assert broken.reasons == ()
        nursery.cancel_scope.cancel()
    await broken.aclose()
