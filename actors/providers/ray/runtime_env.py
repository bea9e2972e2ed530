"""Checks Ray's runtime environment as far as possible, because Ray itself ignores unknown fields silently.

The fields are those of https://docs.ray.io/en/latest/ray-core/handling-dependencies.html#api-reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import attrs

from actors.providers import job_variables
from actors.providers.errors import FieldFault
from actors.providers.programs import environment_faults
from actors.providers.specs import read_spec
from actors.validation.values import fits

OURS = frozenset({*job_variables.SHARED, "RAY_JOB_STOP_WAIT_TIME_S"})
"""Variables that the provider sets; a request that sets one of them is refused."""

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://\S+")


def is_remote(place: str) -> bool:
    """Return whether ``place`` is an address that the nodes read by themselves, and not a directory."""
    return _REMOTE.fullmatch(place) is not None


_IS_PLACE = fits(
    lambda place: is_remote(place) or PurePath(place).is_absolute(),
    "must be an absolute path or an address such as s3://",
    with_value=True,
)
_ARE_REMOTE = fits(
    lambda modules: all(map(is_remote, modules)),
    "must be addresses such as s3://; what lies here belongs in working_dir",
)
_Packages = tuple[Any, ...] | str | Mapping[str, Any]


@attrs.frozen
class RuntimeEnv:
    """The fields that Ray knows, with their types as far as Ray's documentation gives one."""

    working_dir: str | None = attrs.field(default=None, validator=_IS_PLACE)
    py_modules: tuple[str, ...] = attrs.field(default=(), validator=_ARE_REMOTE)
    py_executable: str | None = None
    excludes: tuple[Any, ...] = ()
    pip: _Packages | None = None
    uv: _Packages | None = None
    conda: str | Mapping[str, Any] | None = None
    env_vars: Mapping[str, Any] = attrs.field(factory=dict)
    container: Mapping[str, Any] | None = None
    image_uri: str | None = None
    config: Mapping[str, Any] | None = None
    nsight: Any = None
    rocprof_sys: Any = None
    worker_process_setup_hook: Any = None
    java_jars: Any = None
    mpi: Any = None


def runtime_env_faults(runtime_env: Mapping[str, Any], path: str) -> list[FieldFault]:
    """Return what is wrong with it; each fault begins with the path of its field. Nothing is read from disk."""
    faults: list[FieldFault] = []
    read = read_spec(runtime_env, RuntimeEnv, faults, path)
    return faults if read is None else environment_faults(read.env_vars, OURS, f"{path}.env_vars")


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layers merged: later fields replace earlier ones, and ``env_vars`` are merged name by name."""
    whole: dict[str, Any] = {}
    for layer in layers:
        env = {**whole.get("env_vars", {}), **layer.get("env_vars", {})}
        whole |= layer
        if env:
            whole["env_vars"] = env
    return whole
