"""One field of a job request, sent from each source from which requests come."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx

from actors.access.peer import Peer
from actors.access.users import SocketUsers, UserRights
from actors.api.app import create_app
from actors.job_requests.job_file import _NAMES, load_job_file
from actors.job_requests.job_request import request_from_mapping
from actors.job_requests.sources import RequestSource
from actors.jobs.records import JobRequest
from actors.jobs.refusal import Refused
from actors.runtime import RunningRuntime
from actors.settings import Settings, SettingsError
from actors.validation import CheckedError
from tests.api.servers import ORIGIN, bearer

S = RequestSource
NAMES = [attribute.name for attribute in attrs.fields(JobRequest)]

VALUES: dict[str, Any] = {
    "provider": "scripted",
    "command": ["sh", "-c", "id"],
    "entry_point": "train",
    "params": {"epochs": 3},
    "cwd": "/tmp",
    "env": {"LD_PRELOAD": "/tmp/x.so"},
    "env_from": ["GREENROOM_*"],
    "inherited_env": {"BASH_ENV": "/tmp/x"},
    "spec": {"duration": 5},
    "resources": {"cpus": 2},
    "user_id": "bo",
    "org_id": "shop",
    "team_id": "vision",
    "user_levels": ["lead"],
    "config_name": "run",
    "hardware_type": "h100",
    "estimated_cost": 1.5,
    "priority_override": 30,
    "max_attempts": 2,
    "idempotency_key": "k",
    "max_runtime": 60.0,
    "requires_approval": "please",
    "group": "rates",
    "after": ["earlier"],
    "after_mode": "ended",
    "start_after": "+2h",
    "notify": ["chat"],
    "rerun": {"times": 2},
    "parameters": {"lr": "0.1"},
    "best": {"loss": "min"},
}
"""A value of each field that is not its default."""


class NotAllowed(Exception):
    """The field was refused by name."""


def refused(name: str, said: str) -> NotAllowed:
    """What follows from a refusal, which must name the field."""
    assert said.startswith(f"{name}: ") or f"{name}: unknown key" in said
    return NotAllowed(said)


def base(source: RequestSource, field: str) -> dict[str, Any]:
    """A request that would be accepted without ``field``, and ``field``."""
    return {"provider": "scripted", **({"user_id": "ana"} if source is S.EMBEDDED else {}), field: VALUES[field]}


@attrs.frozen
class Sources:
    """Sends one field from each source; raises :class:`NotAllowed` where it is refused."""

    runtime: RunningRuntime
    folder: Path

    async def send(self, source: RequestSource, field: str) -> Any:
        """What became of the field: its value in the request that was read."""
        ways: dict[RequestSource, Callable[[str], Awaitable[Any]]] = {
            S.EMBEDDED: self._embedded, S.SOCKET_OWNER: self._socket, S.SOCKET_OTHER: self._other, S.TCP: self._tcp,
            S.JOB_FILE: self._job_file, S.ENTRY_POINTS: self._entry_points,
        }  # fmt: skip
        if field == "after" and source in (S.EMBEDDED, S.SOCKET_OWNER, S.SOCKET_OTHER, S.TCP):
            earlier = base(S.EMBEDDED, "config_name") | {"config_name": "earlier"}
            await self.runtime.submit(request_from_mapping(earlier))
        return await ways[source](field)

    async def _embedded(self, field: str) -> Any:
        try:
            job = await self.runtime.submit(request_from_mapping(base(S.EMBEDDED, field)))
        except Refused as error:
            raise refused(field, str(error)) from error
        return getattr(job.request, field)

    async def _socket(self, field: str) -> Any:
        return await self._http(field, base(S.SOCKET_OWNER, field), Peer(1000, "ana"), {})

    async def _other(self, field: str) -> Any:
        return await self.other(field, commands=False)

    async def other(self, field: str, *, commands: bool) -> Any:
        """From another user of this machine, who may submit ``commands`` or not."""
        rights = UserRights("admin", teams=("vision",))
        users = SocketUsers({"root": rights}, lambda _uid: "root", commands=commands)
        return await self._http(field, base(S.SOCKET_OTHER, field), Peer(0, "", via="socket_other"), {}, users)

    async def _tcp(self, field: str) -> Any:
        who = await bearer(self.runtime, "admin", teams=("vision",))
        return await self._http(field, base(S.TCP, field), None, who)

    async def _http(
        self, field: str, body: dict[str, Any], peer: Peer | None, headers: dict[str, str],
        users: SocketUsers | None = None,
    ) -> Any:  # fmt: skip
        app = create_app(self.runtime, users=users)

        async def told(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": {} if peer is None else {"peer": peer}}, receive, send)

        transport = httpx.ASGITransport(app=told)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            answered = await http.post("/api/jobs", json=body, headers=headers)
        if answered.status_code == 201:
            return getattr((await self.runtime.jobs.get(answered.json()["job_id"])).job.request, field)
        assert answered.status_code in (403, 422), answered.text
        assert answered.json()["field"] == field
        assert answered.json()["detail"].startswith(f"{field}: ")
        raise NotAllowed

    async def _job_file(self, field: str) -> Any:
        key = {name: key for key, name in _NAMES.items()}.get(field, field)
        path = self.folder / "jobs.yaml"
        start = {} if field in ("command", "entry_point") else {"command": ["true"]}
        path.write_text(json.dumps({"jobs": [{**start, key: VALUES[field]}]}))
        try:
            (request,) = load_job_file(path, user="ana", environ={}).requests
        except CheckedError as error:
            raise refused(key, str(error)) from error
        return getattr(request, field)

    async def _entry_points(self, field: str) -> Any:
        """An entry point of the configuration: ``params`` there says what a request's may be."""
        entry = {"command": ["python3", "{epochs}"], "params": {"epochs": {"type": "int"}}}
        value = entry["params"] if field == "params" else [*VALUES[field], "{epochs}"] if field == "command" else None
        path = self.folder / "greenroom.yaml"
        path.write_text(json.dumps({"entry_points": {"train": {**entry, field: value or VALUES[field]}}}))
        try:
            settings = Settings.load(path, environ={}, cwd=self.folder, home=self.folder)
        except SettingsError as error:
            raise refused(field, str(error)) from error
        return getattr(settings.entry_points["train"], field)
