"""Keeps what is known of each submission in files, which outlive Slurm's own records and our processes.

In ``directory``, which all nodes share: ``KEY.intent`` (written before sbatch is called: when, and for which token;
afterwards with the number of the Slurm job), ``KEY.started`` (made by the job's script as its first act), ``KEY.exit``
(its last act), and ``jobs/KEY`` (the job's own directory). ``greenroom.json`` says that this is the directory, and
since when. An empty mount point does not have it; a file that is missing there is not really missing.

On this machine, in ``locks``: ``KEY`` is locked for as long as an sbatch of that key lives, which inherits the locked
descriptor. So whoever gets the lock knows that no such process is left, also of a supervisor that was killed.

A job runs as our user and can write all of this. So only plain files of limited size are read, and their content may
make no sense.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from actors.providers.json_reading import json_object, time_of
from actors.providers.local.directory import KEY, closing
from actors.providers.local.shim.files import NotPlain, is_there, open_folder, open_own_folder, read_plain, write_plain

MARKER = "greenroom.json"
_MOST = 64 * 1024


@attrs.frozen
class Intent:
    """A submission that was begun ``at``. ``age``: seconds since then; None: the clock was set in between."""

    token: str
    age: float | None
    job_id: int | None = None
    at: datetime | None = None


@attrs.frozen
class Start:
    """The program was started by Slurm job ``job_id`` on ``node``; None: that was not written down.

    ``devices``: the GPUs that it got there, as Slurm names them.
    """

    job_id: int | None = None
    node: str | None = None
    at: datetime | None = None
    devices: tuple[str, ...] = ()


@attrs.frozen
class Exit:
    """The program has ended, with this exit status of a shell."""

    status: int
    job_id: int | None = None
    node: str | None = None
    began: datetime | None = None
    ended: datetime | None = None


@attrs.frozen
class Known:
    """The content of the files of one key."""

    intent: Intent | None = None
    start: Start | None = None
    exit: Exit | None = None


@attrs.frozen
class Records:
    """The records of one provider. All methods block."""

    directory: Path
    locks: Path

    def make(self, now: datetime) -> datetime:
        """Make the directory if it is missing, and return since when it is ours. Raises OSError."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._opened() as folder:
            found = os.fstat(folder)
            if found.st_uid != os.geteuid() or found.st_mode & 0o022:  # scripts lie there that nodes run as our user
                raise PermissionError(f"other users can write there: chmod 700 {self.directory}")
            with suppress(FileExistsError):
                os.mkdir("jobs", 0o700, dir_fd=folder)
            if not is_there(folder, MARKER):
                write_plain(folder, MARKER, json.dumps({"since": now.timestamp()}).encode())
            since = time_of(_read(folder, MARKER).get("since"))
        return now if since is None else since

    def known(self, key: str, now: datetime) -> Known:
        """Return all that is known of ``key``. Raises OSError if that cannot be said."""
        with self._marked() as folder:
            intent = _intent(_read_or_none(folder, f"{key}.intent"), now)
            return Known(intent, self._start(folder, key), _exit(_read_or_none(folder, f"{key}.exit")))

    def begin(self, key: str, token: str, now: datetime) -> None:
        """Write down that sbatch is about to be called. Raises OSError."""
        self._write_intent(key, {"token": token, **_moment(now)})

    def accepted(self, key: str, token: str, now: datetime, job_id: int) -> None:
        """Write down which Slurm job it became. Raises OSError."""
        self._write_intent(key, {"token": token, **_moment(now), "job": job_id}, sync=False)

    def withdraw(self, key: str) -> None:
        """Forget an intent that surely had no effect. A job that starts just now is not forgotten.

        Raises OSError.
        """
        with self._marked() as folder, suppress(FileNotFoundError):
            os.unlink(f"{key}.intent", dir_fd=folder)

    def remove(self, key: str) -> None:
        """Remove what is known of ``key``. Raises OSError."""
        with self._marked() as folder:
            with suppress(FileNotFoundError), closing(open_own_folder(f"{key}.started", folder)) as started:
                with os.scandir(started) as entries:
                    names = [entry.name for entry in entries]
                for name in names:
                    os.unlink(name, dir_fd=started)
                os.rmdir(f"{key}.started", dir_fd=folder)
            for suffix in ("exit", "intent"):
                with suppress(FileNotFoundError):
                    os.unlink(f"{key}.{suffix}", dir_fd=folder)
        with self.locked(key) as fd:
            if fd is not None:  # else an sbatch lives, and a new file of that name would be free
                (self.locks / key).unlink(missing_ok=True)

    @contextmanager
    def locked(self, key: str) -> Iterator[int | None]:
        """Yield the locked descriptor for an sbatch of ``key``, or None if one of this key lives. Raises OSError."""
        self.locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(os.open(self.locks / key, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)) as fd:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                yield None
            else:
                yield fd

    def no_sbatch_lives(self, key: str) -> bool:
        """Return whether no sbatch of this key is left on this machine."""
        with self.locked(key) as fd:
            return fd is not None

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with closing(open_folder(self.directory)) as folder:
            yield folder

    @contextmanager
    def _marked(self) -> Iterator[int]:
        with self._opened() as folder:
            if not is_there(folder, MARKER):
                raise NotPlain(str(self.directory), f"without {MARKER}: is its file system mounted?")
            yield folder

    def _start(self, folder: int, key: str) -> Start | None:
        try:
            with closing(open_own_folder(f"{key}.started", folder)) as started:
                content = _read_or_none(started, "job") or {}
        except FileNotFoundError:
            return None
        except NotPlain:
            return Start()
        devices = tuple((_text(content.get("devices")) or "").split(","))
        return Start(
            _number(content.get("job")), _text(content.get("node")), time_of(content.get("at")),
            devices if all(devices) else (),
        )  # fmt: skip

    def _write_intent(self, key: str, content: Mapping[str, Any], *, sync: bool = True) -> None:
        with self._marked() as folder:
            write_plain(folder, f"{key}.intent", json.dumps(content).encode(), sync=sync, sync_name=sync)


