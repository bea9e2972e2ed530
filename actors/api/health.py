"""Routes about the runtime as a whole: health, providers, settings, housekeeping."""

from __future__ import annotations

from typing import Any, cast

import attrs
from starlette.responses import PlainTextResponse

from actors.access.permission import ADMIN, NEVER_REFUSED, VIEWER, Permission
from actors.api.bodies import ProvidersQuery, PruneRequest
from actors.api.problems import AGAIN_SECONDS
from actors.api.route import Call, Nothing, route
from actors.control.health import Health
from actors.documents.runtime import (
    ConfigDocument,
    ProvidersDocument,
    RestoreDocument,
    SettingDocument,
    provider_document,
    restore_document,
)
from actors.jobs import maxima
from actors.jobs.retention import PruneResult

_WORD = "text/plain"


async def health(call: Call[Nothing, Nothing]) -> Health:
    """Show whether the runtime works, and if not, why."""
    found = await call.runtime.health.check()
    return attrs.evolve(found, uncertain_jobs=found.uncertain_jobs[: maxima.ROWS])


async def live(call: Call[Nothing, Nothing]) -> PlainTextResponse:
    """Answer 200 if this process answers at all."""
    return PlainTextResponse("live\n")


async def ready(call: Call[Nothing, Nothing]) -> PlainTextResponse:
    """Answer 200 if all actors run, 503 if one does not."""
    ready = _all_run(call.runtime.tree.describe())
    status = 200 if ready else 503
    headers = None if ready else {"Retry-After": AGAIN_SECONDS}
    return PlainTextResponse("ready\n" if ready else "not ready\n", status, headers)


def _all_run(tree: list[dict[str, Any]]) -> bool:
    """Whether all children run; an empty tree is one that has not started yet."""
    needed = [
        node for child in tree if child["id"] in ("store", "actors") for node in (child, *child.get("children", ()))
    ]
    return bool(needed) and all(node["state"] == "running" for node in needed)


async def providers(call: Call[Nothing, ProvidersQuery]) -> ProvidersDocument:
    """Show each provider: its abilities, its circuit breaker, and whether it gets jobs now."""
    return {
        "providers": [provider_document(view) for view in await call.runtime.providers.views(check=call.query.check)]
    }


async def restore(call: Call[Nothing, Nothing]) -> RestoreDocument:
    """Show which runtime this is; if it was restored from a backup, also the state of the restore.

    The providers are then asked for jobs that the backup does not know. None of them is cancelled.
    """
    return restore_document(await call.runtime.restore.view())


async def config(call: Call[Nothing, Nothing]) -> ConfigDocument:
    """List the settings in effect with secrets masked, and where each comes from."""
    return {"settings": cast("list[SettingDocument]", call.reading.config())}


async def prune(call: Call[PruneRequest, Nothing]) -> PruneResult:
    """Remove the jobs that are older than the retention now, or only count them.

    409 while pruning is on hold because the wall clock may be wrong; ``yes`` ends the hold.
    """
    return await call.runtime.jobs.prune(**attrs.asdict(call.body))


ROUTES = [
    route("GET", "/health", health, Permission("viewer", rate="none")),
    route("GET", "/health/live", live, NEVER_REFUSED, media=_WORD),
    route("GET", "/health/ready", ready, NEVER_REFUSED, status=(200, 503), media=_WORD),
    route("GET", "/api/providers", providers, VIEWER),
    route("GET", "/api/restore", restore, ADMIN),
    route("GET", "/api/config", config, ADMIN),
    route("POST", "/api/prune", prune, ADMIN),
]
