"""From a request to what the shim will run: checked here, so that what can be known to be wrong is refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.jobs.records import Capacity, JobRequest
from actors.providers.base import Prepared, describe_capacity
from actors.providers.entry_points import find_entry_point
from actors.providers.errors import Invalid
from actors.providers.local.environment import OURS
from actors.providers.local.options import LocalOptions


def prepare_request(request: JobRequest, options: LocalOptions, capacity: Capacity) -> Prepared:
    """The body of a submission. Raises :class:`Invalid` naming every fault and its fix."""
    faults: list[str] = []
    argv, cwd, env = _program(request, options, faults)
    faults += _environment_faults(env)
    faults += _resource_faults(request, capacity)
    if cwd is not None and (not cwd.startswith("/") or "\0" in cwd):
        faults.append(f"cwd must be an absolute path, not {cwd!r:.80}")
    if request.max_runtime is not None and not request.max_runtime > 0:
        faults.append("max_runtime must be more than 0 seconds")
    if request.spec:
        faults.append(f"spec.{next(iter(request.spec))!s:.80} is unknown: this provider takes no spec, use command")
    if faults:
        raise Invalid("; ".join(faults))
    inherited = request.inherited_env
    return Prepared(
        {
            "argv": list(argv),
            "cwd": cwd,
            "env": env,
            "inherited_env": None if inherited is None else dict(inherited),
            "gpus": request.resources.gpus,
            "max_runtime": request.max_runtime,
        }
    )


def _program(
    request: JobRequest, options: LocalOptions, faults: list[str]
) -> tuple[tuple[str, ...], str | None, dict[str, str]]:
    if (request.command is None) == (request.entry_point is None):
        faults.append("give either command (an argv) or entry_point (a name of the configuration)")
        return (), request.cwd, dict(request.env)
    if request.command is not None:
        if request.params:
            faults.append("params belong to an entry_point; a command holds its arguments itself")
        if not request.command or not request.command[0]:
            faults.append("command must name a program")
        if any("\0" in argument for argument in request.command):
            faults.append("command must not hold NUL characters")
        return request.command, request.cwd, dict(request.env)
    assert request.entry_point is not None
    entry = find_entry_point(options.entry_points, request.entry_point)
    return entry.argv(request.params), request.cwd or entry.cwd, {**request.env, **entry.env}


def _environment_faults(env: Mapping[str, Any]) -> list[str]:
    faults = [f"env.{name} is set by the provider itself" for name in sorted(OURS & set(env))]
    for name, value in env.items():
        if not name or "=" in name or "\0" in name:
            faults.append(f"env: {name!r:.80} cannot be the name of a variable")
        elif not isinstance(value, str) or "\0" in value:
            faults.append(f"env.{name} must be a text without NUL characters")
    return faults


def _resource_faults(request: JobRequest, capacity: Capacity) -> list[str]:
    faults = []
    for name in ("cpus", "gpus", "memory"):
        wanted, there = getattr(request.resources, name), getattr(capacity, name)
        if wanted is not None and wanted < 0:
            faults.append(f"resources.{name} must be 0 or more")
        elif wanted is not None and there is not None and wanted > there:
            faults.append(f"resources.{name}: {wanted} wanted, this machine has {describe_capacity(capacity)}")
    return faults
