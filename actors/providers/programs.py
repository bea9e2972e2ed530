"""The program of a job, from its request: a command, or an entry point of the configuration (B21)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import attrs

from actors.jobs.records import Capacity, JobRequest
from actors.jobs.request_texts import first_not_utf8
from actors.providers.base import describe_capacity
from actors.providers.entry_points import EntryPoint, find_entry_point
from actors.providers.errors import FieldFault, wrong


@attrs.frozen
class Program:
    """An argv, its working directory, and additions to its environment. ``entry``: its entry point, if it has one."""

    argv: tuple[str, ...]
    cwd: str | None
    env: Mapping[str, str]
    entry: EntryPoint | None = None


def program_of(request: JobRequest, entry_points: Mapping[str, EntryPoint], faults: list[FieldFault]) -> Program:
    """The program of ``request``; what is wrong with it is added to ``faults``.

    Raises :class:`~actors.providers.errors.Invalid` for an entry point or a parameter that is not there.
    """
    program = _chosen(request, entry_points, faults)
    if program.cwd is not None and (not program.cwd.startswith("/") or "\0" in program.cwd):
        faults.append(wrong("cwd", f"must be an absolute path, not {program.cwd!r:.80}"))
    if request.max_runtime is not None and not request.max_runtime > 0:
        faults.append(wrong("max_runtime", "must be more than 0 seconds"))
    return program


def resource_faults(request: JobRequest, capacity: Capacity, there_is: str) -> list[FieldFault]:
    """The resources of ``request`` that can never be had.

    ``there_is``: the owner of the capacity, for the text: "this machine has".
    """
    faults = []
    for name in ("cpus", "gpus", "memory"):
        requested, there = getattr(request.resources, name), getattr(capacity, name)
        if requested is not None and requested < 0:
            faults.append(wrong(f"resources.{name}", "must be 0 or more"))
        elif requested is not None and there is not None and requested > there:
            words = f": {requested} requested, {there_is} {describe_capacity(capacity)}"
            faults.append(wrong(f"resources.{name}", words))
    return faults


def encoding_faults(
    request: JobRequest, program: Program, inherited_env: Mapping[str, str], who: str
) -> list[FieldFault]:
    """What of what is sent of a job is not text, where ``who`` takes text only; the program is ``program``."""
    sent = attrs.evolve(request, command=program.argv, cwd=program.cwd, env=program.env, inherited_env=inherited_env)
    path = first_not_utf8(sent)
    return [] if path is None else [wrong(path, f"is not UTF-8: {who} takes text only")]


def environment_faults(env: Mapping[Any, Any], ours: Set[str], path: str = "env") -> list[FieldFault]:
    """What is wrong with these variables of the field ``path``; ``ours``: what the provider sets."""
    faults = [wrong(f"{path}.{name}", "is set by the provider itself") for name in sorted(ours & set(env))]
    for name, value in env.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            faults.append(wrong(path, f": {name!r:.80} cannot be the name of a variable"))
        elif not isinstance(value, str) or "\0" in value:
            faults.append(wrong(f"{path}.{name}", "must be a text without NUL characters"))
    return faults


def _chosen(request: JobRequest, entry_points: Mapping[str, EntryPoint], faults: list[FieldFault]) -> Program:
    if (request.command is None) == (request.entry_point is None):
        either = "give either command (an argv) or entry_point (a name of the configuration)"
        faults.append(FieldFault(None, either))
        return Program((), request.cwd, request.env)
    if request.command is None:
        assert request.entry_point is not None
        entry = find_entry_point(entry_points, request.entry_point)
        argv = entry.argv(request.params, swept=bool(request.parameters))
        return Program(argv, request.cwd or entry.cwd, {**request.env, **entry.env}, entry)
    if request.params:
        faults.append(wrong("params", "belong to an entry_point; a command holds its arguments itself"))
    if not request.command or not request.command[0]:
        faults.append(wrong("command", "must name a program"))
    if any("\0" in argument for argument in request.command):
        faults.append(wrong("command", "must not hold NUL characters"))
    return Program(request.command, request.cwd, request.env)
