"""Makes the body of a submission from a request. Every fault that can be found here is refused before anything is sent.

A request by entry point may come from a user who may not send commands (B21). A runtime environment is as powerful as a
command: it names interpreters, images, packages to install, and directories of this machine to upload. So such a
request takes the runtime environment and the directory from the configuration only.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import attrs

from actors.jobs.environment import beyond_usual
from actors.jobs.quantities import WholeSeconds
from actors.jobs.records import Capacity, JobRequest
from actors.jobs.suggestions import did_you_mean
from actors.providers.base import Prepared
from actors.providers.entry_points import entry_point_faults
from actors.providers.errors import FieldFault, Invalid, wrong
from actors.providers.programs import Program, encoding_faults, environment_faults, program_of, resource_faults
from actors.providers.ray.options import RayOptions
from actors.providers.ray.runtime_env import OURS, is_remote, merged, runtime_env_faults
from actors.providers.specs import read_spec
from actors.validation import Format, Wrong
from actors.validation.values import OR_MORE

TOKEN, JOB_ID, CORRELATION_ID, DEADLINE = (
    "greenroom_token", "greenroom_job_id", "greenroom_correlation_id", "greenroom_max_runtime",
)  # fmt: skip
"""Names in a Ray job's metadata by which we know it again."""

_OF_COMMANDS = ("runtime_env", "secret_env")


def _metadata_name(value: Any, usual: Callable[[Any], str]) -> str:
    if (name := usual(value)).startswith("greenroom_"):
        raise Wrong("must be a name that does not begin with greenroom_")
    return name


def _amount(value: Any, usual: Callable[[Any], float]) -> float:
    if (amount := usual(value)) < 0:
        raise Wrong("must be 0 or more")
    return amount


@attrs.frozen
class RaySpec:
    """The ``spec`` of a request; each field is Ray's own, but for ``secret_env``.

    ``runtime_env``: Ray's runtime environment, over that of the configuration. ``metadata``: texts that Ray shows with
    the job. ``entrypoint_resources``: custom resources that the program needs. ``entrypoint_label_selector``: labels
    that its node must have. ``stop_wait_seconds``: the time between SIGTERM and SIGKILL, instead of the provider's.
    ``secret_env``: variables of the supervisor's environment that the job gets; each must be among the provider's.
    """

    runtime_env: Mapping[str, Any] = attrs.field(factory=dict)
    metadata: Mapping[Annotated[str, Format(_metadata_name)], str] = attrs.field(factory=dict)
    entrypoint_resources: Mapping[str, Annotated[float, Format(_amount)]] | None = None
    entrypoint_label_selector: Mapping[str, str] | None = None
    stop_wait_seconds: WholeSeconds | None = attrs.field(default=None, validator=OR_MORE)
    secret_env: tuple[str, ...] = ()


def prepare_request(request: JobRequest, options: RayOptions) -> Prepared:
    """The body of a submission but for what names the job and secrets. Raises :class:`Invalid` naming every fault."""
    faults: list[FieldFault] = []
    program = program_of(request, options.entry_points, faults)
    if program.entry is not None:
        faults += entry_point_faults(request, program.entry, _OF_COMMANDS)
    faults += environment_faults(program.env, OURS)
    if (spec := read_spec(request.spec, RaySpec, faults)) is not None:
        faults += runtime_env_faults(spec.runtime_env, "spec.runtime_env")
        faults += [
            wrong(
                "spec.secret_env",
                f": {name!r:.80} is not among the provider's secret_env{did_you_mean(name[:80], options.secret_env)}",
            )
            for name in spec.secret_env
            if name not in options.secret_env
        ]
    capacity = Capacity(options.cpus, options.gpus, options.memory)
    faults += resource_faults(request, capacity, "the provider is configured to have")
    faults += encoding_faults(request, program, _inherited(request), "Ray")
    if faults or spec is None:
        raise Invalid(*faults)
    return Prepared(_body(request, spec, options, program))


def _body(request: JobRequest, spec: RaySpec, options: RayOptions, program: Program) -> dict[str, Any]:
    stop_wait = options.stop_wait_seconds if spec.stop_wait_seconds is None else spec.stop_wait_seconds
    variables = {**_inherited(request), **program.env}
    runtime_env = merged(options.runtime_env, spec.runtime_env, {"env_vars": variables})
    runtime_env["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"] = str(stop_wait)
    upload = runtime_env.get("working_dir")
    if upload is None and options.cwd == "upload":
        upload = program.cwd
    if upload is not None and not is_remote(upload):
        runtime_env.pop("working_dir", None)
    else:
        upload = None
    there = program.cwd if options.cwd == "shared" else None
    metadata = dict(spec.metadata)
    if request.max_runtime is not None:
        metadata[DEADLINE] = f"{request.max_runtime:g}"
    body = {
        "entrypoint": entrypoint(program.argv, there, request.max_runtime, stop_wait),
        "entrypoint_num_cpus": request.resources.cpus,
        "entrypoint_num_gpus": request.resources.gpus,
        "entrypoint_memory": request.resources.memory,
        "entrypoint_resources": spec.entrypoint_resources,
        "entrypoint_label_selector": spec.entrypoint_label_selector,
        "runtime_env": runtime_env,
        "metadata": metadata,
    }
    return {
        "request": {name: value for name, value in body.items() if value is not None},
        "upload": upload,
        "secret_env": list(spec.secret_env),
    }


def entrypoint(argv: tuple[str, ...], cwd: str | None, max_runtime: float | None, stop_wait: int) -> str:
    """Return ``argv`` as the shell line that Ray expects. Each argument is quoted as one word.

    The shell becomes the program. Ray signals the processes that it sees at one moment, and would miss a program that a
    shell is just starting. Ray has no deadline of its own, so ``timeout`` is used. In the foreground, it stays in the
    process group that Ray kills when it loses the job.
    """
    if max_runtime is not None:
        argv = ("timeout", "--foreground", f"--kill-after={stop_wait}", f"{max_runtime:g}", *argv)
    line = f"exec {shlex.join(argv)}"
    return line if cwd is None else f"cd {shlex.quote(cwd)} && {line}"


def _inherited(request: JobRequest) -> Mapping[str, str]:
    """Return the variables that the submitter named. The usual ones (PATH, HOME) mean nothing on another machine."""
    found = beyond_usual(request.env_from, request.inherited_env or {})
    return {name: value for name, value in found.items() if name not in OURS}
