"""Ray's runtime environment as far as it can be checked here: Ray itself ignores unknown fields silently.

The fields are those of https://docs.ray.io/en/latest/ray-core/handling-dependencies.html#api-reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from actors.jobs.suggestions import did_you_mean

OURS = frozenset(
    {
        "GREENROOM_JOB_ID",
        "GREENROOM_CORRELATION_ID",
        "GREENROOM_OUTPUT_DIR",
        "GREENROOM_PROGRESS_FILE",
        "GREENROOM_RESULT_FILE",
        "RAY_JOB_STOP_WAIT_TIME_S",
    }
)
"""Variables that the provider sets; a request that sets one of them is refused."""

_FIELDS = frozenset(
    {
        "working_dir", "py_modules", "py_executable", "excludes", "pip", "uv", "conda", "env_vars", "container",
        "image_uri", "config", "nsight", "rocprof_sys", "worker_process_setup_hook", "java_jars", "mpi",
    }
)  # fmt: skip
_TYPES: Mapping[str, tuple[type, ...]] = {
    "working_dir": (str,), "py_modules": (list, tuple), "py_executable": (str,), "excludes": (list, tuple),
    "pip": (list, tuple, str, Mapping), "uv": (list, tuple, str, Mapping), "conda": (str, Mapping),
    "env_vars": (Mapping,), "container": (Mapping,), "image_uri": (str,), "config": (Mapping,),
}  # fmt: skip
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://\S+")


def is_remote(place: str) -> bool:
    """Whether ``place`` is an address that the nodes fetch by themselves, not a directory."""
    return _REMOTE.fullmatch(place) is not None


def runtime_env_faults(runtime_env: Mapping[str, Any], path: str) -> list[str]:
    """What is wrong with it, each beginning with the field's path; nothing is read from disk."""
    faults = []
    for name, value in runtime_env.items():
        if name not in _FIELDS:
            faults.append(f"{path}.{name!s:.80} is unknown{did_you_mean(str(name)[:80], sorted(_FIELDS))}")
        elif name in _TYPES and not isinstance(value, _TYPES[name]):
            words = " or ".join(sorted({_WORDS[kind] for kind in _TYPES[name]}))
            faults.append(f"{path}.{name} must be {words}, not {value!r:.80}")
    if faults:
        return faults
    place = runtime_env.get("working_dir")
    if place is not None and not is_remote(place) and not PurePath(place).is_absolute():
        faults.append(f"{path}.working_dir must be an absolute path or an address such as s3://, not {place!r:.80}")
    if not all(isinstance(module, str) and is_remote(module) for module in runtime_env.get("py_modules", ())):
        faults.append(f"{path}.py_modules must be addresses such as s3://; what lies here belongs in working_dir")
    return faults + environment_faults(runtime_env.get("env_vars", {}), f"{path}.env_vars")


def environment_faults(env: Mapping[Any, Any], path: str) -> list[str]:
    """What is wrong with these variables."""
    faults = [f"{path}.{name} is set by the provider itself" for name in sorted(OURS & set(env))]
    for name, value in env.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            faults.append(f"{path}: {name!r:.80} cannot be the name of a variable")
        elif not isinstance(value, str) or "\0" in value:
            faults.append(f"{path}.{name} must be a text without NUL characters")
    return faults


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Each layer over those before it: the later field wins, ``env_vars`` are merged name by name."""
    whole: dict[str, Any] = {}
    for layer in layers:
        env = {**whole.get("env_vars", {}), **layer.get("env_vars", {})}
        whole |= layer
        if env:
            whole["env_vars"] = env
    return whole


_WORDS: Mapping[type, str] = {str: "a text", list: "a list", tuple: "a list", Mapping: "an object"}
