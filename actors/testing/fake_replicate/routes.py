"""Says which function answers which address. It covers the part of Replicate's API that is about jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
import orjson

from actors.testing.fake_replicate import documents
from actors.testing.fake_replicate.account import Account
from actors.testing.fake_replicate.listing import page
from actors.testing.fake_replicate.wire import Asked, Reply, json_reply, refuse

EVENTS = frozenset({"start", "output", "logs", "completed"})
_COMMON = frozenset({"input", "webhook", "webhook_events_filter", "stream"})
_NAMED = r"(?P<owner>[^/]+)/(?P<name>[^/]+)"
_KIND = r"(?P<kind>prediction|training)"

Answer = Callable[[Account, Asked, Mapping[str, str]], Reply]
"""Answers a request with the parts of its path. Raises :class:`~actors.testing.fake_replicate.wire.Refusal`."""


def _account(account: Account, _asked: Asked, _named: Mapping[str, str]) -> Reply:
    return json_reply(200, {"type": "user", "username": account.username, "name": account.username.title()})


def _secret(account: Account, _asked: Asked, _named: Mapping[str, str]) -> Reply:
    return json_reply(200, {"key": account.secret})


def create_prediction(account: Account, asked: Asked, named: Mapping[str, str]) -> Reply:
    """Create a prediction; predictions have a rate limit of their own."""
    body = _creation(asked) if named else _creation(asked, "version")
    if named:
        model, version = f"{named['owner']}/{named['name']}", "hidden"
    elif "/" in (text := body.version or ""):
        model, _, version = text.partition(":")
    else:
        model, version = f"{account.username}/model", text
    job = account.create(
        "prediction", model, version or "hidden", body.input, cancel_after_text=asked.headers.get("cancel-after"),
        webhook=body.webhook, events=body.events, deployment=named.get("deployment"),
    )  # fmt: skip
    return json_reply(201, documents.created(job, account.now(), asked.origin))


def _create_training(account: Account, asked: Asked, named: Mapping[str, str]) -> Reply:
    body = _creation(asked, "destination")
    if not (body.destination or "").startswith(f"{account.username}/"):
        raise refuse(404, "The specified training destination does not exist")
    job = account.create(
        "training", f"{named['owner']}/{named['name']}", named["version"], body.input,
        webhook=body.webhook, events=body.events, destination=body.destination,
    )  # fmt: skip
    return json_reply(201, documents.created(job, account.now(), asked.origin))


def _get(account: Account, asked: Asked, named: Mapping[str, str]) -> Reply:
    return json_reply(200, documents.whole(account.found(named["id"], named["kind"]), account.now(), asked.origin))


def _cancel(account: Account, asked: Asked, named: Mapping[str, str]) -> Reply:
    job = account.found(named["id"], named["kind"])
    account.cancel(job)
    return json_reply(200, documents.canceled(job, account.now(), asked.origin))


def _list(account: Account, asked: Asked, named: Mapping[str, str]) -> Reply:
    query = asked.query if named["kind"] == "prediction" else {k: v for k, v in asked.query.items() if k == "cursor"}
    shown = page(account.jobs(named["kind"]), query)
    address, now = f"{asked.origin}/v1/{named['kind']}s?", account.now()
    return json_reply(
        200,
        {
            "next": shown.next and address + shown.next,
            "previous": shown.previous and address + shown.previous,
            "results": [documents.listed(job, now, asked.origin) for job in shown.jobs],
        },
    )


def output(account: Account, _asked: Asked, named: Mapping[str, str]) -> Reply:
    """Send a file that a job left; this needs no token."""
    job = account.found(named["id"], "prediction")
    if job.standing(account.now()).status != "succeeded" or job.removed(account.now()):
        raise refuse(404, "There is no such file")
    return Reply(200, f"the output of {job.id}\n".encode(), {"content-type": "application/octet-stream"})


def _nothing(_account: Account, _asked: Asked, _named: Mapping[str, str]) -> Reply:
    raise refuse(404, "The requested resource could not be found.", "Not found")


_TABLE = [
    (method, re.compile(path), answer)
    for method, path, answer in (
        ("GET", r"/v1/account", _account),
        ("GET", r"/v1/webhooks/default/secret", _secret),
        ("POST", r"/v1/predictions", create_prediction),
        ("POST", rf"/v1/models/{_NAMED}/predictions", create_prediction),
        ("POST", rf"/v1/deployments/(?P<deployment>{_NAMED})/predictions", create_prediction),
        ("POST", rf"/v1/models/{_NAMED}/versions/(?P<version>[^/]+)/trainings", _create_training),
        ("GET", rf"/v1/{_KIND}s", _list),
        ("GET", rf"/v1/{_KIND}s/(?P<id>[^/]+)", _get),
        ("POST", rf"/v1/{_KIND}s/(?P<id>[^/]+)/cancel", _cancel),
        ("GET", r"/outputs/(?P<id>[^/]+)/[^/]+", output),
    )
]


def route_of(asked: Asked) -> tuple[Answer, Mapping[str, str]]:
    """Return the function that answers a request, and the named parts of its path. Raises a refusal with status 404."""
    for method, path, answer in _TABLE:
        if asked.method == method and (match := path.fullmatch(asked.path)):
            return answer, match.groupdict()
    return _nothing, {}


@attrs.frozen
class Creation:
    """The checked body of a creation."""

    input: Mapping[str, Any]
    version: str | None = None
    destination: str | None = None
    webhook: str | None = None
    events: frozenset[str] = frozenset({"output", "completed"})


def _creation(asked: Asked, *needed: str) -> Creation:
    """Return the body of ``asked``, which must have ``input`` and ``needed``. Raises a refusal with status 422."""
    try:
        body = orjson.loads(asked.body)
    except orjson.JSONDecodeError:
        raise refuse(422, "The body is not JSON") from None
    if not isinstance(body, dict):
        raise refuse(422, "The body is not an object")
    for name in ("input", *needed):
        if name not in body:
            raise refuse(422, f"- {name} is required", "Input validation failed")
    unknown = sorted(body.keys() - _COMMON - set(needed))
    if unknown:
        raise refuse(422, f"- Additional property {unknown[0]} is not allowed", "Input validation failed")
    if not isinstance(body["input"], dict):
        raise refuse(422, "- input must be an object", "Input validation failed")
    for name in needed:
        if not isinstance(body[name], str):
            raise refuse(422, f"- {name} must be a string", "Input validation failed")
    events = body.get("webhook_events_filter") or ["output", "completed"]
    if not isinstance(events, list) or not all(one in EVENTS for one in events):
        raise refuse(422, "- webhook_events_filter holds an unknown event", "Input validation failed")
    named = {name: body[name] for name in needed}
    return Creation(input=body["input"], webhook=_webhook(body.get("webhook")), events=frozenset(events), **named)


def _webhook(url: Any) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url) if isinstance(url, str) else None
    on_this_machine = parts is not None and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and on_this_machine)):
        raise refuse(422, "- webhook must be an https URL", "Input validation failed")
    return str(url)
