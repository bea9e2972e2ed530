"""A submission whose outcome is not known: what it can have created, and since when, in Replicate's own time.

The provider notes it before the submission, because our wall clock may be changed before the next process searches for
the job.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self

import attrs

from actors.providers.replicate.preparing import PREDICTION, TRAINING
from actors.providers.replicate.reading import moment
from actors.providers.submission_notes import Note


@attrs.define
class Unsettled:
    """A creation without a clear answer. ``began``: Replicate's time before it was sent; None: not known.

    ``kinds``: what it can have created. ``ended``: trio's time when its answer was given up; None: not yet.
    """

    kinds: tuple[str, ...]
    began: datetime | None
    ended: float | None = None

    def note(self) -> Note:
        """Return what the next process needs of it."""
        return {"kind": self.kinds[0], "began": None if self.began is None else self.began.isoformat()}

    @classmethod
    def of(cls, note: Note) -> Self:
        """Return what an earlier process noted. Where the note is damaged, nothing is known but that it was sent."""
        try:
            kind, began = note["kind"], moment(note["began"])
        except (ValueError, KeyError, TypeError):
            kind, began = None, None
        return cls((kind,) if kind in (PREDICTION, TRAINING) else (PREDICTION, TRAINING), began)
