"""Hand-overs whose outcome is not settled: of which kind, and since when by Replicate's own time.

Where the provider has a folder it is written there before the hand-over, because our wall clock may be put right, or
wrong, before the next process searches for the job.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import attrs
import orjson
import trio

from actors.providers.errors import Unavailable
from actors.providers.replicate.preparing import PREDICTION, TRAINING
from actors.providers.replicate.reading import moment
from actors.providers.replicate.whole_files import write_whole

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


@attrs.define
class Try:
    """A creation without a clear answer. ``began``: Replicate's time before it was sent, None where it is not known.

    ``kinds``: what it can have made. ``ended``: trio's time when its answer was given up, None: not yet.
    """

    kinds: tuple[str, ...]
    began: datetime | None
    ended: float | None = None


class WrittenTries:
    """The tries in files below ``root``; None: nowhere."""

    def __init__(self, root: Path | None) -> None:
        self._folder = None if root is None else root / "handed-over"
        self._turn = trio.Lock()  # so that a file is not removed while it is written anew
        self._there: set[str] | None = None
        self._settled: set[str] = set()

    async def write(self, key: str, tried: Try) -> None:
        """Write one down. Raises :class:`Unavailable` where that cannot be done: then nothing may be handed over."""
        if self._folder is None or not _KEY.fullmatch(key):
            return
        began = None if tried.began is None else tried.began.isoformat()
        content = orjson.dumps({"kind": tried.kinds[0], "began": began})
        async with self._turn:
            self._settled.discard(key)
            if self._there is not None:
                self._there.add(key)
            try:
                await trio.to_thread.run_sync(_write, self._folder, key, content)
            except OSError as error:
                raise Unavailable(f"a hand-over cannot be written down before it is made: {error}") from error

    async def read(self, key: str) -> Try | None:
        """What an earlier process wrote; None where it wrote nothing. Raises :class:`Unavailable`."""
        if self._folder is None or not _KEY.fullmatch(key):
            return None
        try:
            return _read(await trio.to_thread.run_sync((self._folder / f"{key}.json").read_bytes))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"what was written down of a hand-over cannot be read: {error}") from error

    def settle(self, key: str) -> None:
        """This one is not to be searched for any more: the next :meth:`drop` removes it."""
        if self._folder is not None:
            self._settled.add(key)

    async def drop(self, keys: Iterable[str]) -> None:
        """Remove what was settled, and ``keys``, which stand in the rows. What cannot be removed now is left."""
        if self._folder is None:
            return
        async with self._turn:
            if self._there is None:
                self._there = await trio.to_thread.run_sync(_keys, self._folder)
            settled = self._there & self._settled.union(keys)
            self._settled.clear()
            if settled:
                self._there -= settled
                await trio.to_thread.run_sync(_remove, self._folder, settled)


def _write(folder: Path, key: str, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / f"{key}.json", content)


def _read(content: bytes) -> Try:
    try:
        noted = orjson.loads(content)
        kind, began = noted["kind"], moment(noted["began"])
    except (ValueError, KeyError, TypeError):  # damaged: nothing is known of it but that it was
        return Try((PREDICTION, TRAINING), None)
    return Try((kind,) if kind in (PREDICTION, TRAINING) else (PREDICTION, TRAINING), began)


def _keys(folder: Path) -> set[str]:
    try:
        return {path.stem for path in folder.glob("*.json")}
    except OSError:
        return set()


def _remove(folder: Path, keys: Iterable[str]) -> None:
    for key in keys:
        try:
            (folder / f"{key}.json").unlink(missing_ok=True)
        except OSError:
            continue
