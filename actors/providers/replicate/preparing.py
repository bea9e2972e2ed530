"""From a request to the body of a creation: checked here, so that what can be known to be wrong is refused at once.

A job's ``spec`` names what is to run, by a ``model`` (``owner/name``, the version behind a colon or as ``version``),
by a ``version`` alone (an id) or by a ``deployment`` (``owner/name``), and holds its ``input``. With a ``destination``
it is a training. ``webhook`` and ``webhook_events_filter`` replace what the provider would ask for itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from actors.jobs.records import JobRequest
from actors.jobs.suggestions import did_you_mean
from actors.providers.base import Prepared
from actors.providers.errors import Invalid
from actors.providers.replicate.options import ReplicateOptions

PREDICTION, TRAINING = "prediction", "training"
EVENTS = ("start", "output", "logs", "completed")

SHORTEST_DEADLINE = 5.0
"""Seconds: what ``Cancel-After`` takes at least (the API's schema)."""

MOST_INPUT = 4 * 1024 * 1024
"""Bytes of JSON; what is larger belongs into a file that the input names."""

_KEYS = ("model", "version", "deployment", "input", "destination", "webhook", "webhook_events_filter")
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_MODEL = re.compile(rf"(?P<owner>{_NAME})/(?P<name>{_NAME})(?::(?P<version>[A-Za-z0-9]+))?", re.ASCII)
_PAIR = re.compile(rf"{_NAME}/{_NAME}", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9]{1,128}", re.ASCII)


@attrs.define
class _Spec:
    """The ``spec`` of one request, and what is wrong with it."""

    given: Mapping[str, Any]
    faults: list[str] = attrs.field(factory=list)

    def text(self, name: str, form: re.Pattern[str], example: str) -> re.Match[str] | None:
        """The value of ``name`` if it has that form; None where it is not there or wrong."""
        value = self.given.get(name)
        if value is None:
            return None
        match = form.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self.faults.append(f"spec.{name} must look like {example}, not {value!r:.80}")
        return match


def prepare_request(request: JobRequest, options: ReplicateOptions) -> Prepared:
    """The body of a submission. Raises :class:`Invalid` naming every fault and its fix."""
    spec = _Spec(request.spec)
    spec.faults += _misplaced(request)
    for name in spec.given:
        if name not in _KEYS:
            spec.faults.append(f"spec.{name!s:.80} is unknown{did_you_mean(str(name)[:80], _KEYS)}")
    kind = TRAINING if "destination" in spec.given else PREDICTION
    path, body = _training(spec) if kind == TRAINING else _prediction(spec)
    body["input"] = _input(spec, options)
    body |= _webhook(spec)
    cancel_after = _deadline(request, kind, options, spec.faults)
    if spec.faults:
        raise Invalid("; ".join(spec.faults))
    return Prepared({"kind": kind, "path": path, "json": body, "cancel_after": cancel_after})


def _misplaced(request: JobRequest) -> list[str]:
    """Fields of a request without a meaning at Replicate. ``cwd`` is always the submitter's directory: no fault."""
    names = ("command", "entry_point", "params", "env")
    return [
        f"{name} means nothing at Replicate: use spec (model and input)" for name in names if getattr(request, name)
    ]


def _prediction(spec: _Spec) -> tuple[str, dict[str, Any]]:
    model, version = _model(spec)
    deployment = spec.text("deployment", _PAIR, "owner/name")
    if sum(name in spec.given for name in ("model", "deployment")) + (version is not None and model is None) != 1:
        spec.faults.append("spec needs one of model (owner/name), version (an id) and deployment (owner/name)")
    if deployment is not None:
        return f"/v1/deployments/{deployment[0]}/predictions", {}
    if model is not None and version is None:
        return f"/v1/models/{model}/predictions", {}
    return "/v1/predictions", {"version": version}


def _training(spec: _Spec) -> tuple[str, dict[str, Any]]:
    model, version = _model(spec)
    destination = spec.text("destination", _PAIR, "owner/name, a model of your own")
    if model is None or version is None or "deployment" in spec.given:
        spec.faults.append("a training needs spec.model with the version that is trained: owner/name:version")
    body = {} if destination is None else {"destination": destination[0]}
    return f"/v1/models/{model}/versions/{version}/trainings", body


def _model(spec: _Spec) -> tuple[str | None, str | None]:
    """The model (``owner/name``) and the version that are named."""
    model = spec.text("model", _MODEL, "owner/name or owner/name:version")
    version = spec.text("version", _VERSION, "an id, such as 5c7d5dc6dd8bf75c1acaa8565735e798...")
    named = version[0] if version is not None else None
    if model is None:
        return None, named
    if model["version"] is not None and named is not None:
        spec.faults.append("spec.version stands in spec.model already; keep one of the two")
    return f"{model['owner']}/{model['name']}", model["version"] or named


def _input(spec: _Spec, options: ReplicateOptions) -> dict[str, Any]:
    given = spec.given.get("input", {})
    if not isinstance(given, Mapping):
        spec.faults.append("spec.input must be an object")
        return {}
    if options.token_input is not None and options.token_input in given:
        spec.faults.append(f"spec.input.{options.token_input} is set by the provider itself (token_input)")
    plain = dict(given)
    try:
        size = len(orjson.dumps(plain))
    except (TypeError, ValueError, RecursionError) as error:
        spec.faults.append(f"spec.input holds what JSON cannot: {error}")
        return {}
    if size > MOST_INPUT:
        spec.faults.append(f"spec.input has {size} bytes of JSON, more than {MOST_INPUT}: name files by their address")
    return plain


def _webhook(spec: _Spec) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (url := spec.given.get("webhook")) is not None:
        if isinstance(url, str) and re.fullmatch(r"https?://[^\s/]+\S*", url):
            found["webhook"] = url
        else:
            spec.faults.append("spec.webhook must be an address that begins with https://")
    if (events := spec.given.get("webhook_events_filter")) is not None:
        if isinstance(events, (list, tuple)) and events and all(event in EVENTS for event in events):
            found["webhook_events_filter"] = list(events)
        else:
            spec.faults.append(f"spec.webhook_events_filter must be a list of some of {', '.join(EVENTS)}")
        if url is None:
            spec.faults.append("spec.webhook_events_filter needs spec.webhook: where the events are to go")
    return found


def _deadline(request: JobRequest, kind: str, options: ReplicateOptions, faults: list[str]) -> str | None:
    """The header ``Cancel-After``, counted by Replicate from the creation on."""
    seconds, most = request.max_runtime, options.max_prediction_seconds
    if seconds is None:
        return None
    if kind == TRAINING:
        faults.append("max_runtime: Replicate ends no training by itself; leave it out and cancel when it is time")
    elif not SHORTEST_DEADLINE <= seconds < math.inf:
        faults.append(f"max_runtime must be at least {SHORTEST_DEADLINE:g} seconds at Replicate, not {seconds:g}")
    elif most is not None and seconds > most:
        faults.append(
            f"max_runtime: Replicate ends a prediction after {most:g} seconds, {seconds:g} requested; "
            "max_prediction_seconds says what it allows you"
        )
    return f"{math.ceil(seconds)}s" if math.isfinite(seconds) else None
