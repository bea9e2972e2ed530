"""Shows texts from outside in messages."""

from __future__ import annotations

from actors.jobs.os_text import printable
from logconf.masking import mask_text

_LONGEST = 200


def sample(said: str | bytes) -> str:
    """Return the beginning of ``said`` as one line of at most 200 characters: printable, and with secrets masked."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return mask_text(" ".join(printable(text[: 4 * _LONGEST]).split()))[:_LONGEST]
