"""The suggestion at the end of a good error message, for everything in ``actors`` except its kernel, which knows no
jobs.

The kernel uses the one of :mod:`supervision.checks`, which depends on nothing else.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` where one of ``known`` is near, else nothing."""
    near = difflib.get_close_matches(wrong[:80], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """:func:`suggestion`, or else the list of what is known where it is short."""
    names = list(known)
    return suggestion(wrong, names) or (f"; known are {', '.join(names)}" if 0 < len(names) <= 12 else "")


def suggestion_of_configured(wrong: str, known: Iterable[str], section: str) -> str:
    """:func:`suggestion`, or else where more may be added: in ``section`` of the configuration."""
    names = list(known)
    listed = f"known are {', '.join(names)}; " if 0 < len(names) <= 12 else ""
    return (
        suggestion(wrong, names) or f"; {listed}others are added in section {section} of the supervisor's configuration"
    )


def one_letter_apart(one: str, other: str) -> bool:
    """Whether one letter added, left out or changed, or two neighbours swapped, makes ``one`` the ``other``."""
    short, long = sorted((one, other), key=len)
    start = next((index for index, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(long) - len(short) == 1:
        return short[start:] == long[start + 1 :]
    if len(long) != len(short) or short == long:
        return False
    swapped = short[:start] + short[start : start + 2][::-1] + short[start + 2 :]
    return short[start + 1 :] == long[start + 1 :] or swapped == long
