"""Requests whose inherited values are filled in where the submitter's environment is at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping

import attrs

from actors.jobs.environment import inherited
from actors.jobs.records import JobRequest


def with_inherited(request: JobRequest, environ: Mapping[str, str] | None = None) -> JobRequest:
    """``request`` with its inherited values filled in, unless its submitter has done so already."""
    return request if request.inherited_env is not None else Inheriting(environ).complete(request)


class Inheriting:
    """Fills in the inherited values of many requests from one ``environ``; None: of this process, as it is now."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._found: dict[tuple[str, ...], Mapping[str, str]] = {}

    def complete(self, request: JobRequest) -> JobRequest:
        """``request`` with its inherited values, unless it has them; looked up once for the same names."""
        if request.inherited_env is not None:
            return request
        names = tuple(request.env_from)
        if names not in self._found:
            self._found[names] = inherited(names, self._environ)
        return attrs.evolve(request, inherited_env=self._found[names])
