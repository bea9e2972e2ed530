"""The settings of the provider `ray`, with their defaults and checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from actors.jobs.quantities import Bytes, WholeSeconds
from actors.providers.entry_points import EntryPoint
from actors.providers.ray.runtime_env import runtime_env_faults
from actors.validation.values import ABSOLUTE, OR_MORE, at_least, fits

MIB = 1024 * 1024


_IS_ADDRESS = fits(
    lambda address: address.startswith(("http://", "https://")),
    "must begin with http:// or https://, such as http://127.0.0.1:8265",
)
_ARE_NAMES = fits(
    lambda patterns: all(pattern and "/" not in pattern for pattern in patterns),
    "holds names or globs of single names, such as *.ckpt, without a slash",
)


def _is_runtime_env(_: Any, attribute: attrs.Attribute[Any], value: Mapping[str, Any]) -> None:
    if faults := runtime_env_faults(value, attribute.name):
        raise ValueError("; ".join(map(str, faults)))


@attrs.frozen
class RayOptions:
    """A Ray cluster.

    ``address``: the address of the head's dashboard. ``token_env``: the variable of the supervisor's environment that
    holds the cluster's token, if the cluster needs one. ``cpus``, ``gpus``, ``memory``: what the cluster has for our
    jobs; None: not counted, so that Ray itself lets jobs wait. ``cwd``: what happens with a job's ``cwd``: its content
    is uploaded with the job (``upload``), the directory has the same path on every node (``shared``), or it is ignored
    (``none``). ``upload_bytes``: the largest directory that is uploaded, by its packed size. ``exclude``: names, or
    globs of names, that are not uploaded. ``shared_dir``: a directory that this machine and all nodes have under the
    same path. With it, jobs get places for output, progress and result there. ``stop_wait_seconds``: the time between
    SIGTERM and SIGKILL when a job is ended. ``runtime_env``: Ray's runtime environment for all jobs; a job's own is
    merged over it. ``secret_env``: variables of the supervisor's environment that a job may ask for by name.
    ``log_bytes``: how much of a log is read at most. ``head_restart_ends_jobs``: true if every restart of the head also
    ends the processes of all nodes, as with KubeRay. Otherwise a job that a restarted head has forgotten is uncertain.
    """

    address: str = attrs.field(default="http://127.0.0.1:8265", validator=_IS_ADDRESS)
    token_env: str = "RAY_AUTH_TOKEN"  # noqa: S105 - the name of a variable, Ray's own
    cpus: int | None = attrs.field(default=None, validator=at_least(1))
    gpus: int | None = attrs.field(default=None, validator=at_least(0))
    memory: Bytes | None = attrs.field(default=None, validator=at_least(1))
    cwd: Literal["upload", "shared", "none"] = "upload"
    upload_bytes: Bytes = attrs.field(default=100 * MIB, validator=at_least(1))  # what Ray accepts is five times that
    exclude: tuple[str, ...] = attrs.field(
        default=(".git", ".hg", ".venv", "venv", "__pycache__", ".ssh", ".env"), validator=_ARE_NAMES
    )
    shared_dir: str | None = attrs.field(default=None, validator=ABSOLUTE)
    stop_wait_seconds: WholeSeconds = attrs.field(default=10, validator=OR_MORE)  # Ray takes whole seconds only
    runtime_env: Mapping[str, Any] = attrs.field(factory=dict, validator=_is_runtime_env)
    secret_env: tuple[str, ...] = ()
    log_bytes: Bytes = attrs.field(default=64 * MIB, validator=at_least(1))
    head_restart_ends_jobs: bool = False
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)
