"""What a job inherits of its submitter's environment: the names it asks for, as the submitter has them.

Values are what :mod:`actors.jobs.os_text` says. A variable whose name is not UTF-8 is never inherited: no
configuration, command line or job file can name it, and only a pattern such as ``CUDA_*`` could match it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from actors.jobs.os_text import from_bytes, is_utf8

DEFAULT_ENV_FROM = (
    "PATH", "HOME", "LANG", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "CUDA_*", "HF_HOME",
)  # fmt: skip
"""What every job inherits."""


def inherited(names: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """The values of ``names`` that ``environ`` has; a trailing ``*`` matches a prefix."""
    found: dict[str, str] = {}
    for name in names:
        if name.endswith("*"):
            start = name[:-1]
            found |= {key: environ[key] for key in environ if key.startswith(start) and is_utf8(key)}
        elif is_utf8(name) and (value := environ.get(name)) is not None:
            found[name] = value
    return {name: value if value.isascii() else from_bytes(os.fsencode(value)) for name, value in found.items()}
