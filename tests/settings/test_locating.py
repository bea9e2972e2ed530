"""Which file is read: the order of the places, and whom the working directory is trusted to."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import attrs
import pytest

from actors.settings import Settings, SettingsError

NAMES = ("greenroom.yaml", "simpletuner-enterprise.yaml")


@attrs.frozen
class Machine:
    """A machine with nothing on it yet."""

    root: Path

    def load(self, config: str | None = None, environ: dict[str, str] | None = None) -> Settings:
        work, home, etc = self.root / "work", self.root / "home", self.root / "etc"
        return Settings.load(config, environ or {}, work, home, system=etc)

    def put(self, place: str, total: int, name: str = NAMES[0], mode: int = 0o644) -> Path:
        folders = {"work": "work", "home": "home/.config/simpletuner", "etc": "etc"}
        path = self.root / folders.get(place, place) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"limits: {{total: {total}}}\n")
        path.chmod(mode)
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "work").mkdir()
    return Machine(tmp_path)


PLACES = ["config", "variable", "work", "home", "etc"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", range(len(PLACES) + 1))
def test_the_first_place_that_has_a_file_wins(machine: Machine, first: int, name: str) -> None:
    """Each place is masked by every place before it, under both names; without a file the defaults hold."""
    present = {place: machine.put(place, 10 + index, name) for index, place in enumerate(PLACES) if index >= first}
    environ = {"SIMPLETUNER_ENTERPRISE_CONFIG": str(present["variable"])} if "variable" in present else {}
    settings = machine.load(str(present["config"]) if "config" in present else None, environ)
    if first == len(PLACES):
        assert (settings.limits.total, settings.config_file, settings.notes) == (5, None, ())
    else:
        assert settings.limits.total == 10 + first
        assert settings.config_file == present[PLACES[first]]


@pytest.mark.parametrize("place", ["work", "home", "etc"])
def test_both_names_in_one_place_are_an_error(machine: Machine, place: str) -> None:
    for name in NAMES:
        machine.put(place, 7, name)
    with pytest.raises(
        SettingsError, match=r"greenroom\.yaml: simpletuner-enterprise\.yaml stands beside it; keep one"
    ):
        machine.load()


def test_the_two_names_in_two_places_are_no_error(machine: Machine) -> None:
    machine.put("work", 7, NAMES[1])
    machine.put("home", 8, NAMES[0])
    assert machine.load().limits.total == 7


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_file_of_the_working_directory_that_others_may_write_is_skipped(machine: Machine, mode: int) -> None:
    path = machine.put("work", 7, mode=mode)
    machine.put("home", 8)
    settings = machine.load()
    assert settings.limits.total == 8
    (note,) = settings.notes
    assert note.level == logging.WARNING
    assert note.message == (
        f"{path} is skipped: others may write to it (mode {mode:04o}); chmod go-w it, or name it with --config"
    )
    assert note.extra == {"file": str(path)}


def test_a_file_of_the_working_directory_that_belongs_to_somebody_else_is_skipped(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, owner = machine.put("work", 7), os.geteuid()
    if owner == 0:  # whose files are anybody's to trust
        os.chown(path, owner := 4711, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    settings = machine.load()
    assert settings.limits.total == 5
    assert f"it belongs to the user with uid {owner}; name it with --config if it is meant" in settings.notes[0].message


def test_what_is_no_regular_file_is_skipped_and_not_waited_for(machine: Machine) -> None:
    os.mkfifo(machine.root / "work" / NAMES[0])
    settings = machine.load()
    assert settings.notes[0].message.endswith("is skipped: it is not a regular file")


def test_a_skipped_file_makes_no_pair(machine: Machine) -> None:
    """Somebody else's file beside ours must not stop the start."""
    machine.put("work", 7, NAMES[0])
    machine.put("work", 8, NAMES[1], mode=0o666)
    assert machine.load().limits.total == 7


