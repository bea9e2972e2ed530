"""The same answers without a supervisor: the application itself, asked in this process, over the rows alone (C4)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import click
import httpx
import trio

from actors.api.access import asked_by
from actors.api.app import create_app
from actors.api.unix_peer import Peer
from actors.cli.context import BadInput, Failed, fail, os_user
from actors.cli.offline import open_reading
from actors.control.control import RefusalKind, Refused, Runtime
from actors.settings import Settings
from actors.store.errors import StoreError
from actors.store.state_directory import StateDirectoryError

T = TypeVar("T")


def look(settings: Settings, path: str, params: Any) -> tuple[int, bytes]:
    """Status and body of what ``GET path`` answers."""

    async def ask(reading: Runtime) -> tuple[int, bytes]:
        asked = asked_by(create_app(reading), Peer(os.getuid(), os_user()))
        transport = httpx.ASGITransport(app=asked)
        async with httpx.AsyncClient(transport=transport, base_url="http://greenroom") as http:
            answered = await http.get(path, params=params)
            return answered.status_code, answered.content

    return _run(settings, ask)


def logs(settings: Settings, job_id: str, write: Callable[[bytes], object]) -> None:
    """What a job has written until now."""

    async def copy(reading: Runtime) -> None:
        async for data, _cursor in reading.logs(job_id):
            write(data)

    _run(settings, copy)


def _run(settings: Settings, question: Callable[[Runtime], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with _reading(settings) as reading:
            return await question(reading)

    try:
        return trio.run(ask)
    except Refused as error:
        raise (BadInput if error.kind is RefusalKind.INVALID else Failed)(str(error)) from None
    except (StateDirectoryError, StoreError) as error:
        fail(error)


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[Runtime]:
    """The read part of a runtime, which is all that a GET about rows asks for."""
    async with open_reading(settings, _say) as reading:
        yield cast("Runtime", reading)


def _say(text: str) -> None:
    click.echo(f"({text})", err=True)