def is_key(key: str) -> bool:
    """Return whether ``key`` can be the name of a file."""
    return KEY.fullmatch(key) is not None


def _read(folder: int, name: str) -> dict[str, Any]:
    """Return the JSON object in a file; empty if it has none."""
    return json_object(read_plain(folder, name, _MOST)) or {}


def _read_or_none(folder: int, name: str) -> dict[str, Any] | None:
    """Return the JSON object in a file; None if there is no file, and empty if it is not a plain file or has no JSON
    object.
    """
    try:
        return _read(folder, name)
    except FileNotFoundError:
        return None
    except NotPlain:
        return {}


def _moment(now: datetime) -> dict[str, Any]:
    return {"at": now.timestamp(), "boot": _boot(), "uptime": time.clock_gettime(time.CLOCK_BOOTTIME)}


def _intent(content: Mapping[str, Any] | None, now: datetime) -> Intent | None:
    if content is None:
        return None
    at, uptime, token = content.get("at"), content.get("uptime"), content.get("token")
    age: float | None = None
    if content.get("boot") == _boot() and isinstance(uptime, float):
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - uptime
    if isinstance(at, int | float) and (passed := now.timestamp() - at) >= 0:
        age = passed if age is None else max(age, passed)
    return Intent(token if isinstance(token, str) else "", age, _number(content.get("job")), time_of(at))


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _exit(content: Mapping[str, Any] | None) -> Exit | None:
    """Return the exit record. None also for a record that makes no sense: then Slurm decides."""
    status = None if content is None else content.get("status")
    if content is None or isinstance(status, bool) or not isinstance(status, int) or not 0 <= status <= 255:
        return None
    began, ended = time_of(content.get("began")), time_of(content.get("ended"))
    return Exit(status, _number(content.get("job")), _text(content.get("node")), began, ended)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63 else None


def _text(value: object) -> str | None:
    return value[:255] if isinstance(value, str) and value.isprintable() and value else None
