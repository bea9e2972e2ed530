"""Many jobs in one file, and the two ways to give a job's ``spec`` on a command line.

    defaults: {provider: local, resources: {cpus: 1}}      # under every job; env and resources are merged key by key
    jobs:
      - {name: small, command: [python, train.py, --lr, "0.1"], user: ana, org: lab, level: lead}

The same file gives the same idempotency keys, so that running an unfinished file again continues it (C5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.job_requests.environment import with_inherited
from actors.job_requests.job_request import read_os_text, read_request, request_from_mapping, shapes
from actors.job_requests.sources import RequestSource, closed_to
from actors.jobs import maxima
from actors.jobs.records import JobRequest
from actors.jobs.suggestions import did_you_mean
from actors.validation import (
    FAULTY,
    Entry,
    Listing,
    Problems,
    Reader,
    Scalar,
    document,
    is_nothing,
    join,
    read_bytes,
    resolve,
)
from actors.validation import Mapping as MappingNode
from actors.validation.reader import Shape

__all__ = ["JobFile", "load_job_file", "load_spec", "parse_set", "request_from_mapping"]

MAX_BYTES = maxima.BATCH
MAX_NODES = 1_000_000
_NAMES = {
    "name": "config_name", "user": "user_id", "org": "org_id", "team": "team_id", "level": "user_levels",
    "priority": "priority_override", "cost": "estimated_cost", "needs_approval": "requires_approval",
}  # fmt: skip
_MERGED = ("env", "resources")
_INSTEAD = {"command": ("entry_point", "params"), "entry_point": ("command",)}
_TOP = ("defaults", "jobs")


@attrs.frozen
class JobFile:
    """What a job file asks for, in its order. ``digest``: 64 hex digits of its content."""

    path: Path
    digest: str
    requests: tuple[JobRequest, ...]


def load_job_file(path: Path | str, *, user: str = "", environ: Mapping[str, str] | None = None) -> JobFile:
    """The jobs in the file at ``path``; raises :class:`~actors.validation.CheckedError` with every fault.

    ``user`` is whom a job is for that does not say. ``environ`` is the submitter's environment, from which each job
    inherits what its ``env_from`` names; None means this process's.
    """
    name, path = str(path), Path(path)
    content = read_bytes(path, name, MAX_BYTES)
    root = document(content, name, MAX_NODES)
    reader = Reader(shapes(_shape(path.absolute().parent)))
    requests = _read(root, reader)
    reader.faults.check()
    digest = hashlib.sha256(content).hexdigest()
    completed = (_completed(one, f"{digest[:32]}-{index}", user, environ) for index, one in requests)
    return JobFile(path, digest, tuple(completed))


def _completed(request: JobRequest, key: str, user: str, environ: Mapping[str, str] | None) -> JobRequest:
    mine = attrs.evolve(request, idempotency_key=key, user_id=request.user_id or user)
    return with_inherited(mine, environ)


def _shape(folder: Path) -> Shape:
    """A job in the words of the file; its ``cwd`` is relative to the file's own folder."""

    def read_cwd(reader: Reader, entry: Entry, path: str) -> Any:
        cwd = None if is_nothing(entry.node) else read_os_text(reader, entry, path)
        return str(folder / Path(cwd).expanduser()) if cwd is not FAULTY and cwd else cwd

    return Shape(names=_NAMES, hidden=closed_to(RequestSource.JOB_FILE), reads={"cwd": read_cwd})


def _read(root: Entry, reader: Reader) -> list[tuple[int, JobRequest]]:
    top = reader.entries(root, "") or {}
    for key, child in top.items():
        if key not in _TOP:
            reader.fault(child, key, f"unknown key{did_you_mean(key[:80], _TOP)}")
    defaults: Mapping[str, Entry] = {}
    if "defaults" in top and (given := reader.entries(top["defaults"], "defaults")):
        reader.object(top["defaults"], JobRequest, "defaults")  # so that their faults are told once, at their own path
        defaults = given
    jobs = top.get("jobs")
    if jobs is None or is_nothing(jobs.node):
        reader.fault(root if jobs is None else jobs, "jobs", "there are no jobs")
        return []
    if not isinstance(jobs.node, Listing):
        reader.convert(jobs, tuple[Any, ...], "jobs")
        return []
    if not jobs.node.items:
        reader.fault(jobs, "jobs", "there are no jobs")
    read = ((index, _job(item, defaults, reader, join("jobs", index))) for index, item in enumerate(jobs.node.items))
    return [(index, request) for index, request in read if request is not FAULTY]


def _job(item: Entry, defaults: Mapping[str, Entry], reader: Reader, path: str) -> Any:
    own = reader.entries(item, path)
    if own is None:
        return FAULTY
    return read_request(reader, Entry(item.place, MappingNode(_merged(defaults, own))), path)


def _merged(defaults: Mapping[str, Entry], own: Mapping[str, Entry]) -> dict[str, Entry]:
    """A job's own keys over the defaults; what starts a job replaces the other way to start it."""
    replaced = {other for key, others in _INSTEAD.items() if key in own for other in others}
    merged = {key: child for key, child in defaults.items() if key not in replaced} | dict(own)
    for key in _MERGED:
        under, over = defaults.get(key), own.get(key)
        if under and over and isinstance(under.node, MappingNode) and isinstance(over.node, MappingNode):
            merged[key] = Entry(over.place, MappingNode({**under.node.entries, **over.node.entries}))
    return merged


def load_spec(content: bytes, name: str) -> dict[str, Any]:
    """The object that a ``--spec`` file (YAML or JSON) called ``name`` holds; raises ``CheckedError``."""
    reader = Reader()
    spec = reader.convert(document(content, name), Mapping[str, Any], "")
    reader.faults.check()
    assert isinstance(spec, dict)
    return spec


def parse_set(assignments: Iterable[str]) -> dict[str, Any]:
    """``["optimizer.lr=1e-4", "name=run"]`` as nested plain data; raises ``CheckedError`` with every fault.

    A value is what it would be in YAML without quotes; one in quotes is a text.
    """
    faults = Problems()
    reader = Reader(faults=faults)
    whole: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        keys = name.split(".")
        if not equals or not all(keys):
            faults.add(None, "--set", f"must be NAME=VALUE, such as optimizer.lr=0.1, not {assignment!r:.80}")
            continue
        value = reader.convert(Entry(None, _written(text)), Any, f"--set {name}")
        if value is not FAULTY and not _put(whole, keys, value):
            faults.add(None, f"--set {name}", "is set twice, or both as a value and as what holds values")
    faults.check()
    return whole


def _written(text: str) -> Scalar:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
    return Scalar(text[1:-1], text[1:-1], quoted=True) if quoted else resolve(text)


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
