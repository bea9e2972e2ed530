"""The keys of a job file's jobs, by which its jobs are recognised when the file is submitted again.

A key is made from the file (the name at its top, else its absolute path) and from the job's own content as it is
written, after defaults and matrix. Its place in the file, and its submitter's environment, are not part of the key, so
lines can be added and moved.
"""

from __future__ import annotations

import hashlib
import os.path
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson

from actors.jobs.codec import request_to_json
from actors.jobs.placeholders import has_placeholder
from actors.jobs.records import JobRequest
from actors.jobs.sweeps import Sweep, expand
from actors.validation import as_written

_CONTENT = ("config_name", "provider", "command", "entry_point", "params", "cwd", "env", "spec", "resources", "group")
_WHEN, _AFTER, _GROUP = "start_after", "after", "group"


class FileKeys:
    """Makes the keys of one file's jobs, which must be given in the file's order. ``name``: that of the file, if it
    has one.
    """

    def __init__(self, name: str | None, path: Path) -> None:
        self._file = ["path", os.fsencode(path).hex()] if name is None else ["name", name]
        self._equals: Counter[tuple[str, bytes]] = Counter()
        self._named: defaultdict[str, list[str]] = defaultdict(list)
        self._grouped: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def of(self, asked: JobRequest | Sweep, node: Mapping[str, Any]) -> tuple[str, ...]:
        """The key of each job that ``asked`` makes. ``node``: the job in the file, with its defaults.

        Raises :class:`~actors.jobs.matrix.SweepFault`.
        """
        written = asked.request if isinstance(asked, Sweep) else asked
        jobs = expand(asked) if isinstance(asked, Sweep) else [asked]
        after, when = self._references(node.get(_AFTER), written.user_id), as_written(node.get(_WHEN))
        numbered = isinstance(asked, Sweep) and not has_placeholder(written.config_name or "")
        keys = []
        for job in jobs:
            known = attrs.evolve(job, config_name=written.config_name) if numbered else job
            keys.append(self._key(written.user_id, [self._file, content(known), after, when]))
        self._note(written, jobs, keys)
        return tuple(keys)

    def _key(self, user: str, what: list[Any]) -> str:
        """The digest of ``what`` and of the number of equal jobs of the same user before it."""
        digest = hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).digest()
        self._equals[user, digest] += 1
        return hashlib.sha256(digest + str(self._equals[user, digest]).encode()).hexdigest()

    def _references(self, after: Any, user: str) -> list[str]:
        """What a job waits for: jobs of this file by their keys, other jobs as they are written."""
        found = set()
        for one in after if isinstance(after, Sequence) and not isinstance(after, str) else [after]:
            group = one.get(_GROUP) if isinstance(one, Mapping) else None
            if isinstance(group, str):
                found.update([f"group:{group}", *self._grouped[user, group]])
            elif isinstance(one, str):
                found.update(self._named.get(one, [one]))
        return sorted(found)

    def _note(self, written: JobRequest, jobs: Sequence[JobRequest], keys: Sequence[str]) -> None:
        for name, key in zip([job.config_name for job in jobs], keys, strict=True):
            for one in {name, written.config_name} - {None}:
                self._named[str(one)].append(key)
        if written.group is not None:
            self._grouped[written.user_id, written.group] += keys


def content(job: JobRequest) -> dict[str, Any]:
    """The content by which a job is recognised, without defaults: a job with its defaults written out is the same
    job.
    """
    plain = request_to_json(job)
    found = {field: plain[field] for field in _CONTENT if field in plain}
    cwd = found.pop("cwd", ".")
    if (cwd := os.path.normpath(cwd) if isinstance(cwd, str) else cwd) != ".":
        found["cwd"] = cwd
    return found
