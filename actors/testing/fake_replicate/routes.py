"""Which address is answered by what: the part of Replicate's API that has to do with jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

from actors.testing.fake_replicate import documents
from actors.testing.fake_replicate.account import Account
from actors.testing.fake_replicate.checking import creation
from actors.testing.fake_replicate.listing import page
from actors.testing.fake_replicate.wire import Asked, Reply, json_reply, refuse

_NAMED = r"(?P<owner>[^/]+)/(?P<name>[^/]+)"
_KIND = r"(?P<kind>prediction|training)"


def _account(account: Account, _asked: Asked, _named: Mapping[str, str]) -> Reply:
    return json_reply(200, {"type": "user", "username": account.username, "name": account.username.title()})


def _secret(account: Account, _asked: Asked, _named: Mapping[str, str]) -> Reply:
    return json_reply(200, {"key": account.secret})


def _create_prediction(account: Account, asked: Asked, named: Mapping[str, str]) -> Reply:
    body = creation(asked) if named else creation(asked, "version")
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
    body = creation(asked, "destination")
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


def _output(account: Account, _asked: Asked, named: Mapping[str, str]) -> Reply:
    job = account.found(named["id"], "prediction")
    if job.standing(account.now()).status != "succeeded" or job.removed(account.now()):
        raise refuse(404, "There is no such file")
    return Reply(200, f"the output of {job.id}\n".encode(), {"content-type": "application/octet-stream"})


def _nothing(_account: Account, _asked: Asked, _named: Mapping[str, str]) -> Reply:
    raise refuse(404, "The requested resource could not be found.", "Not found")


@attrs.frozen
class Route:
    """What answers a request, with the parts of its path by name. ``public``: without a token. ``creates``: a
    prediction, which has a rate of its own.
    """

    _answer: Callable[[Account, Asked, Mapping[str, str]], Reply]
    _named: Mapping[str, str]

    @property
    def public(self) -> bool:
        return self._answer is _output

    @property
    def creates(self) -> bool:
        return self._answer is _create_prediction

    def answer(self, account: Account, asked: Asked) -> Reply:
        """What ``account`` answers. Raises :class:`~actors.testing.fake_replicate.wire.Refusal`."""
        return self._answer(account, asked, self._named)


_TABLE = [
    (method, re.compile(path), answer)
    for method, path, answer in (
        ("GET", r"/v1/account", _account),
        ("GET", r"/v1/webhooks/default/secret", _secret),
        ("POST", r"/v1/predictions", _create_prediction),
        ("POST", rf"/v1/models/{_NAMED}/predictions", _create_prediction),
        ("POST", rf"/v1/deployments/(?P<deployment>{_NAMED})/predictions", _create_prediction),
        ("POST", rf"/v1/models/{_NAMED}/versions/(?P<version>[^/]+)/trainings", _create_training),
        ("GET", rf"/v1/{_KIND}s", _list),
        ("GET", rf"/v1/{_KIND}s/(?P<id>[^/]+)", _get),
        ("POST", rf"/v1/{_KIND}s/(?P<id>[^/]+)/cancel", _cancel),
        ("GET", r"/outputs/(?P<id>[^/]+)/[^/]+", _output),
    )
]


def route_of(asked: Asked) -> Route:
    """The route of a request; what is at no address is answered 404."""
    for method, path, answer in _TABLE:
        if asked.method == method and (match := path.fullmatch(asked.path)):
            return Route(answer, match.groupdict())
    return Route(_nothing, {})
