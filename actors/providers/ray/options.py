"""What may be set about the provider `ray`, with its defaults and checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Literal

import attrs

from actors.providers.entry_points import EntryPoint
from actors.providers.ray.runtime_env import runtime_env_faults

MIB = 1024 * 1024


@attrs.frozen
class RayOptions:
    """A Ray cluster.

    ``address``: of the head's dashboard. ``token_env``: the variable of the supervisor's environment that holds the
    cluster's token, where it wants one. ``cpus``, ``gpus``, ``memory`` (bytes): what the cluster has for our jobs
    (None: not counted, Ray itself lets jobs wait). ``cwd``: what becomes of a job's ``cwd``: its content is uploaded
    with the job, or the directory is ``shared``, there under the same path on every node, or it is left out (``none``).
    ``upload_bytes``: of the largest directory that is uploaded, packed. ``exclude``: names (globs) that are not
    uploaded. ``shared_dir``: a directory that this machine and all nodes have under the same path; with it jobs get
    places for output, progress and result there. ``stop_wait_seconds``: between SIGTERM and SIGKILL when a job is
    ended. ``runtime_env``: Ray's, under every job's own. ``secret_env``: variables of the supervisor's environment that
    a job may ask for by name. ``log_bytes``: of the largest log that is read. ``head_restart_ends_jobs``: true where
    whatever restarts the head also ends every node's processes, as KubeRay does; else a job that a restarted head has
    forgotten is uncertain.
    """

    address: str = "http://127.0.0.1:8265"
    token_env: str = "RAY_AUTH_TOKEN"  # noqa: S105 - the name of a variable, Ray's own
    cpus: int | None = None
    gpus: int | None = None
    memory: int | None = None
    cwd: Literal["upload", "shared", "none"] = "upload"
    upload_bytes: int = 100 * MIB  # what Ray accepts is five times that
    exclude: tuple[str, ...] = (".git", ".hg", ".venv", "venv", "__pycache__", ".ssh", ".env")
    shared_dir: str | None = None
    stop_wait_seconds: int = 10  # Ray takes whole seconds only
    runtime_env: Mapping[str, Any] = attrs.field(factory=dict)
    secret_env: tuple[str, ...] = ()
    log_bytes: int = 64 * MIB
    head_restart_ends_jobs: bool = False
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError naming the option."""
        for name, least in (("cpus", 1), ("gpus", 0), ("memory", 1), ("upload_bytes", 1), ("log_bytes", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}")
        if self.stop_wait_seconds < 0:
            raise ValueError("stop_wait_seconds must be 0 or more")
        if not self.address.startswith(("http://", "https://")):
            raise ValueError("address must begin with http:// or https://, such as http://127.0.0.1:8265")
        if self.shared_dir is not None and not PurePath(self.shared_dir).is_absolute():
            raise ValueError("shared_dir must be an absolute path")
        if any(not pattern or "/" in pattern for pattern in self.exclude):
            raise ValueError("exclude holds names or globs of single names, such as *.ckpt, without a slash")
        if faults := runtime_env_faults(self.runtime_env, "runtime_env"):
            raise ValueError("; ".join(faults))
