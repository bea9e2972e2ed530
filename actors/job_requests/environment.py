"""Requests whose inherited values are filled in where the submitter's environment is at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping

import attrs

from actors.jobs.os_text import inherited
from actors.jobs.records import JobRequest


def with_inherited(request: JobRequest, environ: Mapping[str, str] | None = None) -> JobRequest:
    """``request`` with its inherited values filled in, unless the submitter has done so already."""
    if request.inherited_env is not None:
        return request
    values = inherited(request.env_from, os.environ if environ is None else environ)
    return attrs.evolve(request, inherited_env=values)
