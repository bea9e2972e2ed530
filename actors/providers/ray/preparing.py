"""From a request to the body of a submission: every fault that can be found here is refused before it is sent.

A request by entry point may come from somebody who may not send commands (B21). A runtime environment is as
powerful as a command (it names interpreters, images, packages to install, directories of this machine to upload), so
that such a request takes it, and the directory, from the configuration alone.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

import attrs

from actors.jobs.records import DEFAULT_ENV_FROM, Capacity, JobRequest
from actors.jobs.request_texts import first_not_utf8
from actors.jobs.suggestions import did_you_mean
from actors.providers.base import Prepared
from actors.providers.entry_points import EntryPoint
from actors.providers.errors import Invalid
from actors.providers.programs import Program, program_of, resource_faults
from actors.providers.ray.options import RayOptions
from actors.providers.ray.runtime_env import OURS, environment_faults, is_remote, merged, runtime_env_faults

TOKEN, JOB_ID, CORRELATION_ID, DEADLINE = (
    "greenroom_token", "greenroom_job_id", "greenroom_correlation_id", "greenroom_max_runtime",
)  # fmt: skip
"""Names in a Ray job's metadata by which we know it again."""

_SPEC = (
    "runtime_env", "metadata", "entrypoint_resources", "entrypoint_label_selector", "stop_wait_seconds", "secret_env",
)  # fmt: skip
_OF_COMMANDS = ("runtime_env", "secret_env")


def prepare_request(request: JobRequest, options: RayOptions) -> Prepared:
    """The body of a submission but for what names the job and secrets. Raises :class:`Invalid` naming every fault."""
    faults: list[str] = []
    program = program_of(request, options.entry_points, faults)
    if program.entry is not None:
        faults += _entry_point_faults(request, program.entry)
    faults += environment_faults(program.env, "env")
    faults += _spec_faults(request, options)
    capacity = Capacity(options.cpus, options.gpus, options.memory)
    faults += resource_faults(request, capacity, "the provider is configured to have")
    faults += _encoding_faults(request, program)
    if faults:
        raise Invalid("; ".join(faults))
    return Prepared(_body(request, options, program))


def _encoding_faults(request: JobRequest, program: Program) -> list[str]:
    """Ray takes text only. What the usual variables hold here is not sent, so it may be anything."""
    sent = attrs.evolve(
        request, command=program.argv, cwd=program.cwd, env=program.env, inherited_env=_inherited(request)
    )
    path = first_not_utf8(sent)
    return [] if path is None else [f"{path} is not UTF-8: Ray takes text only"]


def _body(request: JobRequest, options: RayOptions, program: Program) -> dict[str, Any]:
    spec = request.spec
    stop_wait = spec.get("stop_wait_seconds", options.stop_wait_seconds)
    variables = {**_inherited(request), **program.env}
    runtime_env = merged(options.runtime_env, spec.get("runtime_env", {}), {"env_vars": variables})
    runtime_env["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"] = str(stop_wait)
    upload = runtime_env.get("working_dir")
    if upload is None and options.cwd == "upload":
        upload = program.cwd
    if upload is not None and not is_remote(upload):
        runtime_env.pop("working_dir", None)
    else:
        upload = None
    there = program.cwd if options.cwd == "shared" else None
    metadata = dict(spec.get("metadata", {}))
    if request.max_runtime is not None:
        metadata[DEADLINE] = f"{request.max_runtime:g}"
    body = {
        "entrypoint": entrypoint(program.argv, there, request.max_runtime, stop_wait),
        "entrypoint_num_cpus": request.resources.cpus,
        "entrypoint_num_gpus": request.resources.gpus,
        "entrypoint_memory": request.resources.memory,
        "entrypoint_resources": spec.get("entrypoint_resources"),
        "entrypoint_label_selector": spec.get("entrypoint_label_selector"),
        "runtime_env": runtime_env,
        "metadata": metadata,
    }
    return {
        "request": {name: value for name, value in body.items() if value is not None},
        "upload": upload,
        "secret_env": list(spec.get("secret_env", ())),
    }


def entrypoint(argv: tuple[str, ...], cwd: str | None, max_runtime: float | None, stop_wait: int) -> str:
    """``argv`` as the shell line that Ray expects; each argument is quoted as one word.

    The shell becomes the program: Ray signals the processes that it sees at one moment, and a shell that is about to
    start another would leave that one behind. Ray has no deadline of its own, ``timeout`` has; in the foreground it
    stays in the process group that Ray kills when it loses the job.
    """
    if max_runtime is not None:
        argv = ("timeout", "--foreground", f"--kill-after={stop_wait}", f"{max_runtime:g}", *argv)
    line = f"exec {shlex.join(argv)}"
    return line if cwd is None else f"cd {shlex.quote(cwd)} && {line}"


def _entry_point_faults(request: JobRequest, entry: EntryPoint) -> list[str]:
    faults = [
        f"spec.{name} belongs to a command; an entry point has that of the configuration"
        for name in _OF_COMMANDS
        if name in request.spec
    ]
    if request.cwd is not None and request.cwd != entry.cwd:
        faults.append("cwd belongs to a command; an entry point has that of the configuration")
    return faults


def _inherited(request: JobRequest) -> Mapping[str, str]:
    """What the submitter named itself: the usual names (PATH, HOME) mean nothing on another machine."""
    if request.env_from == DEFAULT_ENV_FROM or request.inherited_env is None:
        return {}
    return {name: value for name, value in request.inherited_env.items() if name not in OURS}


def _spec_faults(request: JobRequest, options: RayOptions) -> list[str]:
    spec = request.spec
    faults = [
        f"spec.{name!s:.80} is unknown{did_you_mean(str(name)[:80], _SPEC)}" for name in spec if name not in _SPEC
    ]
    for name in ("runtime_env", "metadata", "entrypoint_resources", "entrypoint_label_selector"):
        if name in spec and not isinstance(spec[name], Mapping):
            return [*faults, f"spec.{name} must be an object, not {spec[name]!r:.80}"]
    faults += runtime_env_faults(spec.get("runtime_env", {}), "spec.runtime_env")
    for name, value in spec.get("metadata", {}).items():
        if not isinstance(value, str) or str(name).startswith("greenroom_"):
            faults.append(
                f"spec.metadata.{name!s:.80} must be a text, under a name that does not begin with greenroom_"
            )
    for name, value in spec.get("entrypoint_resources", {}).items():
        if not _is_amount(value):
            faults.append(f"spec.entrypoint_resources.{name!s:.80} must be a number from 0, not {value!r:.80}")
    for name, value in spec.get("entrypoint_label_selector", {}).items():
        if not isinstance(value, str):
            faults.append(f"spec.entrypoint_label_selector.{name!s:.80} must be a text, not {value!r:.80}")
    stop_wait = spec.get("stop_wait_seconds", 0)
    if not _is_amount(stop_wait) or not isinstance(stop_wait, int):
        faults.append(f"spec.stop_wait_seconds must be a whole number from 0, not {stop_wait!r:.80}")
    return faults + _secret_faults(spec.get("secret_env", ()), options)


def _secret_faults(names: Any, options: RayOptions) -> list[str]:
    if not isinstance(names, (list, tuple)):
        return [f"spec.secret_env must be a list of names, not {names!r:.80}"]
    return [
        f"spec.secret_env: {name!r:.80} is not among the provider's secret_env"
        f"{did_you_mean(str(name)[:80], options.secret_env)}"
        for name in names
        if name not in options.secret_env
    ]


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
