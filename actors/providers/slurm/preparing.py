"""Makes sbatch's options and the job's program from a request. Every fault that can be found here is refused.

A request by entry point may come from a user who may not send commands (B21). What uses somebody's allocation
(partition, account, quality of service, reservation) is then taken from the configuration only.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import Any

import attrs

from actors.jobs.environment import inherited
from actors.jobs.records import DEFAULT_ENV_FROM, Capacity, JobRequest
from actors.providers import job_variables
from actors.providers.base import Prepared
from actors.providers.entry_points import entry_point_faults
from actors.providers.errors import FieldFault, Invalid, wrong
from actors.providers.programs import Program, encoding_faults, program_of, resource_faults
from actors.providers.slurm.options import IS_NAME, SlurmOptions
from actors.providers.specs import read_spec
from actors.validation.values import at_least, fits

OURS = job_variables.SHARED
"""Variables that the provider sets; a request that sets one of them is refused."""

_OF_SLURM = re.compile(r"SLURMD?_\w*|CUDA_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|GPU_DEVICE_ORDINAL|ZE_AFFINITY_MASK")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_SHELLS = frozenset({"UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO", "OPTIND", "LINENO"})
"""Read-only in a shell, or checked by it."""

_OF_COMMANDS = ("partition", "account", "qos", "reservation")
_MOST_NODES, _MOST_TASKS = 10_000, 1_024
_MIB = 1024 * 1024

_FEATURES = re.compile(r"[A-Za-z0-9_.:+&|*!()\[\],=-]{1,200}")
_ARE_FEATURES = fits(_FEATURES.fullmatch, "must be features of nodes, such as a100&nvlink", with_value=True)


def _at_most(most: int) -> Any:
    return fits(lambda value: value <= most, f"must be at most {most}")


@attrs.frozen
class SlurmSpec:
    """The ``spec`` of a request; each field is the option of sbatch of that name.

    ``partition``: where the job runs; several with commas. ``account``: the account that pays. ``qos``: the quality of
    service. ``nodes``: how many nodes; GPUs and memory of the request are each node's. ``ntasks_per_node``: how many
    tasks on each node; the CPUs of the request are each task's. ``constraint``: features that the nodes must have.
    ``reservation``: a reservation of the cluster.
    """

    partition: str | None = attrs.field(default=None, validator=IS_NAME)
    account: str | None = attrs.field(default=None, validator=IS_NAME)
    qos: str | None = attrs.field(default=None, validator=IS_NAME)
    nodes: int | None = attrs.field(default=None, validator=[at_least(1), _at_most(_MOST_NODES)])
    ntasks_per_node: int | None = attrs.field(default=None, validator=[at_least(1), _at_most(_MOST_TASKS)])
    constraint: str | None = attrs.field(default=None, validator=_ARE_FEATURES)
    reservation: str | None = attrs.field(default=None, validator=IS_NAME)


def prepare_request(request: JobRequest, options: SlurmOptions) -> Prepared:
    """Return sbatch's options, and the argv, the directory and the environment of the program. Raises :class:`Invalid`
    naming every fault.
    """
    faults: list[FieldFault] = []
    program = program_of(request, options.entry_points, faults)
    if program.entry is not None:
        faults += entry_point_faults(request, program.entry, _OF_COMMANDS)
    faults += _environment_faults(program.env)
    spec = read_spec(request.spec, SlurmSpec, faults)
    faults += resource_faults(request, Capacity(), "")
    if request.resources.cpus == 0:
        faults.append(wrong("resources.cpus", "must be at least 1: Slurm gives no job less"))
    inherited_env = _inherited(request)
    faults += encoding_faults(request, program, inherited_env, "Slurm")
    if faults or spec is None:
        raise Invalid(*faults)
    return Prepared(_body(request, spec, options, program, inherited_env))


def _body(
    request: JobRequest, spec: SlurmSpec, options: SlurmOptions, program: Program, inherited_env: Mapping[str, str]
) -> dict[str, Any]:
    resources = request.resources
    chosen = {
        "job-name": job_name(request.config_name),
        "cpus-per-task": resources.cpus,
        "gres": f"gpu:{resources.gpus}" if resources.gpus else None,
        "mem": f"{math.ceil(resources.memory / _MIB)}M" if resources.memory else None,
        "time": None if request.max_runtime is None else _minutes(request.max_runtime),
        "partition": spec.partition or options.partition,
        "account": spec.account or options.account,
        "qos": spec.qos or options.qos,
        "nodes": spec.nodes,
        "ntasks-per-node": spec.ntasks_per_node,
        "constraint": spec.constraint,
        "reservation": spec.reservation,
    }
    return {
        "options": [f"--{name}={value}" for name, value in chosen.items() if value is not None],
        "argv": list(program.argv),
        "cwd": program.cwd,
        "env": {"PYTHONUNBUFFERED": "1", **inherited_env, **program.env},
    }


def job_name(name: str | None) -> str:
    """Return the job's name in squeue: the characters of ``name`` that cause no problems in any tool."""
    kept = re.sub(r"[^A-Za-z0-9_.+-]+", "_", name or "")[:100].strip("_")
    return kept or "greenroom"


def _minutes(seconds: float) -> str:
    """Return the next whole minute, because Slurm's limits are whole minutes."""
    return str(max(1, math.ceil(seconds / 60)))


def _environment_faults(env: Mapping[str, str]) -> list[FieldFault]:
    faults = []
    for name, value in env.items():
        if name in OURS:
            faults.append(wrong(f"env.{name}", "is set by the provider itself"))
        elif _OF_SLURM.fullmatch(name):
            faults.append(wrong(f"env.{name}", "is set by Slurm itself"))
        elif not _VARIABLE.fullmatch(name) or name in _OF_SHELLS:
            faults.append(wrong("env", f": {name!r:.80} cannot be set by a job script: use letters, digits and _"))
        elif "\0" in value:
            faults.append(wrong(f"env.{name}", "must be a text without NUL characters"))
    return faults


def _inherited(request: JobRequest) -> dict[str, str]:
    """Return what the submitter's environment gives. All nodes have the same users, directories and programs."""
    found = request.inherited_env
    if found is None:
        found = inherited(DEFAULT_ENV_FROM, os.environ)
    return {
        name: value
        for name, value in found.items()
        if _VARIABLE.fullmatch(name) and name not in OURS | _OF_SHELLS and not _OF_SLURM.fullmatch(name)
    }
