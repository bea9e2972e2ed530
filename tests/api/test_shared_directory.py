"""The directory of the shared socket: what it may be, what is made of it, and what is refused in one sentence (F2)."""

from __future__ import annotations

import grp
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.access.users import SocketUsers
from actors.api.options import HttpOptions, SocketOptions
from actors.api.shared_directory import SharedDirectoryError, shared_directory, usable_directory
from actors.api.socket_file import SOCKET
from actors.api.unix import LOOK_SECONDS, shared_socket_server
from actors.runtime import RunningRuntime
from actors.store.state_directory import LOCK
from supervision import Backoff, open_supervisor

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away: run the tests as root")
OWN_GROUP = grp.getgrgid(os.getgid())
OTHER = 4711


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path."""
    with tempfile.TemporaryDirectory(prefix="gr") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def options(path: Path, group: str = OWN_GROUP.gr_name) -> SocketOptions:
    return SocketOptions(group, path)


def refused(path: Path, group: str = OWN_GROUP.gr_name, state: Path = Path("/nowhere")) -> str:
    """Why it cannot be used; in one line, and with what to do."""
    with pytest.raises(SharedDirectoryError) as error:
        usable_directory(options(path, group), state)
    message = str(error.value)
    assert "\n" not in message
    assert "; " in message or "(usermod" in message, message
    return message


def state_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_gid, stat.S_IMODE(found.st_mode)


def test_it_is_made_for_the_group_and_kept(place: Path) -> None:
    """The next start finds it as it was left, with a socket that nobody serves any more."""
    path = place / "run"
    directory = usable_directory(options(path), place / "state")
    with directory.held():
        assert state_of(path) == (OWN_GROUP.gr_gid, 0o750)
        assert stat.S_IMODE((path / LOCK).stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(directory.socket))
    assert usable_directory(options(path), place / "state").socket == path / SOCKET


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o770, 0o777, 0o2770, 0o1777, 0o000])
def test_a_mode_that_is_another_is_corrected(place: Path, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    path = place / "run"
    path.mkdir()
    path.chmod(mode)
    if mode == 0 and os.getuid() != 0:
        assert "cannot be opened: Permission denied" in refused(path)
        return
    usable_directory(options(path), place / "state")
    assert state_of(path) == (OWN_GROUP.gr_gid, 0o750)
    assert f"{path} is for group {OWN_GROUP.gr_name} now (mode 0750)" in caplog.messages


@needs_root
def test_another_group_gets_it_at_the_next_start(place: Path) -> None:
    other = next(one for one in grp.getgrall() if one.gr_gid != OWN_GROUP.gr_gid)
    path = place / "run"
    for group in (OWN_GROUP, other):
        usable_directory(options(path, group.gr_name), place / "state")
        assert state_of(path) == (group.gr_gid, 0o750)


def test_a_second_supervisor_is_refused_and_names_the_first(place: Path) -> None:
    path = place / "run"
    with usable_directory(options(path), place / "state").held():
        message = refused(path)
    assert message.startswith(f"{path} is held by the supervisor with pid {os.getpid()}, started ")
    assert message.endswith("; set socket.directory to another place")


def _link(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.mkdir()
    path.symlink_to(target)


def _file(path: Path) -> None:
    path.write_text("precious")


def _with(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def prepare(path: Path) -> None:
        path.mkdir()
        make(path / name)

    return prepare


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (_link, "is a symbolic link"),
        (_file, "cannot be opened: Not a directory"),
        (_with("thesis.tex", Path.touch), "must be for the socket alone, and has 'thesis.tex'"),
        (_with(SOCKET, Path.touch), f"must be for the socket alone, and has '{SOCKET}'"),
        (_with(LOCK, Path.mkdir), f"must be for the socket alone, and has '{LOCK}'"),
        (_with(LOCK, lambda path: path.symlink_to("/etc/passwd")), f"must be for the socket alone, and has '{LOCK}'"),
        (
            _with(LOCK, lambda path: (path.touch(), (path.parent.parent / "x").hardlink_to(path))),
            "for the socket alone, and",
        ),
    ],
)
def test_what_is_no_directory_for_the_socket_alone_is_left_as_it_is(
    place: Path, prepare: Callable[[Path], None], reason: str
) -> None:
    """Above all: it is not closed, and not given to a group."""
    path = place / "run"
    prepare(path)
    path.chmod(0o777)
    before = path.stat().st_mode
    assert reason in refused(path)
    assert path.stat().st_mode == before


@needs_root
def test_a_directory_of_somebody_else_is_refused(place: Path) -> None:
    path = place / "run"
    path.mkdir()
    os.chown(path, OTHER, OTHER)
    assert f"{path} belongs to uid-{OTHER} and must be root's" in refused(path)
    assert state_of(path)[0] == OTHER


def test_where_there_can_be_none(place: Path) -> None:
    state = place / "state"
    state.mkdir()
    missing = place / "not" / "there"
    assert refused(missing).startswith(f"cannot make {missing}: No such file or directory; give socket.directory one")
    assert refused(place / "run", "no-such-group").startswith("there is no group no-such-group; make it")
    assert "lies in the state directory" in refused(state / "run", state=state)
    assert "lies in the state directory" in refused(state, state=state)
    assert "is longer than 100 bytes" in refused(place / ("x" * 100))
    assert not (place / "run").exists()


def test_a_group_that_its_user_is_no_member_of_cannot_have_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As whom the kernel forbids it; who is root may."""

    def chown(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    path = place / "run"
    path.mkdir()
    message = refused(path)
    assert "cannot give the shared socket to group" in message
    assert "usermod -aG" in message


def warnings_of(path: Path) -> list[str]:
    return [one for one in shared_directory(options(path), Path("/nowhere")).warnings() if "/tmp " not in one]


def test_directories_above_it_that_others_may_change_or_cannot_pass_are_told(place: Path) -> None:
    """Others could put a directory of theirs in its place, whose server commands would trust (D7)."""
    assert warnings_of(place / "run") == []
    place.chmod(0o777)
    assert warnings_of(place / "run") == [f"others may write to {place} (mode 0777), and put a directory in its place"]
    place.chmod(0o1777)
    assert warnings_of(place / "run")[0].endswith("(mode 1777), and put a directory in its place while it is not there")
    place.chmod(0o700)
    assert warnings_of(place / "run") == [f"group {OWN_GROUP.gr_name} cannot pass through {place} (mode 0700)"]


@needs_root
def test_a_directory_above_it_of_somebody_else_is_told(place: Path) -> None:
    os.chown(place, OTHER, OTHER)
    assert warnings_of(place / "run") == [f"{place} belongs to uid-{OTHER}, who can put another directory in its place"]


def test_doctor_finds_the_same_and_changes_nothing(place: Path) -> None:
    path = place / "run"
    directory = shared_directory(options(path), place / "state")
    assert directory.fault() is None
    assert not path.exists()
    path.mkdir(mode=0o755)
    assert directory.fault() is None
    assert state_of(path)[1] == 0o755
    (path / "thesis.tex").touch()
    assert "has 'thesis.tex'" in str(directory.fault())


async def test_a_socket_that_was_removed_is_made_anew(
    place: Path, runtime: RunningRuntime, autojump_clock: MockClock
) -> None:
    """With its directory, too; what somebody else has put there meanwhile is left to them."""
    directory = usable_directory(options(place / "run"), place / "state")
    edge = shared_socket_server(runtime, directory, SocketUsers({}, str), HttpOptions())
    async with open_supervisor([edge], backoff=Backoff(initial=1)) as supervisor:
        shutil.rmtree(directory.path)
        await trio.sleep(3 * LOOK_SECONDS)
        assert state_of(directory.path) == (OWN_GROUP.gr_gid, 0o750)
        directory.socket.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(directory.socket))
            theirs = directory.socket.stat().st_ino
        await supervisor.stop_child("shared_socket")
        assert directory.socket.stat().st_ino == theirs
