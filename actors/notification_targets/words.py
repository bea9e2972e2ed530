"""Cleans the text that a target answered, so that it can be shown."""

from __future__ import annotations

from actors.jobs.os_text import printable
from logconf.masking import mask_text

_LONGEST = 200


def readable(text: str) -> str:
    """Return the text as one line of at most 200 characters, without secrets."""
    line = " ".join(mask_text(text[: 10 * _LONGEST]).split())
    return printable(line)[:_LONGEST]
