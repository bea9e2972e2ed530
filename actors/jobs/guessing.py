"""The guess that a good error message ends with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` where one of ``known`` is near, else the list of them where it is short, else nothing."""
    names = list(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(names)}" if 0 < len(names) <= 12 else ""
