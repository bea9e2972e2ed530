"""Many jobs in one file, and the two ways to give a job's ``spec`` on a command line.

    name: evening                                          # what the file is called; without it, its path
    best: {accuracy: max}                                  # of which numbers the least or the greatest is the best
    defaults: {provider: local, resources: {cpus: 1}}      # under every job; env and resources are merged key by key
    jobs:
      - {name: small, command: [python, train.py, --lr, "0.1"], user: ana, org: lab, level: lead}
      - {name: "t-{lr}", command: [python, train.py, --lr, "{lr}"], matrix: {lr: [0.1, 0.20]}}

Each job has a key that follows from its content (:mod:`actors.job_requests.file_keys`), so that submitting a file again
submits what is new in it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import attrs

from actors.job_requests.file_keys import FileKeys
from actors.job_requests.job_request import converter, with_inherited, with_names
from actors.job_requests.matrices import MATRIX, Request, note, read_matrix, under
from actors.job_requests.sources import RequestSource, closed_to
from actors.jobs import maxima
from actors.jobs.file_rules import Again, FileRules
from actors.jobs.matrix import Matrix, SweepFault
from actors.jobs.maximum import Text
from actors.jobs.records import JobRequest
from actors.jobs.sweeps import Sweep
from actors.jobs.wall_clock import in_utc
from actors.validation import (
    INPUT,
    CheckedError,
    Problems,
    Shape,
    StrictConverter,
    Wrong,
    document,
    plain_value,
    read_bytes,
)
from actors.validation.marked import ListNode, MappingNode
from actors.validation.values import NOT_EMPTY

MAX_BYTES = maxima.BATCH
MAX_NODES = 1_000_000
_NAMES = {
    "name": "config_name", "user": "user_id", "org": "org_id", "team": "team_id", "level": "user_levels",
    "priority": "priority_override", "cost": "estimated_cost", "needs_approval": "requires_approval",
}  # fmt: skip
_KEYS = {field: key for key, field in _NAMES.items()}
_MERGED = ("env", "resources")
_INSTEAD = {"command": ("entry_point", "params"), "entry_point": ("command",)}


@attrs.frozen
class FileContent:
    """The content of a job file. The problems of ``defaults`` are reported at their own path, before those of the jobs.

    ``name``: the name of the file; without it, its absolute path. Its jobs are recognised by it, among other things.
    ``best``: for the name of a series, whether its least (min) or its greatest (max) value is the best. ``defaults``:
    keys that every job gets. A job's own keys replace them, and ``env`` and ``resources`` are merged key by key.
    ``jobs``: the jobs, in the order in which they are submitted.
    """

    name: str | None = attrs.field(default=None, validator=[NOT_EMPTY, Text(maxima.NAME)])
    best: Mapping[str, Literal["min", "max"]] = attrs.field(factory=dict, validator=maxima.FIELDS[JobRequest]["best"])
    defaults: JobRequest = attrs.field(factory=JobRequest)
    jobs: tuple[JobRequest, ...] = ()


@attrs.frozen
class JobFile:
    """The requests of a job file, in its order. ``digest``: 64 hex digits of its content."""

    path: Path
    digest: str
    requests: tuple[Request, ...]

    def rules(self, again: Again = "none") -> FileRules:
        """How its jobs are submitted; ``again``: which of the existing jobs are submitted anew."""
        return FileRules(self.digest, again)


def load_job_file(
    path: Path | str, *, user: str = "", environ: Mapping[str, str] | None = None, env_from: tuple[str, ...] = (),
    inherits: bool = True,
) -> JobFile:  # fmt: skip
    """The jobs in the file at ``path``; ``-`` is standard input.

    Raises :class:`~actors.validation.CheckedError` with every fault.

    ``user``: the user of jobs that name none. ``environ``: the submitter's environment, from which each job inherits
    what its ``env_from`` names; None means this process's. ``env_from``: what a job that names none inherits in
    addition to the usual variables. ``inherits`` false: no values of the environment are read.
    """
    path = Path(path)
    source, name = (Path("/dev/stdin"), "standard input") if str(path) == "-" else (path, str(path))
    content = read_bytes(source, name, MAX_BYTES)
    reader = file_converter()
    problems = Problems()
    root = document(content, name, problems, max_nodes=MAX_NODES)
    if not root:
        problems.check()  # an empty file is one problem, and not that there are no jobs as well
    nodes = _with_defaults(root)
    matrices = [_matrix_of(node, root, index, problems) for index, node in enumerate(nodes)]
    found = reader.read(root, FileContent, problems=problems)
    place, now = _place(path), datetime.now(UTC)
    keys = FileKeys(found.name, place)
    inherited = Inherited(environ) if inherits else None
    requests: list[Request] = []
    for index, (request, matrix) in enumerate(zip(found.jobs, matrices, strict=True)):
        named = with_names(request, env_from)
        mine = attrs.evolve(named, user_id=request.user_id or user, best=found.best)
        try:
            asked = mine if matrix is None else Sweep(mine, matrix)
            requests.append(_completed(asked, keys.of(asked, nodes[index] or {}), place.parent, inherited, now))
        except SweepFault as fault:
            note(fault, root, ("jobs", index), problems, _KEYS)
    problems.check()
    return JobFile(path, hashlib.sha256(content).hexdigest(), tuple(requests))


def file_converter() -> StrictConverter:
    """Reads a job file as :class:`FileContent`: which keys its jobs may have."""
    reader = converter(_NAMES, closed_to(RequestSource.JOB_FILE), also={MATRIX}, for_file=True)
    reader.shapes[FileContent] = Shape(whole=_check_content)
    return reader


class Inherited:
    """The submitter's environment, from which jobs inherit; most jobs of a file name the same variables."""

    def __init__(self, environ: Mapping[str, str] | None) -> None:
        self._environ = dict(os.environ) if environ is None else environ
        self._found: dict[tuple[str, ...], Mapping[str, str]] = {}

    def filled(self, request: JobRequest) -> JobRequest:
        """``request`` with what it inherits."""
        return with_inherited(request, self._environ, self._found)


