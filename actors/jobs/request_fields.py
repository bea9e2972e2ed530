"""The fields of a job request by their places: for batches, where a copy field by field costs more than the insert."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import attrs

from actors.jobs.records import JobRequest

_NAMES = tuple(field.name for field in attrs.fields(JobRequest))
_read = attrgetter(*_NAMES)


def with_field(request: JobRequest, name: str, value: Any) -> JobRequest:
    """``request`` with another value of one field: what :func:`attrs.evolve` does, in half of the time."""
    values = list(_read(request))
    values[_NAMES.index(name)] = value
    return JobRequest(*values)
