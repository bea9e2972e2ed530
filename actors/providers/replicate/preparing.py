"""Makes the body of a creation from a request. What can be known to be wrong is refused here, before anything is sent.

A job's ``spec`` names what is to run, by a ``model`` (``owner/name``, the version behind a colon or as ``version``), by
a ``version`` alone (an id) or by a ``deployment`` (``owner/name``), and holds its ``input``. With a ``destination`` it
is a training. ``webhook`` and ``webhook_events_filter`` replace what the provider would ask for itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs
import orjson

from actors.jobs.records import JobRequest
from actors.providers.base import Prepared
from actors.providers.errors import FieldFault, Invalid, wrong
from actors.providers.replicate.options import ReplicateOptions
from actors.providers.specs import read_spec
from actors.validation.values import NOT_EMPTY, fits

PREDICTION, TRAINING = "prediction", "training"

SHORTEST_DEADLINE = 5.0
"""Seconds: what ``Cancel-After`` takes at least (the API's schema)."""

MOST_INPUT = 4 * 1024 * 1024
"""Bytes of JSON; what is larger belongs into a file that the input names."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_MODEL = re.compile(rf"(?P<name>{_NAME}/{_NAME})(?::(?P<version>[A-Za-z0-9]+))?", re.ASCII)
_PAIR = re.compile(rf"{_NAME}/{_NAME}", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9]{1,128}", re.ASCII)
_WEB_ADDRESS = re.compile(r"https?://[^\s/]+\S*")


def _text(form: re.Pattern[str], words: str) -> Any:
    return attrs.field(default=None, validator=fits(form.fullmatch, words, with_value=True))


def _is_small(_: Any, attribute: attrs.Attribute[Any], value: Mapping[str, Any]) -> None:
    if (size := len(orjson.dumps(value))) > MOST_INPUT:
        words = f"has {size} bytes of JSON, more than {MOST_INPUT}: name files by their address"
        raise ValueError(f"{attribute.name} {words}")


@attrs.frozen
class ReplicateSpec:
    """The ``spec`` of a request: a prediction, or with ``destination`` a training.

    ``model``: the model, with or without a version. ``version``: a version alone, instead of a model. ``deployment``: a
    deployment, instead of a model. ``input``: the model's inputs. ``destination``: a model of your own that a training
    writes. ``webhook``: where Replicate delivers, instead of the provider's own address. ``webhook_events_filter``:
    which events it delivers there.
    """

    model: str | None = _text(_MODEL, "must look like owner/name or owner/name:version")
    version: str | None = _text(_VERSION, "must look like an id, such as 5c7d5dc6dd8bf75c1acaa8565735e798...")
    deployment: str | None = _text(_PAIR, "must look like owner/name")
    input: Mapping[str, Any] = attrs.field(factory=dict, validator=_is_small)
    destination: str | None = _text(_PAIR, "must look like owner/name, a model of your own")
    webhook: str | None = attrs.field(
        default=None, validator=fits(_WEB_ADDRESS.fullmatch, "must be an address that begins with https://")
    )
    webhook_events_filter: tuple[Literal["start", "output", "logs", "completed"], ...] | None = attrs.field(
        default=None, validator=NOT_EMPTY
    )


def prepare_request(request: JobRequest, options: ReplicateOptions) -> Prepared:
    """The body of a submission. Raises :class:`Invalid` naming every fault and its fix."""
    faults = _misplaced(request)
    kind = PREDICTION if request.spec.get("destination") is None else TRAINING
    spec = read_spec(request.spec, ReplicateSpec, faults)
    path, body = ("", {}) if spec is None else _creation(spec, kind, options, faults)
    cancel_after = _deadline(request, kind, options, faults)
    if faults:
        raise Invalid(*faults)
    return Prepared({"kind": kind, "path": path, "json": body, "cancel_after": cancel_after})


def _misplaced(request: JobRequest) -> list[FieldFault]:
    """Return the fields of a request that have no meaning at Replicate. ``cwd`` is always the submitter's directory, so
    it is no fault.
    """
    names = ("command", "entry_point", "params", "env")
    words = "means nothing at Replicate: use spec (model and input)"
    return [wrong(name, words) for name in names if getattr(request, name)]


def _creation(
    spec: ReplicateSpec, kind: str, options: ReplicateOptions, faults: list[FieldFault]
) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of the creation."""
    if options.token_input is not None and options.token_input in spec.input:
        faults.append(wrong(f"spec.input.{options.token_input}", "is set by the provider itself (token_input)"))
    if spec.webhook_events_filter is not None and spec.webhook is None:
        faults.append(wrong("spec.webhook_events_filter", "needs spec.webhook: where the events are to go"))
    path, body = _named(spec, kind, faults)
    body["input"] = spec.input
    if spec.webhook is not None:
        body["webhook"] = spec.webhook
        if spec.webhook_events_filter is not None:
            body["webhook_events_filter"] = list(spec.webhook_events_filter)
    return path, body


def _named(spec: ReplicateSpec, kind: str, faults: list[FieldFault]) -> tuple[str, dict[str, Any]]:
    """Return the path of the creation, and the part of its body that says what runs."""
    match = _MODEL.fullmatch(spec.model or "")
    model, version = (None, spec.version) if match is None else (match["name"], match["version"] or spec.version)
    if match is not None and match["version"] is not None and spec.version is not None:
        faults.append(wrong("spec.version", "stands in spec.model already; keep one of the two"))
    if kind == TRAINING:
        if model is None or version is None or spec.deployment is not None:
            needed = "a training needs spec.model with the version that is trained: owner/name:version"
            faults.append(FieldFault("spec.model", needed))
        return f"/v1/models/{model}/versions/{version}/trainings", {"destination": spec.destination}
    if sum(one is not None for one in (model or version, spec.deployment)) != 1:
        faults.append(wrong("spec", "needs one of model (owner/name), version (an id) and deployment (owner/name)"))
    if spec.deployment is not None:
        return f"/v1/deployments/{spec.deployment}/predictions", {}
    if version is not None:
        return "/v1/predictions", {"version": version}
    return f"/v1/models/{model}/predictions", {}


def _deadline(request: JobRequest, kind: str, options: ReplicateOptions, faults: list[FieldFault]) -> str | None:
    """Return the header ``Cancel-After``, which Replicate counts from the creation on."""
    seconds, most = request.max_runtime, options.max_prediction_seconds
    if seconds is None:
        return None
    if kind == TRAINING:
        ends = ": Replicate ends no training by itself; leave it out and cancel when it is time"
        faults.append(wrong("max_runtime", ends))
    elif not SHORTEST_DEADLINE <= seconds < math.inf:
        short = f"must be at least {SHORTEST_DEADLINE:g} seconds at Replicate, not {seconds:g}"
        faults.append(wrong("max_runtime", short))
    elif most is not None and seconds > most:
        long = f": Replicate ends a prediction after {most:g} seconds, {seconds:g} requested"
        faults.append(wrong("max_runtime", f"{long}; max_prediction_seconds says what it allows you"))
    return f"{math.ceil(seconds)}s" if math.isfinite(seconds) else None
