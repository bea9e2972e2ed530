"""Routes about the runtime as a whole: health, providers, settings, housekeeping."""

from __future__ import annotations

from typing import Any, cast

import attrs
from starlette.responses import PlainTextResponse

from actors.access.permission import ADMIN, NEVER_REFUSED, VIEWER, Permission
from actors.api.bodies import ProvidersQuery, PruneRequest
from actors.api.problems import AGAIN_SECONDS
from actors.api.route import Call, Nothing, route
from actors.documents.runtime import (
    ConfigDocument,
    HealthDocument,
    ProvidersDocument,
    PruneDocument,
    RestoreDocument,
    SettingDocument,
    health_document,
    provider_document,
    prune_document,
    restore_document,
)

_WORD = "text/plain"


async def health(call: Call[Nothing, Nothing]) -> HealthDocument:
    """Whether the runtime does its work."""
    return health_document(await call.runtime.health.check())


async def live(call: Call[Nothing, Nothing]) -> PlainTextResponse:
    """Whether this process answers."""
    return PlainTextResponse("live\n")


async def ready(call: Call[Nothing, Nothing]) -> PlainTextResponse:
    """Whether all actors run: 200 where they do, 503 where one does not."""
    ready = _all_run(call.runtime.tree.describe())
    status = 200 if ready else 503
    headers = None if ready else {"Retry-After": AGAIN_SECONDS}
    return PlainTextResponse("ready\n" if ready else "not ready\n", status, headers)


def _all_run(tree: list[dict[str, Any]]) -> bool:
    """An empty tree is one that has not started yet."""
    needed = [
        node for child in tree if child["id"] in ("store", "actors") for node in (child, *child.get("children", ()))
    ]
    return bool(needed) and all(node["state"] == "running" for node in needed)


async def providers(call: Call[Nothing, ProvidersQuery]) -> ProvidersDocument:
    """Each provider: what it can do, how its circuit breaker stands, whether anything is dispatched there."""
    return {
        "providers": [provider_document(view) for view in await call.runtime.providers.views(check=call.query.check)]
    }


async def restore(call: Call[Nothing, Nothing]) -> RestoreDocument:
    """Which runtime this is; where it was restored from a backup, how the restore stands.

    Providers are then asked what they run that the backup does not know. Nothing of that is cancelled.
    """
    return restore_document(await call.runtime.restore.view())


async def config(call: Call[Nothing, Nothing]) -> ConfigDocument:
    """The settings that hold, secrets masked, and where each came from."""
    return {"settings": cast("list[SettingDocument]", call.reading.config())}


async def prune(call: Call[PruneRequest, Nothing]) -> PruneDocument:
    """Remove now the jobs that were kept long enough, or only say how many would go.

    409 while a hold keeps them, because the wall clock may be wrong: ``yes`` ends it.
    """
    return prune_document(await call.runtime.jobs.prune(**attrs.asdict(call.body)))


ROUTES = [
    route("GET", "/health", health, Permission("viewer", rate="none")),
    route("GET", "/health/live", live, NEVER_REFUSED, media=_WORD),
    route("GET", "/health/ready", ready, NEVER_REFUSED, status=(200, 503), media=_WORD),
    route("GET", "/api/providers", providers, VIEWER),
    route("GET", "/api/restore", restore, ADMIN),
    route("GET", "/api/config", config, ADMIN),
    route("POST", "/api/prune", prune, ADMIN),
]
