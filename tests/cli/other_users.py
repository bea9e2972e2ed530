"""A supervisor on a machine with several users, each of whom types real commands as himself: real uids, real groups.

The users are some of those that every Linux has. It takes root to be others: as root, or in a user namespace that
begins with ``unshare --map-root-user --map-auto`` (package uidmap, and ranges in /etc/subuid and /etc/subgid).

Where others may not read the checkout or the interpreter, commands see both through bind mounts of a namespace of their
own.
"""

from __future__ import annotations

import atexit
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
NO_PYTHON = (
    "other users may not read this Python or this checkout, and no mounts can be made: use others, or allow mounts"
)
_MODULES = "import actors.runtime, actors.cli.run, actors.api.unix, hypercorn, rich, yaml"
_NOBODY = 65_534


def _some_users(number: int) -> list[pwd.struct_passwd]:
    known = sorted((one for one in pwd.getpwall() if 0 < one.pw_uid < _NOBODY), key=lambda one: one.pw_uid)
    return known[:number]


OWNER, ANA, BO, CY, EVE = _some_users(5)
"""The supervisor's user; a lead; one whom the settings do not name; a viewer; one who is not in the group."""
SUPERUSER = pwd.getpwuid(0)
GROUP = next(one for one in reversed(grp.getgrall()) if 0 < one.gr_gid < _NOBODY and one.gr_gid != EVE.pw_gid)


_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_PACKAGES = [str(ROOT), *(one for one in sys.path if one.endswith("site-packages"))]
_MOUNT = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 1; shift 2; done; shift; exec "$@"'


@attrs.frozen
class Installation:
    """A Python with these packages as other users find it. ``mounts``: where from, where to, for each bind mount."""

    python: str
    packages: list[str] = attrs.field(factory=lambda: _PACKAGES)
    mounts: list[str] = attrs.field(factory=list)
    libraries: str = ""

    def command(self, who: pwd.struct_passwd, groups: list[int], *words: str) -> list[str]:
        """What root runs so that ``who`` runs ``words``."""
        as_user = ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}"]
        as_user.append(f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups")
        mounted = ["unshare", "--mount", "sh", "-c", _MOUNT, "sh", *self.mounts, "--"] if self.mounts else []
        return [*mounted, *as_user, "--", "env", *words]  # setpriv begins a program with root's capabilities

    def environment(self, home: Path) -> dict[str, str]:
        """Of a terminal at ``home``, without what is set here for the supervisor of this user."""
        ours = ("SIMPLETUNER_", "GREENROOM_", "XDG_")
        plain = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        more = {"LD_LIBRARY_PATH": self.libraries} if self.libraries else {}
        return {
            **plain, **more, "HOME": str(home), "TERM": "dumb", "PYTHONPATH": os.pathsep.join(self.packages),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def works(self) -> bool:
        """Whether somebody else can run it."""
        try:
            argv = self.command(EVE, [], self.python, "-c", _MODULES)
            environment = self.environment(Path("/"))
            subprocess.run(argv, cwd="/", env=environment, check=True, capture_output=True, timeout=MOST_SECONDS)
        except (OSError, subprocess.SubprocessError):
            return False
        return True


@cache
def installation() -> Installation | None:
    """The first that other users can run; None where there is none."""
    return next((one for one in _installations() if one.works()), None)


def _installations() -> Iterator[Installation]:
    for candidate in (sys.executable, shutil.which(_VERSION), f"/usr/bin/{_VERSION}", f"/usr/local/bin/{_VERSION}"):
        if candidate is not None:
            yield Installation(candidate)
    place = Path(tempfile.mkdtemp(prefix="gr"))
    atexit.register(shutil.rmtree, place)
    place.chmod(0o755)
    mounts: list[str] = []
    for number, source in enumerate([sys.base_prefix, *_PACKAGES]):
        (place / str(number)).mkdir()
        mounts += [source, str(place / str(number))]
    python, *packages = mounts[1::2]
    yield Installation(f"{python}/bin/{_VERSION}", packages, mounts, f"{python}/lib")


@attrs.frozen
class Person:
    """Somebody at a terminal of this machine."""

    who: pwd.struct_passwd
    home: Path
    environment: dict[str, str]
    installation: Installation
    is_member: bool = True
    before: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The user's name."""
        return self.who.pw_name

    @property
    def cwd(self) -> Path:
        """Where commands are typed."""
        return self.home

    def _command(self, words: tuple[str, ...]) -> list[str]:
        groups, python = [GROUP.gr_gid] if self.is_member else [], self.installation.python
        return self.installation.command(self.who, groups, *self.before, python, "-m", "actors", *words)

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command of Greenroom to its end."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            self._command(words), cwd=self.home, env=self.environment, text=True, capture_output=True,
            timeout=MOST_SECONDS, check=False,
        )  # fmt: skip
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
            self._command(words), cwd=self.home, env=self.environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        return process


@attrs.frozen
class Machine:
    """A machine with a supervisor of user OWNER, whose shared socket is in ``directory``."""

    place: Path
    installation: Installation

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
        environment = {**self.installation.environment(home), "GREENROOM_SOCKET": str(self.directory), **more}
        return Person(who, home, environment, self.installation, is_member)

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
    if (found := installation()) is None:
        pytest.skip(NO_PYTHON)
    with tempfile.TemporaryDirectory(prefix="gr") as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "run").mkdir(mode=0o755)
        os.chown(place / "run", OWNER.pw_uid, OWNER.pw_gid)
        yield Machine(place, found)
