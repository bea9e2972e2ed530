"""A supervisor on a machine with several users, each of whom types real commands as himself: real uids, real groups.

The users are some of those that every Linux has. It takes root to be others: as root, or in a user namespace that
begins with ``unshare --map-root-user --map-auto`` (package uidmap, and ranges in /etc/subuid and /etc/subgid).
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

from tests.cli.conftest import MOST_SECONDS, ROOT, stop, until

IN_NAMESPACE = ("unshare", "--user", "--map-root-user", "--map-auto")
NOT_ROOT = "only root can be other users: run the tests as root, or have uidmap and a range in /etc/subuid (unshare)"
NO_PYTHON = "other users may not read this Python or this checkout: run the tests with one that they may"
_MODULES = "import actors.runtime, actors.cli.run, actors.api.unix, hypercorn, rich, yaml"
_NOBODY = 65_534


def _some_users(number: int) -> list[pwd.struct_passwd]:
    known = sorted((one for one in pwd.getpwall() if 0 < one.pw_uid < _NOBODY), key=lambda one: one.pw_uid)
    return known[:number]


OWNER, ANA, BO, CY, EVE = _some_users(5)
"""The supervisor's user; a lead; one whom the settings do not name; a viewer; one who is not in the group."""
SUPERUSER = pwd.getpwuid(0)
GROUP = next(one for one in reversed(grp.getgrall()) if 0 < one.gr_gid < _NOBODY and one.gr_gid != EVE.pw_gid)


def _environment(home: Path) -> dict[str, str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("SIMPLETUNER_", "GREENROOM_"))}
    packages = [str(ROOT), *(one for one in sys.path if one.endswith("site-packages"))]
    more = {"HOME": str(home), "TERM": "dumb", "PYTHONPATH": os.pathsep.join(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**{key: value for key, value in plain.items() if not key.startswith("XDG_")}, **more}


@cache
def python() -> str | None:
    """An interpreter that other users may run with these packages; None where there is none."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for candidate in (sys.executable, shutil.which(version), f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        if candidate is not None:
            try:
                subprocess.run(
                    [candidate, "-c", _MODULES], user=EVE.pw_uid, group=EVE.pw_gid, extra_groups=[], cwd="/",
                    env=_environment(Path("/")), check=True, capture_output=True, timeout=MOST_SECONDS,
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError):
                continue
            return candidate
    return None


@attrs.frozen
class Person:
    """Somebody at a terminal of this machine."""

    who: pwd.struct_passwd
    home: Path
    environment: dict[str, str]
    is_member: bool = True
    before: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The user's name."""
        return self.who.pw_name

    def _as(self) -> dict[str, Any]:
        groups = [GROUP.gr_gid] if self.is_member else []
        return {
            "user": self.who.pw_uid, "group": self.who.pw_gid, "extra_groups": groups, "cwd": self.home,
            "env": self.environment, "text": True,
        }  # fmt: skip

    def command(self, *words: str) -> list[str]:
        """A command line of Greenroom."""
        found = python()
        assert found is not None
        return [*self.before, found, "-m", "actors", *words]

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command of Greenroom to its end."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            self.command(*words), **self._as(), capture_output=True, timeout=MOST_SECONDS, check=False
        )
        return done

    def json(self, *words: str) -> Any:
        """What a command that must succeed prints as JSON."""
        done = self.type(words[0], "--json", *words[1:])
        assert done.returncode == 0, done.stderr
        return orjson.loads(done.stdout)

    def refused(self, *words: str, status: int = 1) -> str:
        """What a command says that must be refused: one sentence, and where it helps a second line of advice."""
        done = self.type(*words)
        assert done.returncode == status, (done.stdout, done.stderr)
        assert done.stdout == ""
        assert done.stderr.startswith("greenroom: ")
        assert done.stderr.count("\n") <= 2
        return done.stderr.removeprefix("greenroom: ").strip()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command that goes on."""
        process: subprocess.Popen[str] = subprocess.Popen(
            self.command(*words), **self._as(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return process


@attrs.frozen
class Machine:
    """A machine with a supervisor of user OWNER, whose shared socket is in ``directory``."""

    place: Path

    @property
    def directory(self) -> Path:
        """Where the shared socket is."""
        return self.place / "run" / "greenroom"

    @property
    def config(self) -> Path:
        """The settings of the supervisor."""
        return self.place / "greenroom.yaml"

    def person(self, who: pwd.struct_passwd, *, is_member: bool = True, **more: str) -> Person:
        """``who`` at a terminal, with GREENROOM_SOCKET set."""
        home = self.place / who.pw_name
        if not home.exists():
            home.mkdir(mode=0o700)
            os.chown(home, who.pw_uid, who.pw_gid)
        environment = {**_environment(home), "GREENROOM_SOCKET": str(self.directory), **more}
        return Person(who, home, environment, is_member)

    @property
    def owner(self) -> Person:
        """The supervisor's user, who finds it through the state directory."""
        home = self.place / OWNER.pw_name
        return self.person(OWNER, GREENROOM_SOCKET="", GREENROOM_HOME=str(home / "state"))

    def configure(self, text: str) -> None:
        """Write the settings."""
        self.config.write_text(text)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """The supervisor, until the block ends."""
        process = self.owner.start("run", "--config", str(self.config))
        try:
            until(process, "Supervisor is ready")
            yield process
        finally:
            stop(process)


@contextmanager
def machine() -> Iterator[Machine]:
    """A place that everybody may enter, with a directory for the supervisor's user to make its own in."""
    if os.geteuid() != 0:
        pytest.skip(NOT_ROOT)
    if python() is None:
        pytest.skip(NO_PYTHON)
    with tempfile.TemporaryDirectory(prefix="gr") as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "run").mkdir(mode=0o755)
        os.chown(place / "run", OWNER.pw_uid, OWNER.pw_gid)
        yield Machine(place)
