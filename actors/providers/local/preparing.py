"""From a request to what the shim will run: checked here, so that what can be known to be wrong is refused at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.jobs.records import Capacity, JobRequest
from actors.providers.base import Prepared
from actors.providers.errors import Invalid
from actors.providers.local.environment import OURS
from actors.providers.local.options import LocalOptions
from actors.providers.programs import program_of, resource_faults


def prepare_request(request: JobRequest, options: LocalOptions, capacity: Capacity) -> Prepared:
    """The body of a submission. Raises :class:`Invalid` naming every fault and its fix."""
    faults: list[str] = []
    program = program_of(request, options.entry_points, faults)
    faults += _environment_faults(program.env)
    faults += resource_faults(request, capacity, "this machine has")
    if request.spec:
        faults.append(f"spec.{next(iter(request.spec))!s:.80} is unknown: this provider takes no spec, use command")
    if faults:
        raise Invalid("; ".join(faults))
    inherited = request.inherited_env
    return Prepared(
        {
            "argv": list(program.argv),
            "cwd": program.cwd,
            "env": dict(program.env),
            "inherited_env": None if inherited is None else dict(inherited),
            "gpus": request.resources.gpus,
            "max_runtime": request.max_runtime,
        }
    )


def _environment_faults(env: Mapping[str, Any]) -> list[str]:
    faults = [f"env.{name} is set by the provider itself" for name in sorted(OURS & set(env))]
    for name, value in env.items():
        if not name or "=" in name or "\0" in name:
            faults.append(f"env: {name!r:.80} cannot be the name of a variable")
        elif not isinstance(value, str) or "\0" in value:
            faults.append(f"env.{name} must be a text without NUL characters")
    return faults
