"""The jobs of a file in as many requests as they need; each request is accepted completely or not at all."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson

from actors.job_requests.matrices import Request, request_document
from actors.jobs import maxima
from actors.jobs.os_text import printable
from actors.jobs.records import JobRequest
from actors.jobs.sweeps import Sweep

_MOST_BYTES = maxima.BATCH - (1 << 16)
_NUMBERED = re.compile(r"job (\d{1,6}): ")
_VALUES = maxima.BATCH_VALUES - maxima.VALUES


class FileParts:
    """Give each of :meth:`parts` to the server, then :meth:`note` the jobs of its answer.

    Later parts name jobs of earlier ones in ``after`` by their ids.
    """

    def __init__(self, requests: Sequence[Request]) -> None:
        self._requests = requests
        self._begin = 0
        self._made: defaultdict[str, list[str]] = defaultdict(list)

    def parts(self) -> Iterator[list[Request]]:
        """The requests in their order: at most 10,000 jobs and 16 MiB in each part."""
        part: list[Request] = []
        jobs = size = values = 0
        for index, asked in enumerate(self._requests):
            content = orjson.dumps(request_document(asked))
            number = len(asked.keys) if isinstance(asked, Sweep) else 1
            jobs, size, values = jobs + number, size + len(content) + 1, values + _values(content)
            if part and (jobs > maxima.BATCH_JOBS or size > _MOST_BYTES or values > _VALUES):
                yield part
                self._begin = index
                part, jobs, size, values = [], number, len(content) + 1, _values(content)
            part.append(self._known(asked))
        if part:
            yield part

    def note(self, part: Sequence[Request], jobs: Sequence[tuple[str, str | None]]) -> None:
        """Note the outcome of a part: the id and the name of each of its jobs."""
        left = iter(jobs)
        for asked in part:
            written = asked.request.config_name if isinstance(asked, Sweep) else asked.config_name
            for _ in range(len(asked.keys) if isinstance(asked, Sweep) else 1):
                job_id, name = next(left)
                for one in {name, written} - {None}:
                    self._made[str(one)].append(job_id)

    def placed(self, message: str, path: Path, part: Sequence[Request]) -> str:
        """The refusal of a job of ``part``, with the job's place in the file at ``path``; another refusal is
        unchanged.
        """
        found = _NUMBERED.match(message)
        if found is None and len(part) > 1:
            return message
        index = self._begin + (0 if found is None else int(found[1]) - 1)
        if index >= len(self._requests):
            return message
        asked = self._requests[index]
        name = (asked.request if isinstance(asked, Sweep) else asked).config_name
        shown = f" ({printable(name)})" if name else ""
        return f"{path}: jobs[{index}]{shown}: {message[found.end() if found else 0 :]}"

    def _known(self, asked: Request) -> Request:
        """``asked`` with the ids of the jobs of earlier parts that it waits for."""
        request = asked.request if isinstance(asked, Sweep) else asked
        if not self._made or not request.after:
            return asked
        ids: dict[Any, None] = {}
        for one in request.after:
            ids.update(dict.fromkeys(self._made.get(one, [one]) if isinstance(one, str) else []))
        others = [one for one in request.after if not isinstance(one, str)]
        named: JobRequest = attrs.evolve(request, after=(*ids, *others))
        return attrs.evolve(asked, request=named) if isinstance(asked, Sweep) else named


def _values(content: bytes) -> int:
    return content.count(b",") + content.count(b"[") + content.count(b"{")
