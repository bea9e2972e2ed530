"""Downloads one result into a file. The size is limited, nothing is unpacked, and the file is complete or not there.

The token is sent to the API's own origin only. Only the configured hosts are asked, and redirects are not followed,
because the addresses come from the output of a model.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import unquote

import attrs
import httpx
import trio

from actors.providers.http import client_of
from actors.providers.http_addresses import checked_address, origin
from actors.providers.replicate.options import ReplicateOptions

UNFINISHED = ".unfinished"
"""At the end of the name of a file that is still being written."""

_PIECE = 256 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_LONGEST_NAME = 100
_THREADS = 8

T = TypeVar("T")


class NotCopied(Exception):
    """The reason why something was not copied. ``for_good``: another try would end in the same way."""

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__(why)
        self.for_good = for_good


@attrs.define
class Budget:
    """How many bytes of one job may still be downloaded, of ``most`` in all."""

    most: int
    taken: int = 0

    def take(self, size: int) -> None:
        """Take ``size`` bytes. Raises :class:`NotCopied` if they are too many."""
        self.taken += size
        if self.taken > self.most:
            raise NotCopied(f"the results have more than {self.most} bytes (copy_bytes)", for_good=True)


class Downloader:
    """Downloads results. ``credentials``: the headers for the API's own origin. ``connections``: how many at a time.
    ``transport`` is for tests.
    """

    def __init__(
        self,
        options: ReplicateOptions,
        credentials: Callable[[], Mapping[str, str]],
        connections: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._hosts = options.copy_hosts
        self._largest = options.copy_file_bytes
        self._origin = origin(checked_address(options.base_url))
        self._credentials = credentials
        self._threads = trio.CapacityLimiter(_THREADS)  # of its own: a slow disk must not delay other work
        self._client = client_of(connections, options.proxy, transport)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def download(self, url: str, path: Path, budget: Budget) -> None:
        """Download ``url`` to ``path``, unless the file is there. Raises :class:`NotCopied`, ``httpx.HTTPError`` and
        ``OSError``.
        """
        if (size := await self._on_disk(_size, path)) is not None:
            budget.take(size)
            return
        headers = self._headers_for(url)
        async with self._client.stream("GET", url, headers=headers) as response:
            self._check(response, budget)
            unfinished = path.with_name(path.name + UNFINISHED)
            with await self._on_disk(_opened, unfinished) as file:
                await self._save(response, file, budget)
                await self._on_disk(_flush, file)
            await self._on_disk(unfinished.rename, path)

    async def _on_disk(self, do: Callable[..., T], *given: Any) -> T:
        return await trio.to_thread.run_sync(do, *given, limiter=self._threads)

    def _check(self, response: httpx.Response, budget: Budget) -> None:
        where = response.request.url.host
        if response.status_code != 200:
            raise NotCopied(f"{where} answered {response.status_code} for a result")
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            # A packed body may unpack to a thousand times its size, and was not asked for.
            raise NotCopied(f"{where} packed a result, which it was asked not to do", for_good=True)
        announced = response.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit():
            size = int(announced[:19])
            self._bound(size)
            Budget(budget.most, budget.taken).take(size)

    async def _save(self, response: httpx.Response, file: BinaryIO, budget: Budget) -> None:
        """Write the body. Raises :class:`NotCopied` where it is too long."""
        size = 0
        too_much: NotCopied | None = None
        with trio.CancelScope() as enough:
            async for piece in response.aiter_bytes(_PIECE):
                if too_much is not None:
                    continue
                size += len(piece)
                try:
                    self._bound(size)
                    budget.take(len(piece))
                except NotCopied as error:
                    too_much = error
                    enough.cancel()  # left by an error, the generators inside httpx would stay open until collected
                else:
                    await self._on_disk(file.write, piece)
        if too_much is not None:
            raise too_much

    def _bound(self, size: int) -> None:
        if size > self._largest:
            raise NotCopied(f"a result has more than {self._largest} bytes (copy_file_bytes)", for_good=True)

    def _headers_for(self, url: str) -> Mapping[str, str]:
        """Return the credentials for the API's own origin, and none for the other allowed hosts.

        Raises :class:`NotCopied` for any other address.
        """
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise NotCopied("a result has no address that can be read", for_good=True) from None
        if origin(parsed) == self._origin and not parsed.userinfo:
            return {**self._credentials(), "Accept-Encoding": "identity"}
        allowed = any(parsed.host == host or parsed.host.endswith(f".{host}") for host in self._hosts)
        if parsed.scheme != "https" or parsed.userinfo or parsed.port is not None or not allowed:
            where = f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}"[:100]
            raise NotCopied(f"a result lies at {where}, not at https:// and one of copy_hosts", for_good=True)
        return {"Accept-Encoding": "identity"}


def file_name(number: int, url: str) -> str:
    """Return the name of the ``number``-th result here: a harmless, short and unique name for any address."""
    try:
        last = unquote(httpx.URL(url).raw_path.decode("ascii", "replace").partition("?")[0].rpartition("/")[2])
    except (httpx.InvalidURL, ValueError):
        last = ""
    return f"{number:03d}-{_UNSAFE.sub('_', last)[-_LONGEST_NAME:].lstrip('.') or 'output'}"


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return None


def _opened(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return open(os.open(path, flags, 0o600), "wb")  # noqa: PTH123 - the flags, which Path.open cannot give


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
