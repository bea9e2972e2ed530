"""Keeps what only the submitting process knows of a submission, until the job's handle is in the runtime's rows.

A process can end after it has sent a submission and before the handle is committed. The next process looks the job up,
and needs to know of that submission: when it was sent in the provider's own time, or in which session of the cluster.
So the provider writes a note before it sends a submission.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import trio

from actors.providers.errors import Unavailable, explained_as
from actors.providers.key_files import KeyFiles, is_file_name

Note = Mapping[str, Any]
DAMAGED: Note = {}
"""In place of a note that cannot be understood: a submission was to be sent, and nothing else is known of it."""


class SubmissionNotes:
    """The notes of one provider, in files below ``root``, its own folder; None: nothing is noted."""

    def __init__(self, root: Path | None) -> None:
        self._files = None if root is None else KeyFiles(root / "handed-over")
        self._turn = trio.Lock()  # so that a file is not removed while it is written anew
        self._there: set[str] | None = None
        self._settled: set[str] = set()

    async def write(self, key: str, note: Note) -> None:
        """Write a note. Raises :class:`Unavailable` where that cannot be done: then nothing may be submitted."""
        if self._files is None or not is_file_name(key):
            return
        async with self._turn:
            self._settled.discard(key)
            if self._there is not None:
                self._there.add(key)
            with explained_as(Unavailable, "a submission cannot be written down before it is made"):
                await trio.to_thread.run_sync(self._files.write, key, note)

    async def read(self, key: str) -> Note | None:
        """The note of ``key``; None: there is none. Raises :class:`Unavailable`."""
        if self._files is None or not is_file_name(key) or key in self._settled:
            return None
        try:
            note = await trio.to_thread.run_sync(self._files.read, key)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"what was written down of a submission cannot be read: {error}") from error
        except ValueError:
            return DAMAGED
        return note if isinstance(note, Mapping) else DAMAGED

    def settle(self, key: str) -> None:
        """Note that this one is not searched for any more. The next :meth:`drop` removes its note."""
        if self._files is not None:
            self._settled.add(key)

    async def drop(self, keys: Iterable[str]) -> None:
        """Remove what was settled, and ``keys``, whose handles are in the rows. What cannot be removed now is left."""
        if self._files is None:
            return
        async with self._turn:
            if self._there is None:
                self._there = await trio.to_thread.run_sync(_keys, self._files)
            settled = self._there & self._settled.union(keys)
            if settled:  # what is cancelled here is done again
                left = await trio.to_thread.run_sync(_remove, self._files, settled)
                self._there -= settled - left
            self._settled &= self._there


def _keys(files: KeyFiles) -> set[str]:
    try:
        return set(files.all_keys())
    except OSError:
        return set()


def _remove(files: KeyFiles, keys: Iterable[str]) -> set[str]:
    """Remove these files. Returns the keys of those that could not be removed."""
    left = set()
    for key in keys:
        try:
            files.remove(key)
        except OSError:
            left.add(key)
    return left
