"""A job request as a JSON object and back, and the fingerprint by which two requests are told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import attrs
import orjson
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn

from actors.jobs.records import JobRequest, Resources

_converter = Converter(prefer_attrib_converters=True)
for _record in (Resources, JobRequest):
    _converter.register_unstructure_hook(
        _record, make_dict_unstructure_fn(_record, _converter, _cattrs_omit_if_default=True)
    )


def request_to_json(request: JobRequest) -> dict[str, Any]:
    """``request`` as a JSON object; what has its default is left out."""
    document: dict[str, Any] = _converter.unstructure(request)
    return document


def request_from_json(document: Mapping[str, Any]) -> JobRequest:
    """The inverse of :func:`request_to_json`, for documents that were checked when they came in."""
    return _converter.structure(document, JobRequest)


def fingerprint(request: JobRequest) -> str:
    """64 hex digits that are equal for requests that ask for the same (B20).

    What the submitter's environment happened to hold is no part of the question, nor is the key itself.
    """
    asked = request_to_json(attrs.evolve(request, idempotency_key=None, inherited_env=None))
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
