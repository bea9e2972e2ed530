"""What a target says, made fit to be shown."""

from __future__ import annotations

from actors.jobs.os_text import printable
from logconf.masking import mask_text

_LONGEST = 200


def readable(text: str) -> str:
    """One line of at most 200 characters without secrets."""
    line = " ".join(mask_text(text[: 10 * _LONGEST]).split())
    return printable(line)[:_LONGEST]
