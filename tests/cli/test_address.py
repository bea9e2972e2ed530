"""Which supervisor a command asks, wherever its options stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from actors.cli import address
from actors.cli.address import SocketAddress, StateDirectory, chosen
from actors.cli.context import Failed
from actors.cli.group import cli
from actors.cli.network import NetworkAddress


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a state directory, and a token that nobody else may read."""
    for variable in ("GREENROOM_URL", "GREENROOM_SOCKET", "GREENROOM_TOKEN_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text("gr_abc")
    return tmp_path


class Asked(Exception):
    """Which supervisor a command would have asked."""

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.found = found


def asked(*words: str, what: Callable[[], Any] | None = None) -> Any:
    """The supervisor that this command line asks, or another answer about it."""

    def tell(_config: str | None) -> Any:
        raise Asked(chosen(None) if what is None else what())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.cli.client.chosen", tell)
        done = CliRunner().invoke(cli, list(words))
    assert isinstance(done.exception, Asked), (done.output, done.exception)
    return done.exception.found


URL, OTHER_URL = "http://127.0.0.1:1", "http://127.0.0.1:2"


@pytest.mark.parametrize(
    "words",
    [
        ("--url", URL, "--token-file", "token", "jobs"), ("jobs", "--url", URL, "--token-file", "token"),
        ("--token-file=token", "jobs", f"--url={URL}"),
        ("--url", OTHER_URL, "jobs", "--url", URL, "--token-file=token"),
        ("--url", URL, "queue", "--token-file", "token", "pause"),
        ("queue", "pause", "--url", URL, "--token-file=token"),
        ("limits", "--url", URL, "set", "total", "3", "--token-file", "token"),
        ("token", "--url", URL, "--token-file", "token", "list"), ("logs", "x", "--url", URL, "--token-file", "token"),
        ("--url", URL, "--token-file", "token", "watch"), ("doctor", "--url", URL, "--token-file", "token"),
        ("submit", "--url", URL, "--token-file", "token", "--entry-point", "train"),
        ("--socket", "x", "jobs", "--url", URL, "--token-file", "token"),
    ],
)  # fmt: skip
def test_the_options_stand_before_or_after_the_command(place: Path, words: tuple[str, ...]) -> None:
    found = asked(*words)
    assert isinstance(found, NetworkAddress)
    assert found.name == URL
    assert found.headers == {"Host": "127.0.0.1:1", "Authorization": "Bearer gr_abc"}


@pytest.mark.parametrize(
    ("options", "variables", "expected"),
    [
        ((), (), "state"),
        ((), ("SOCKET",), "variable"),
        ((), ("SOCKET", "URL"), OTHER_URL),
        ((), ("URL",), OTHER_URL),
        (("--socket", "mine"), ("SOCKET", "URL"), "mine"),
        (("--url", URL), ("SOCKET", "URL"), URL),
        (("--url", URL, "--socket", "mine"), (), URL),
        (("--socket", "mine", "--url", URL), ("SOCKET",), URL),
    ],
)
def test_url_before_socket_options_before_variables_variables_before_the_state_directory(
    place: Path, options: tuple[str, ...], variables: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"URL": OTHER_URL, "SOCKET": str(place / "variable")}
    for name in variables:
        monkeypatch.setenv(f"GREENROOM_{name}", values[name])
    monkeypatch.setenv("GREENROOM_TOKEN_FILE", "token")
    found = asked("jobs", *options)
    if isinstance(found, NetworkAddress):
        assert found.name == expected
    elif expected == "state":
        assert isinstance(found, StateDirectory)
        assert found.path == place / "state" / "greenroom.sock"
    else:
        assert type(found) is SocketAddress
        assert found.path == place / expected


def test_a_command_that_is_suggested_asks_the_same_supervisor(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_SOCKET", "/x")
    assert asked("jobs", what=address.program) == "greenroom"
    options = ("--url", "http://lab", "--insecure", "--token-file", "my token")
    assert asked("jobs", *options, what=address.program) == (
        "greenroom --url http://lab --insecure --token-file 'my token'"
    )


def test_an_empty_variable_names_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_URL", "")
    monkeypatch.setenv("GREENROOM_SOCKET", "")
    assert isinstance(asked("jobs"), StateDirectory)


def test_a_socket_is_named_by_itself_by_its_directory_or_by_the_place_that_says_where_it_is(place: Path) -> None:
    for folder in ("plain", "pointing"):
        (place / folder).mkdir()
    (place / "pointing" / "socket").write_text("/elsewhere/greenroom.sock\n")
    assert address.socket_address(str(place / "plain")).path == place / "plain" / "greenroom.sock"
    assert address.socket_address(str(place / "plain" / "my.sock")).path == place / "plain" / "my.sock"
    assert address.socket_address(str(place / "pointing")).path == Path("/elsewhere/greenroom.sock")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--url", URL, "run"), "--url is for commands that ask a supervisor; run is for this machine"),
        (("--url", URL), "--url is for commands that ask a supervisor; run is for this machine"),
        (
            ("--socket", "x", "config", "check"),
            "--socket is for commands that ask a supervisor; config is for this machine",
        ),
        (("jobs", "--token-file", "token"), "--token-file is for --url; on this machine no token is needed"),
        (("--url", URL, "--token", "gr_a", "jobs"), "there is no option --token, as others could see it; --token-file"),
        (("--token=gr_a", "jobs"), "there is no option --token, as others could see it; --token-file names its file"),
        (("jobs", "--insecure"), "--insecure is for --url; on this machine no token is needed"),
        (("jobs", "--url", URL), "greenroom: a URL needs a token: name its file with --token-file or"),
        (("jobs", "--url", "wss://lab", "--token-file", "token"), "an event feed is for `watch` only"),
        (("watch", "--url", "ws://lab", "--token-file", "token"), "ws:// sends the token unencrypted"),
        (("watch", "--url", "ws://localhost", "--token-file", "none"), "cannot read none: No such file"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(place: Path, words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(cli, list(words))
    assert said in done.stderr
    assert done.exit_code == 2
    assert done.stderr.startswith("greenroom: ")


@pytest.mark.parametrize("option", ["--url", "--socket", "--token-file"])
def test_an_empty_option_is_refused_since_it_would_lead_to_another_supervisor(place: Path, option: str) -> None:
    done = CliRunner().invoke(cli, [option, "", "jobs"])
    assert done.exit_code == 2
    assert f"Invalid value for '{option}': must not be empty" in done.stderr


def test_where_a_socket_is_named_nothing_is_read_from_a_store_instead(place: Path) -> None:
    done = CliRunner().invoke(cli, ["jobs", "--socket", "mine"])
    assert done.exit_code == 1
    assert done.stderr == f"greenroom: no supervisor listens on {place / 'mine'} (No such file or directory)\n"


def test_every_command_takes_the_options_but_those_that_ask_nobody() -> None:
    context = click.Context(cli)

    def check(command: click.Command, expected: bool) -> None:
        assert ({one.name for one in command.params} >= {"url", "token_file", "insecure", "socket"}) == expected, (
            command
        )
        for one in command.commands.values() if isinstance(command, click.Group) else ():
            check(one, expected)

    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        check(command, name not in ("run", "restore", "config", "completion"))


def test_a_user_who_may_not_connect_is_told_so(place: Path) -> None:
    with pytest.raises(Failed, match="you may not use the socket"):
        raise SocketAddress(place, "x").unreachable(PermissionError())
