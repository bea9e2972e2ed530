"""Copies of what jobs leave, made before it vanishes at Replicate, into a folder of the provider's own.

What is to be copied is written down before the job's end is told, so that a copy is made after a restart, too. A copy
is there whole or not at all. One that cannot be made is told of: in the log, and at its job.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import orjson
import trio

from actors.jobs.durations import seconds_between
from actors.providers.base import Handle, Nudge
from actors.providers.errors import NotFound, ProviderError
from actors.providers.optional import Remark
from actors.providers.replicate.api import ReplicateApi
from actors.providers.replicate.copy_turns import PLACES, Turns, Wish
from actors.providers.replicate.downloading import UNFINISHED, Budget, Downloader, NotCopied, file_name
from actors.providers.replicate.options import ReplicateOptions
from actors.providers.replicate.reading import RETENTION, Result, kind_of, remote_id, results_of
from actors.providers.replicate.whole_files import sync, write_whole
from logconf import get_logger

_logger = get_logger("actors.providers.replicate")

FILES_AT_ONCE = 4
"""Of one job."""

MOST_FILES = 1000
"""Of one job."""

_LATE = timedelta(minutes=10)
"""For so long after it should have vanished something is still tried: clocks differ."""
_MOST_REMARKS = 1000
_FAILURES = (NotCopied, ProviderError, OSError, ValueError, httpx.HTTPError, httpx.InvalidURL)
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class Copies:
    """The copies under ``root``. ``remark`` is told of what was not copied; ``transport`` is for tests."""

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
        self._api = api
        self._now = now
        self._downloader = Downloader(options, api.credentials, 2 * PLACES * FILES_AT_ONCE, transport)
        self._turns = Turns(self._fulfil)
        self._over_at: dict[str, float] = {}
        self._nudge: Nudge = lambda _key: None
        self._remark, self.remarks = trio.open_memory_channel[Remark](_MOST_REMARKS)

    async def want(self, key: str, handle: Handle, ended: datetime | None) -> None:
        """Write down that this job's results are to be copied, which ended then. Raises ``OSError``."""
        if self._turns.knows(key) or not _KEY.fullmatch(key):
            return
        now = self._now()
        # Their clock may differ from ours: what vanished already by its word is tried all the same.
        expires = max(min((ended or now) + RETENTION, now + RETENTION), now)
        wish = Wish(key, dict(handle), expires)
        if await trio.to_thread.run_sync(self._write_wish, wish):
            self._turns.add(wish)

    def _write_wish(self, wish: Wish) -> bool:
        if (self._done / wish.key).exists():
            return False
        self._wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = orjson.dumps({"handle": dict(wish.handle), "expires": wish.expires.isoformat()})
        write_whole(self._wanted / f"{wish.key}.json", content)
        return True

    async def forget(self, key: str) -> None:
        """Remove them, and copy them no more."""
        if _KEY.fullmatch(key):
            self._turns.forget(key)
            await trio.to_thread.run_sync(self._remove, key)

    def _remove(self, key: str) -> None:
        self._over_at.pop(key, None)
        (self._wanted / f"{key}.json").unlink(missing_ok=True)
        for name in (key, _part(key)):
            shutil.rmtree(self._done / name, ignore_errors=True)

    async def run(self, nudge: Nudge) -> None:
        """Copy what is wanted until cancelled; ``nudge`` for each job that was settled."""
        self._nudge = nudge
        for wish in await trio.to_thread.run_sync(self._wishes):
            self._turns.add(wish)
        await self._turns.run()

    def _wishes(self) -> list[Wish]:
        found = []
        for path in sorted(self._wanted.glob("*.json")) if self._wanted.is_dir() else []:
            try:
                told = orjson.loads(path.read_bytes())
                # Until 0.1.0 a wish said since when, not until when.
                until = told["expires"] if "expires" in told else told["since"]
                expires = datetime.fromisoformat(until) + (timedelta() if "expires" in told else RETENTION)
                found.append(Wish(path.stem, dict(told["handle"]), expires))
            except (OSError, ValueError, KeyError, TypeError):  # written by nobody of us, or gone meanwhile
                continue
        return found

    async def _fulfil(self, wish: Wish) -> bool:
        """Whether nothing remains to be done about it."""
        extra = {"provider": self._api.name, "submission": wish.key, "job_id": wish.key.rpartition("-")[0] or wish.key}
        left = self._seconds_left(wish)
        why: Exception = NotCopied("it took longer than Replicate keeps them")
        number = None
        with trio.move_on_after(max(left, self._options.request_seconds)):
            try:
                number = await self._copy(wish)
            except _FAILURES as error:
                why = error
        if number is not None:
            self._over_at.pop(wish.key, None)
            _logger.info("Copied %d result files", number, extra={**extra, "directory": str(self._done / wish.key)})
            self._nudge(wish.key)
            return True
        over = self._seconds_left(wish) <= 0 or getattr(why, "for_good", False) or isinstance(why, NotFound)
        if not over:
            _logger.info("Results could not be copied yet: %s", why, extra=extra)
            return False
        _logger.warning("Results were not copied and will vanish: %s", why, extra=extra)
        await trio.to_thread.run_sync(self._remove, wish.key)
        try:
            self._remark.send_nowait(Remark(wish.key, f"its results were not copied: {why}"))
        except trio.WouldBlock:  # nobody listens, and the log has it
            _logger.debug("Nobody takes remarks about jobs", extra=extra)
        self._nudge(wish.key)
        return True

    def _seconds_left(self, wish: Wish) -> float:
        """How long it may still be tried. The wall clock is asked once, at the first try: it may be stepped later."""
        now = trio.current_time()
        usual = min(seconds_between(self._now(), wish.expires), RETENTION.total_seconds()) + _LATE.total_seconds()
        return self._over_at.setdefault(wish.key, now + usual) - now

    async def _copy(self, wish: Wish) -> int:
        if there := await trio.to_thread.run_sync(self._settled, wish.key):
            return there
        results = results_of(await self._api.get(kind_of(wish.handle), remote_id(wish.handle.get("id"))))
        if not results:
            raise NotCopied("Replicate no longer has them", for_good=True)
        if len(results) > MOST_FILES:
            raise NotCopied(f"there are {len(results)} of them, more than {MOST_FILES}", for_good=True)
        part = self._done / _part(wish.key)
        await trio.to_thread.run_sync(_prepare, part)
        budget = Budget(self._options.copy_bytes)
        failures: list[Exception] = []
        left = iter(enumerate(results, 1))
        async with trio.open_nursery() as nursery:
            for _ in range(min(FILES_AT_ONCE, len(results))):
                nursery.start_soon(self._download, left, part, budget, failures)
        if failures:
            raise next((one for one in failures if getattr(one, "for_good", False)), failures[0])
        await trio.to_thread.run_sync(self._publish, part, wish.key)
        return len(results)

    async def _download(
        self, left: Iterator[tuple[int, Result]], part: Path, budget: Budget, failures: list[Exception]
    ) -> None:
        """Download what is left, until one of the job's files could not be had."""
        for number, result in left:
            if failures:
                return
            try:
                await self._downloader.download(result.url, part / file_name(number, result.url), budget)
            except _FAILURES as error:
                failures.append(error)

    def _settled(self, key: str) -> int:
        """How many files there are of a copy that was finished, and whose wish we had no time to remove."""
        folder = self._done / key
        there = len(list(folder.iterdir())) if folder.is_dir() else 0
        if there:
            (self._wanted / f"{key}.json").unlink(missing_ok=True)
        return there

    def _publish(self, part: Path, key: str) -> None:
        shutil.rmtree(self._done / key, ignore_errors=True)
        part.rename(self._done / key)
        sync(self._done)
        (self._wanted / f"{key}.json").unlink(missing_ok=True)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._downloader.aclose()


def _part(key: str) -> str:
    """The folder of what is not whole yet."""
    return f".{key}.part"


def _prepare(folder: Path) -> None:
    """A folder for a copy, with the files that an earlier try finished."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.glob(f"*{UNFINISHED}"):
        path.unlink()