def _matrix_of(node: Any, root: MappingNode, index: int, problems: Problems) -> Matrix | None:
    """The matrix of one job; None if it has none, or if a fault in it was noted."""
    if not isinstance(node, MappingNode) or MATRIX not in node:
        return None
    try:
        return read_matrix(node[MATRIX])
    except SweepFault as fault:
        note(fault, root, ("jobs", index, MATRIX), problems)
    return None


def _place(path: Path) -> Path:
    """The absolute path by which a file is known; it is the same from whichever directory the file is named."""
    whole = path.absolute()
    return whole.parent.resolve() / whole.name if ".." in whole.parts else whole


def _completed(
    asked: Request, keys: tuple[str, ...], folder: Path, inherited: Inherited | None, now: datetime
) -> Request:
    """``asked`` as it is sent: with its keys, what it inherits, and its directory, which is the file's by default.

    ``now``: one for the whole file, so that a time of day means the same day for each job.
    """
    request = asked.request if isinstance(asked, Sweep) else asked
    cwd = request.cwd
    if cwd is not None or request.command is not None:
        cwd = under(folder, cwd or ".", asked.matrix if isinstance(asked, Sweep) else None)
    start = None if request.start_after is None else in_utc(request.start_after, now)
    request = attrs.evolve(request, cwd=cwd, start_after=start)
    if inherited is not None:
        request = inherited.filled(request)
    if isinstance(asked, Sweep):
        return attrs.evolve(asked, request=request, keys=keys)
    return attrs.evolve(request, idempotency_key=keys[0])


def _check_content(content: FileContent) -> None:
    if not content.jobs:
        raise Wrong("there are no jobs", "jobs")


def _with_defaults(root: MappingNode) -> list[Any]:
    """The jobs of the file with its defaults added to each."""
    defaults, jobs = root.get("defaults"), root.get("jobs")
    if not isinstance(jobs, ListNode):
        return []
    if isinstance(defaults, MappingNode):
        merged = [_merged(defaults, job) if isinstance(job, MappingNode) else job for job in jobs]
        root["jobs"] = jobs = ListNode(merged, jobs.places)
    return jobs


def _merged(defaults: MappingNode, own: MappingNode) -> MappingNode:
    """A job's own keys over the defaults; what starts a job replaces the other way to start it."""
    replaced = {other for key, others in _INSTEAD.items() if key in own for other in others}
    merged = _over({key: one for key, one in defaults.items() if key not in replaced}, defaults, own)
    for key in _MERGED:
        under, over = defaults.get(key), own.get(key)
        if isinstance(under, MappingNode) and isinstance(over, MappingNode):
            merged[key] = _over(under, under, over)
    return merged


def _over(values: Mapping[str, Any], under: MappingNode, over: MappingNode) -> MappingNode:
    return MappingNode({**values, **over}, {**under.places, **over.places})


def load_spec(content: bytes, name: str) -> dict[str, Any]:
    """The object that a ``--spec`` file (YAML or JSON) called ``name`` holds; raises ``CheckedError``."""
    problems = Problems()
    spec: dict[str, Any] = INPUT.read(document(content, name, problems), dict[str, Any], problems=problems)
    return spec


def parse_set(assignments: Iterable[str]) -> dict[str, Any]:
    """``["optimizer.lr=1e-4", "name=run"]`` as nested plain data; raises ``CheckedError`` with every problem.

    A value has the type that it would have in YAML without quotes; a value in quotes is a text.
    """
    problems = Problems()
    whole: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        keys = name.split(".")
        if not equals or not all(keys):
            problems.add(None, "--set", f"must be NAME=VALUE, such as optimizer.lr=0.1, not {assignment!r:.80}")
            continue
        quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
        try:
            value = INPUT.read(text[1:-1] if quoted else plain_value(text), Any, f"--set {name}")
        except CheckedError as error:
            problems.extend(error.faults)
        else:
            if not _put(whole, keys, value):
                problems.add(None, f"--set {name}", "is set twice, or both as a value and as what holds values")
    problems.check()
    return whole


def _put(whole: dict[str, Any], keys: list[str], value: Any) -> bool:
    at = whole
    for key in keys[:-1]:
        at = at.setdefault(key, {})
        if not isinstance(at, dict):
            return False
    if keys[-1] in at:
        return False
    at[keys[-1]] = value
    return True
