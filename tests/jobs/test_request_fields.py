"""A copy of a request with one other value."""

from __future__ import annotations

import attrs
import pytest

from actors.jobs.records import JobRequest, Resources
from actors.jobs.request_fields import with_field

REQUEST = JobRequest(
    provider="p",
    command=("a", "b"),
    env={"X": "1"},
    resources=Resources(cpus=2),
    user_id="u",
    max_attempts=7,
    group="g",
)


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(JobRequest)])
def test_one_field_differs_and_no_other(name: str) -> None:
    """Whatever fields the class has, in whatever order."""
    assert with_field(REQUEST, name, other := object()) == attrs.evolve(REQUEST, **{name: other})
    assert getattr(with_field(REQUEST, name, other), name) is other
