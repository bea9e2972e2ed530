"""What a job inherits from its submitter's environment: the variables that it names, with the submitter's values.

Values are as in :mod:`actors.jobs.os_text`. A variable whose name is not UTF-8 is never inherited: no configuration,
command line or job file can name it, and only a pattern such as ``CUDA_*`` could match it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from actors.jobs.os_text import from_bytes, is_utf8

DEFAULT_ENV_FROM = (
    "PATH", "HOME", "LANG", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "CUDA_*", "HF_HOME",
)  # fmt: skip
"""What every job inherits."""


ALL = "all"
"""The name that stands for every variable."""


def with_usual(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` beside those that every job inherits, each once."""
    return tuple(dict.fromkeys((*DEFAULT_ENV_FROM, *names)))


def beyond_usual(names: Sequence[str], found: Mapping[str, str]) -> dict[str, str]:
    """Those of ``found`` that were asked for beside the usual ones; where those were not asked for, all of them."""
    usual = len(DEFAULT_ENV_FROM)
    if tuple(names[:usual]) != DEFAULT_ENV_FROM:
        return dict(found)
    return {
        name: value
        for name, value in found.items()
        if any(_is_meant(name, one) for one in names[usual:])
        and not any(_is_meant(name, one) for one in DEFAULT_ENV_FROM)
    }


def not_set(names: Iterable[str], found: Iterable[str]) -> list[str]:
    """Those of ``names`` that were asked for beside the usual ones and are the name or pattern of none of ``found``."""
    there = list(found)
    asked = [name for name in names if name not in DEFAULT_ENV_FROM]
    return [name for name in asked if name != ALL and not any(_is_meant(one, name) for one in there)]


def _is_pattern(name: str) -> bool:
    return name == ALL or any(mark in name for mark in "*?[")


def _is_meant(variable: str, name: str) -> bool:
    return name == ALL or variable == name or (_is_pattern(name) and fnmatchcase(variable, name))


def inherited(names: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """The values of ``names`` that ``environ`` has: names, patterns such as ``WANDB_*``, and ``all``."""
    found: dict[str, str] = {}
    for name in names:
        if _is_pattern(name):
            found |= {key: environ[key] for key in environ if _is_meant(key, name) and is_utf8(key)}
        elif is_utf8(name) and (value := environ.get(name)) is not None:
            found[name] = value
    return {name: value if value.isascii() else from_bytes(os.fsencode(value)) for name, value in found.items()}
