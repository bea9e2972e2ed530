"""Remembers submissions whose outcome is not known: what they can have created, and since when, in Replicate's own
time.

If the provider has a folder, this is written there before the submission. Our wall clock may be changed before the next
process searches for the job.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import attrs
import trio

from actors.providers.errors import Unavailable, explained_as
from actors.providers.replicate.key_files import KeyFiles, is_file_name
from actors.providers.replicate.preparing import PREDICTION, TRAINING
from actors.providers.replicate.reading import moment


@attrs.define
class Unsettled:
    """A creation without a clear answer. ``began``: Replicate's time before it was sent; None: not known.

    ``kinds``: what it can have created. ``ended``: trio's time when its answer was given up; None: not yet.
    """

    kinds: tuple[str, ...]
    began: datetime | None
    ended: float | None = None


class UnsettledFiles:
    """The submissions in files below ``root``; None: they are not kept in files."""

    def __init__(self, root: Path | None) -> None:
        self._files = None if root is None else KeyFiles(root / "handed-over")
        self._turn = trio.Lock()  # so that a file is not removed while it is written anew
        self._there: set[str] | None = None
        self._settled: set[str] = set()

    async def write(self, key: str, unsettled: Unsettled) -> None:
        """Write one down. Raises :class:`Unavailable` where that cannot be done: then nothing may be submitted."""
        if self._files is None or not is_file_name(key):
            return
        began = None if unsettled.began is None else unsettled.began.isoformat()
        async with self._turn:
            self._settled.discard(key)
            if self._there is not None:
                self._there.add(key)
            with explained_as(Unavailable, "a submission cannot be written down before it is made"):
                await trio.to_thread.run_sync(self._files.write, key, {"kind": unsettled.kinds[0], "began": began})

    async def read(self, key: str) -> Unsettled | None:
        """What an earlier process wrote; None where it wrote nothing. Raises :class:`Unavailable`."""
        if self._files is None or not is_file_name(key):
            return None
        try:
            written = await trio.to_thread.run_sync(self._files.read, key)
            kind, began = written["kind"], moment(written["began"])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"what was written down of a submission cannot be read: {error}") from error
        except (ValueError, KeyError, TypeError):  # damaged: nothing is known of it but that it was
            kind, began = None, None
        return Unsettled((kind,) if kind in (PREDICTION, TRAINING) else (PREDICTION, TRAINING), began)

    def settle(self, key: str) -> None:
        """Note that this one is not searched for any more. The next :meth:`drop` removes it."""
        if self._files is not None:
            self._settled.add(key)

    async def drop(self, keys: Iterable[str]) -> None:
        """Remove what was settled, and ``keys``, whose jobs are in the rows. What cannot be removed now is left."""
        if self._files is None:
            return
        async with self._turn:
            if self._there is None:
                self._there = await trio.to_thread.run_sync(_keys, self._files)
            settled = self._there & self._settled.union(keys)
            self._settled.clear()
            if settled:
                self._there -= settled
                await trio.to_thread.run_sync(_remove, self._files, settled)


def _keys(files: KeyFiles) -> set[str]:
    try:
        return set(files.all_keys())
    except OSError:
        return set()


def _remove(files: KeyFiles, keys: Iterable[str]) -> None:
    for key in keys:
        with suppress(OSError):
            files.remove(key)
