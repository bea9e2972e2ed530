"""``--rerun``, ``--rerun-on`` and ``--rerun-delay`` of ``submit``."""

from __future__ import annotations

from typing import Any

import click

from actors.jobs.suggestions import did_you_mean

_EXIT = "exit:"
_KINDS = ("interrupted", "failed", "timed_out")


def rerun_of(times: int | None, on: str | None, delay: float | None) -> dict[str, Any] | None:
    """The ``rerun`` of a request as the API accepts it; None if none of the options was given."""
    if times is None:
        for option, value in (("--rerun-on", on), ("--rerun-delay", delay)):
            if value is not None:
                raise click.UsageError(f"{option} needs --rerun N: how often the job may run again")
        return None
    found: dict[str, Any] = {"times": times}
    if on is not None:
        kinds, codes = _ends(on)
        found |= {"on": kinds, "exit_codes": codes}
    return found if delay is None else {**found, "delay": delay}


def _ends(text: str) -> tuple[list[str], list[int]]:
    """The kinds of ends and the exit statuses in a text such as ``interrupted,exit:75``."""
    kinds, codes = [], []
    for word in (part.strip() for part in text.split(",")):
        if word.startswith(_EXIT) and word.removeprefix(_EXIT).isdecimal():
            codes.append(int(word.removeprefix(_EXIT)))
        elif word in _KINDS:
            kinds.append(word)
        else:
            known = f"{', '.join(_KINDS)} or {_EXIT}STATUS"
            raise click.BadParameter(
                f"must be {known}, not {word!r}{did_you_mean(word, _KINDS)}", param_hint="--rerun-on"
            )
    return kinds, codes
