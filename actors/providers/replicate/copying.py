"""Copies of what jobs leave, made before it vanishes at Replicate, into a folder of the provider's own.

What is to be copied is written down before the job's end is told, so that a copy is made after a restart, too. A copy
is there whole or not at all. The token goes along to the API's own origin only; no other host than the configured ones
is asked, and no redirect is followed: the addresses come out of a model's output.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import attrs
import httpx
import orjson
import trio

from actors.http_client import get_async_client, transport_options
from actors.jobs.durations import seconds_between
from actors.providers.base import Handle, Nudge, Result
from actors.providers.errors import NotFound, ProviderError
from actors.providers.http_addresses import checked_address, origin
from actors.providers.replicate.api import ReplicateApi
from actors.providers.replicate.options import ReplicateOptions
from actors.providers.replicate.reading import RETENTION, kind_of, remote_id, results_of
from logconf import get_logger

_logger = get_logger("actors.providers.replicate")

FILE_SECONDS = 900.0
"""For one file."""

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_GIVE_UP = RETENTION + timedelta(minutes=10)
_PIECE = 256 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class NotCopied(Exception):
    """Why something was not copied. ``for_good``: another try would end the same."""

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__(why)
        self.for_good = for_good


@attrs.frozen
class _Wish:
    """What is to be copied, and since when."""

    key: str
    handle: Handle
    since: datetime


class Copies:
    """The copies under ``root``. ``transport`` is for tests."""

    def __init__(
        self,
        root: Path,
        options: ReplicateOptions,
        api: ReplicateApi,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._wanted = root / "to-copy"
        self._done = root / "results"
        self._options = options
        self._origin = origin(checked_address(options.base_url))
        self._api = api
        self._now = now
        travel = attrs.evolve(transport_options(os.environ)[0], proxy=options.proxy)
        self._client = get_async_client(travel, **({} if transport is None else {"transport": transport}))
        self._known: set[str] = set()
        self._first_tried: dict[str, float] = {}
        self._changed = trio.Event()

    async def want(self, key: str, handle: Handle) -> None:
        """Write down that this job's results are to be copied."""
        if key in self._known or not _KEY.fullmatch(key):
            return
        wish = {"handle": dict(handle), "since": self._now().isoformat()}
        self._first_tried[key] = trio.current_time()
        await trio.to_thread.run_sync(self._write_wish, key, orjson.dumps(wish))
        self._known.add(key)
        self._changed.set()

    def _write_wish(self, key: str, content: bytes) -> None:
        if (self._done / key).exists():
            return
        self._wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_whole(self._wanted / f"{key}.json", content)

    async def of(self, key: str) -> Sequence[Result]:
        """The files that were copied."""
        return await trio.to_thread.run_sync(self._files, key)

    def _files(self, key: str) -> list[Result]:
        folder = self._done / key
        if not _KEY.fullmatch(key) or not folder.is_dir():
            return []
        return [Result(path.name, path.as_uri()) for path in sorted(folder.iterdir())]

    async def forget(self, key: str) -> None:
        """Remove them."""
        if _KEY.fullmatch(key):
            await trio.to_thread.run_sync(self._remove, key)

    def _remove(self, key: str) -> None:
        (self._wanted / f"{key}.json").unlink(missing_ok=True)
        for name in (key, _part(key)):
            shutil.rmtree(self._done / name, ignore_errors=True)

    async def run(self, nudge: Nudge) -> None:
        """Copy what is wanted, one job after the other, until cancelled; ``nudge`` for each that was settled."""
        pauses: dict[str, tuple[float, float]] = {}
        while True:
            self._changed = trio.Event()
            wishes = await trio.to_thread.run_sync(self._wishes)
            for wish in wishes:
                due, pause = pauses.get(wish.key, (0.0, _FIRST_PAUSE))
                if trio.current_time() < due:
                    continue
                if await self._fulfil(wish):
                    self._known.discard(wish.key)
                    self._first_tried.pop(wish.key, None)
                    nudge(wish.key)
                    pauses.pop(wish.key, None)
                else:
                    pauses[wish.key] = (trio.current_time() + pause, min(2 * pause, _LONGEST_PAUSE))
            waiting = {wish.key for wish in wishes}
            pauses = {key: when for key, when in pauses.items() if key in waiting}
            with trio.move_on_at(min((due for due, _ in pauses.values()), default=float("inf"))):
                await self._changed.wait()

    def _wishes(self) -> list[_Wish]:
        found = []
        for path in sorted(self._wanted.glob("*.json")) if self._wanted.is_dir() else []:
            try:
                told = orjson.loads(path.read_bytes())
                found.append(_Wish(path.stem, told["handle"], datetime.fromisoformat(told["since"])))
            except (OSError, ValueError, KeyError, TypeError):  # written by nobody of us, or gone meanwhile
                continue
        return found

    async def _fulfil(self, wish: _Wish) -> bool:
        """Whether nothing remains to be done about it."""
        extra = {"provider": self._api.name, "submission": wish.key}
        try:
            number = await self._copy(wish)
        except (NotCopied, ProviderError, OSError, httpx.HTTPError) as error:
            over = self._is_over(wish) or getattr(error, "for_good", False) or isinstance(error, NotFound)
            if over:
                _logger.warning("Results were not copied and will vanish: %s", error, extra=extra)
                await trio.to_thread.run_sync(self._remove, wish.key)
            else:
                _logger.info("Results could not be copied yet: %s", error, extra=extra)
            return over
        _logger.info("Copied %d result files", number, extra={**extra, "directory": str(self._done / wish.key)})
        return True

    def _is_over(self, wish: _Wish) -> bool:
        """Whether it is given up, so long after it was wanted; by the wall clock where that was before the start."""
        now = trio.current_time()
        waited = seconds_between(wish.since, self._now())
        first = self._first_tried.setdefault(wish.key, now - waited)
        return now - first > _GIVE_UP.total_seconds()

    async def _copy(self, wish: _Wish) -> int:
        results = results_of(await self._api.get(kind_of(wish.handle), remote_id(wish.handle.get("id"))))
        part = self._done / _part(wish.key)
        await trio.to_thread.run_sync(_empty, part)
        left = self._options.copy_bytes
        for number, result in enumerate(results, 1):
            with trio.move_on_after(FILE_SECONDS) as scope:
                left -= await self._download(result.url, part / _file_name(number, result.url), left)
            if scope.cancelled_caught:
                raise NotCopied(f"a file took longer than {FILE_SECONDS:g} s")
        await trio.to_thread.run_sync(self._publish, part, wish.key)
        return len(results)

    def _publish(self, part: Path, key: str) -> None:
        shutil.rmtree(self._done / key, ignore_errors=True)
        part.rename(self._done / key)
        _sync(self._done)
        (self._wanted / f"{key}.json").unlink(missing_ok=True)

    async def _download(self, url: str, path: Path, most: int) -> int:
        """Write what lies at ``url`` to ``path``; how many bytes. Raises :class:`NotCopied` beyond ``most`` of them."""
        async with self._client.stream("GET", url, headers=self._headers_for(url)) as response:
            if response.status_code != 200:
                raise NotCopied(f"{urlsplit(url).hostname} answered {response.status_code} for a result")
            with await trio.to_thread.run_sync(_opened, path) as file:
                size = await _save(response, file, most)
                if size > most:
                    raise NotCopied(f"the results have more than {self._options.copy_bytes} bytes", for_good=True)
                await trio.to_thread.run_sync(_flush, file)
        return size

    def _headers_for(self, url: str) -> Mapping[str, str]:
        """The credentials for the API's own origin, none for hosts that may be asked beside it.

        Raises :class:`NotCopied` for any other address.
        """
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise NotCopied("a result has no address that can be read", for_good=True) from None
        if origin(parsed) == self._origin:
            return {**self._api.credentials(), "Accept-Encoding": "identity"}
        hosts = self._options.copy_hosts
        allowed = any(parsed.host == host or parsed.host.endswith(f".{host}") for host in hosts)
        if parsed.scheme != "https" or parsed.userinfo or parsed.port is not None or not allowed:
            where = f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}"[:100]
            raise NotCopied(f"a result lies at {where}, not at https:// and one of copy_hosts", for_good=True)
        return {"Accept-Encoding": "identity"}

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


async def _save(response: httpx.Response, file: BinaryIO, most: int) -> int:
    """The body, or its beginning where it has more than ``most`` bytes; how many came."""
    size = 0
    with trio.CancelScope() as enough:
        async for piece in response.aiter_bytes(_PIECE):
            size += len(piece)
            if size > most:
                enough.cancel()  # left by `break`, the generators inside httpx would stay open until collected
            else:
                await trio.to_thread.run_sync(_append, file, piece)
    return size


def _part(key: str) -> str:
    """The folder of what is not whole yet."""
    return f".{key}.part"


def _file_name(number: int, url: str) -> str:
    last = unquote(urlsplit(url).path.rpartition("/")[2])
    return f"{number:03d}-{_UNSAFE.sub('_', last)[-100:].lstrip('.') or 'output'}"


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)


def _opened(path: Path) -> BinaryIO:
    return path.open("wb")


def _append(file: BinaryIO, piece: bytes) -> None:
    file.write(piece)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        _flush(file)
    part.replace(path)
    _sync(path.parent)
