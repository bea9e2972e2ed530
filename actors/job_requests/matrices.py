"""Requests that have a matrix: how they arrive in a job file and as JSON, and how a client sends them.

In JSON a request with a ``matrix`` stands for as many jobs as the matrix has combinations; ``idempotency_keys`` has a
key for each of them, in their order.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.job_requests.job_request import request_from_mapping
from actors.jobs import maxima
from actors.jobs.codec import request_to_json
from actors.jobs.home_directory import UNKNOWN, expanded, is_unknown
from actors.jobs.matrix import EXCLUDE, INCLUDE, Matrix, SweepFault, matrix_of
from actors.jobs.maximum import Text
from actors.jobs.placeholders import leading
from actors.jobs.records import JobRequest
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.sweeps import Sweep
from actors.validation import INPUT, CheckedError, Problems, as_written, join
from actors.validation.marked import child

MATRIX, KEYS = "matrix", "idempotency_keys"
Request = JobRequest | Sweep
_KEY = Text(maxima.NAME)
_NO_NAMES: Mapping[str, str] = {}


def read_matrix(node: Any) -> Matrix:
    """The matrix in a document, its values as they are written there. Raises :class:`SweepFault`."""
    return matrix_of(as_written(node))


def request_of(data: Any, path: str = "") -> Request:
    """The request or sweep in decoded JSON; ``path`` stands before the paths in messages.

    Raises :class:`~actors.validation.CheckedError` with every problem.
    """
    if not isinstance(data, Mapping) or MATRIX not in data:
        return request_from_mapping(data, path)
    problems, matrix, request = Problems(), None, None
    keys: tuple[str, ...] = ()
    try:
        matrix = matrix_of(data[MATRIX])
    except SweepFault as fault:
        problems.add(None, path_of(fault, join(path, MATRIX)), fault.message)
    try:
        keys = _keys(data.get(KEYS), join(path, KEYS))
    except CheckedError as error:
        problems.extend(error.faults)
    try:
        request = request_from_mapping({key: one for key, one in data.items() if key not in (MATRIX, KEYS)}, path)
    except CheckedError as error:
        problems.extend(error.faults)
    problems.check()
    assert request is not None
    assert matrix is not None
    return Sweep(request, matrix, keys)


def _keys(data: Any, path: str) -> tuple[str, ...]:
    problems = Problems()
    keys: tuple[str, ...] = INPUT.read(data, tuple[str, ...], path)
    for index, key in enumerate(keys):
        if fault := _KEY.fault(key) if key else "must not be empty":
            problems.add(None, join(path, index), fault)
            break
    problems.check()
    return keys


def request_document(asked: Request) -> dict[str, Any]:
    """``asked`` as :func:`request_of` reads it."""
    if isinstance(asked, JobRequest):
        return request_to_json(asked)
    return {**request_to_json(asked.request), MATRIX: matrix_document(asked.matrix), KEYS: list(asked.keys)}


def matrix_document(matrix: Matrix) -> dict[str, Any]:
    """``matrix`` as plain data, every value a text."""
    left = {EXCLUDE: matrix.exclude, INCLUDE: matrix.include}
    return {
        **{name: list(values) for name, values in matrix.values.items()},
        **{key: [dict(one) for one in combinations] for key, combinations in left.items() if combinations},
    }


def path_of(fault: SweepFault, path: str = "") -> str:
    """The path of ``fault``, below ``path``."""
    return functools.reduce(join, fault.at, path)


def refusal(fault: SweepFault, where: str = "") -> Refused:
    """The refusal for ``fault`` in a request that did not come from a file; the message begins with ``where``."""
    path = path_of(fault)
    return Refused(f"{where}{path}: {fault.message}", RefusalKind.INVALID, path)


def note(
    fault: SweepFault, root: Any, at: tuple[str | int, ...], problems: Problems, keys: Mapping[str, str] = _NO_NAMES
) -> None:
    """Add ``fault``, which is below ``at`` in the document ``root``, to ``problems``.

    ``keys``: the keys of fields that have another name there.
    """
    data, place, path = root, root.place, ""
    for step in (*at, *(keys.get(str(one), one) for one in fault.at[:1]), *fault.at[1:]):
        (data, place), path = child(data, step, place), join(path, step)
    problems.add(place, path, fault.message)


def under(folder: Path, cwd: str, matrix: Matrix | None = None) -> str:
    """The directory ``cwd`` of a job, below ``folder`` if it is relative.

    With a ``matrix``, ``cwd`` may have placeholders, and braces of ``folder`` are escaped so that they stay. Raises
    :class:`SweepFault` if a value at the beginning of ``cwd`` is absolute, or if ``cwd`` begins with an unknown user.
    """
    if matrix is None:
        return str(folder / _known(cwd))
    name = leading(cwd)
    for value in _values_of(matrix, name) if name else ():
        if value.startswith(("/", "~")):
            raise SweepFault(f"begins with {{{name}}}, of which {value!r:.80} is absolute; write that part out", "cwd")
    home = _known(cwd)
    escaped = str(folder).replace("{", "{{").replace("}", "}}")
    return str(Path(escaped) / home)


def _known(cwd: str) -> Path:
    if is_unknown(path := expanded(cwd)):
        raise SweepFault(UNKNOWN, "cwd")
    return path


def _values_of(matrix: Matrix, name: str) -> list[str]:
    return [*matrix.values.get(name, ()), *(one[name] for one in matrix.include if name in one)]