def test_a_file_of_root_in_the_working_directory_is_skipped(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """B22: only this user's own; root may have left it there for another reason."""
    machine.put("work", 7)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    settings = machine.load()
    assert settings.limits.total == 5
    assert any("name it with --config" in note.message for note in settings.notes)


@pytest.mark.parametrize("place", ["config", "variable", "home", "etc"])
def test_a_file_that_others_may_write_is_read_where_it_was_named_with_a_warning(machine: Machine, place: str) -> None:
    """Somebody said so, or made the directory for it; they are told what they trust."""
    path = machine.put(place, 7, mode=0o666)
    environ = {"SIMPLETUNER_ENTERPRISE_CONFIG": str(path)} if place == "variable" else {}
    settings = machine.load(str(path) if place == "config" else None, environ)
    assert settings.limits.total == 7
    (note,) = settings.notes
    assert note.level == logging.WARNING
    assert f"{path} says which programs run, and others may write to it (mode 0666)" in note.message


def test_what_is_no_file_is_read_without_a_word(machine: Machine) -> None:
    """As from `--config <(...)` in a shell, whatever the mode of such a pipe."""
    pipe = machine.root / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    writer = threading.Thread(target=lambda: pipe.write_text("limits: {total: 7}\n"))
    writer.start()
    settings = machine.load(str(pipe))
    writer.join()
    assert (settings.limits.total, settings.notes) == (7, ())


def test_a_named_file_that_is_not_there_is_an_error_that_says_who_named_it(machine: Machine) -> None:
    machine.put("home", 8)
    with pytest.raises(SettingsError, match=r"^/no/where\.yaml: cannot be read: No such file or directory$"):
        machine.load("/no/where.yaml")
    with pytest.raises(SettingsError, match=r"^/no/where\.yaml \(from SIMPLETUNER_ENTERPRISE_CONFIG\): cannot be read"):
        machine.load(None, {"SIMPLETUNER_ENTERPRISE_CONFIG": "/no/where.yaml"})


def test_the_home_of_an_unknown_user_is_an_error_like_any_other(machine: Machine) -> None:
    """Nothing is looked for, or made, in a directory that is called like the user."""
    with pytest.raises(SettingsError, match=r"^~nobody-here/x: cannot be read: No such file or directory$"):
        machine.load("~nobody-here/x")
    with pytest.raises(SettingsError, match=r"^~nobody-here/x \(from SIMPLETUNER_ENTERPRISE_CONFIG\): cannot be read"):
        machine.load(None, {"SIMPLETUNER_ENTERPRISE_CONFIG": "~nobody-here/x"})
    unknown = "'~nobody-here/x' names the home directory of an unknown user; write the path in full"
    with pytest.raises(SettingsError, match=f"^GREENROOM_HOME: {unknown}$"):
        machine.load(None, {"GREENROOM_HOME": "~nobody-here/x"})
    file = machine.put("config", 1)
    file.write_text("state_dir: ~nobody-here/x\n")
    with pytest.raises(SettingsError, match=f"state_dir: {unknown}$"):
        machine.load(str(file))


def test_an_empty_variable_names_nothing(machine: Machine) -> None:
    machine.put("home", 8)
    assert machine.load(None, {"SIMPLETUNER_ENTERPRISE_CONFIG": ""}).limits.total == 8


def test_a_link_without_an_end_is_told(machine: Machine) -> None:
    (machine.root / "home/.config/simpletuner").mkdir(parents=True)
    (machine.root / "home/.config/simpletuner" / NAMES[0]).symlink_to("/no/where")
    with pytest.raises(SettingsError, match="cannot be read: No such file or directory"):
        machine.load()


def test_messages_name_a_file_of_the_working_directory_by_its_name(machine: Machine) -> None:
    machine.put("work", 7).write_text("limits: {totl: 3}\n")
    with pytest.raises(SettingsError, match=r"^greenroom\.yaml:1:10: limits\.totl: unknown key; did you mean total\?$"):
        machine.load()


def test_the_public_way_in_reads_the_given_places(machine: Machine) -> None:
    machine.put("work", 7)
    assert Settings.load(environ={}, cwd=machine.root / "work", home=machine.root / "home").limits.total == 7


def test_an_embedding_program_reads_no_file(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(machine.put("work", 7).parent)
    settings = Settings.default(machine.root / "state", environ={})
    assert (settings.limits.total, settings.config_file) == (5, None)
    assert settings.state_dir == machine.root / "state"
    assert settings.sources == {"state_dir": "the program"}
