"""How far each job's progress was read, kept over our own restarts: one small file a job, beside all job directories.

Written after the reading and not synced: what a crash of the machine may lose is read once more.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import attrs

from actors.providers.json_reading import json_object
from actors.providers.local.progress import Progress, ProgressPlace


@attrs.define
class ProgressPlaces:
    """The places of all jobs in ``folder``; None: they are kept in memory alone."""

    folder: Path | None = None
    _open: dict[str, Progress] = attrs.field(factory=dict)
    _kept: dict[str, ProgressPlace] = attrs.field(factory=dict)

    def of(self, key: str) -> Progress:
        """The progress of one job, from where it was read up to before."""
        if (known := self._open.get(key)) is not None:
            return known
        place = self._stored(key)
        self._kept.setdefault(key, place)
        return self._open.setdefault(key, Progress(place))  # two threads may look at one job

    def keep(self, key: str) -> None:
        """Write down how far it was read, where that has changed; a disk that refuses costs a second reading."""
        progress = self._open.get(key)
        if self.folder is None or progress is None or progress.place == self._kept.get(key):
            return
        place = self._kept[key] = progress.place
        file = self._file(key)
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_text(json.dumps(attrs.asdict(place)))
            part.replace(file)

    def close(self, key: str) -> None:
        """Nothing more is read of a job that has ended."""
        self._open.pop(key, None)
        self._kept.pop(key, None)
        if self.folder is not None:
            with suppress(OSError):
                self._file(key).unlink(missing_ok=True)

    def _stored(self, key: str) -> ProgressPlace:
        if self.folder is None:
            return ProgressPlace()
        try:
            written = json_object(self._file(key).read_bytes()) or {}
            return ProgressPlace(**written)
        except (OSError, TypeError, ValueError):  # not there, or of another version: it is read from its beginning
            return ProgressPlace()

    def _file(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{key}.json"
