"""Where the state directory is, without reading a file of settings: never another one than that file says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.settings import Settings
from actors.settings.places import known_env_from, known_state_directory, note_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, which is the working directory too, and nothing in the environment."""
    for name in ("GREENROOM_HOME", "SIMPLETUNER_ENTERPRISE_CONFIG", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_and_noted(config: str | None = None) -> Path:
    settings = Settings.load(config)
    note_settings(settings.config_file, settings.state_dir, settings.submission.env_from)
    return settings.state_dir


def write(path: Path, state_dir: str | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("limits: {total: 3}\n" if state_dir is None else f"state_dir: {state_dir}\n")
    path.chmod(0o600)
    return path


def test_without_a_file_it_is_the_default(home: Path) -> None:
    assert known_state_directory(None) == Settings.load().state_dir == home / ".local/state/greenroom"


def test_the_home_of_an_unknown_user_is_not_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_state_directory("~nobody-here/x") is None
    monkeypatch.setenv("GREENROOM_HOME", "~nobody-here/x")
    assert known_state_directory(None) is None


def test_the_variable_decides_whatever_else_there_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "greenroom.yaml", "elsewhere")
    monkeypatch.setenv("GREENROOM_HOME", "here")
    assert known_state_directory(None) == read_and_noted() == home / "here"
    monkeypatch.delenv("GREENROOM_HOME")
    assert known_state_directory(None) is None, "what the variable said was noted of the file"


def test_a_named_file_that_is_not_there_is_left_to_settings_to_explain(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_HOME", "here")
    assert known_state_directory("missing.yaml") is None
    write(home / "my.yaml", "elsewhere")
    assert known_state_directory("my.yaml") == home / "here"


@pytest.mark.parametrize("state_dir", ["elsewhere", None])
@pytest.mark.parametrize(
    "name", ["greenroom.yaml", "simpletuner-enterprise.yaml", ".config/simpletuner/greenroom.yaml", "my.yaml"]
)
@pytest.mark.parametrize("way", ["found", "option", "variable"])
def test_a_file_is_read_once_until_it_changes(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, way: str, state_dir: str | None
) -> None:
    file = write(home / name, state_dir)
    config = name if way == "option" else None
    if way == "variable":
        monkeypatch.setenv("SIMPLETUNER_ENTERPRISE_CONFIG", str(file))
    if way == "found" and name == "my.yaml":
        assert known_state_directory(None) == home / ".local/state/greenroom"
        return
    assert known_state_directory(config) is None
    expected = read_and_noted(config)
    assert known_state_directory(config) == expected
    write(file, "moved/away")
    assert known_state_directory(config) is None
    expected = read_and_noted(config)
    assert known_state_directory(config) == expected


def test_what_it_follows_from_beside_the_file_is_part_of_the_note(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "greenroom.yaml", None)
    read_and_noted()
    assert known_state_directory(None) is not None
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    assert known_state_directory(None) is None


def test_a_file_that_comes_before_counts_again(home: Path) -> None:
    write(home / ".config/simpletuner/greenroom.yaml", "far")
    read_and_noted()
    assert known_state_directory(None) == home / ".config/simpletuner/far"
    write(home / "greenroom.yaml", "near")
    assert known_state_directory(None) is None
    assert read_and_noted() == home / "near"
    write(home / "simpletuner-enterprise.yaml", "near")
    assert known_state_directory(None) is None, "two files side by side are an error that settings explain"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'["x"]', b"null", b"\xff", b"[1,2,3,4,5,6,7,8,9]"])
def test_a_damaged_note_counts_for_nothing(home: Path, content: bytes) -> None:
    write(home / "greenroom.yaml", "elsewhere")
    read_and_noted()
    (note,) = (home / ".cache/greenroom").iterdir()
    note.write_bytes(content)
    assert known_state_directory(None) is None
    read_and_noted()
    assert known_state_directory(None) == home / "elsewhere"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_somebody_elses_note_counts_for_nothing(home: Path) -> None:
    write(home / "greenroom.yaml", "elsewhere")
    read_and_noted()
    (note,) = (home / ".cache/greenroom").iterdir()
    os.chown(note, 4711, 4711)
    assert known_state_directory(None) is None


def test_a_home_that_cannot_be_written_to_is_no_error(home: Path) -> None:
    (home / ".cache").write_text("a file")
    write(home / "greenroom.yaml", "elsewhere")
    assert read_and_noted() == home / "elsewhere"
    assert known_state_directory(None) is None


def test_a_working_directory_that_is_gone_is_left_to_settings(home: Path) -> None:
    gone = home / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert known_state_directory(None) is None
    os.chdir(home)


def test_variables_that_jobs_inherit_are_noted_with_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E12: without a file there are none; with one it is read once until it changes, also where a variable names the
    state directory."""
    assert known_env_from(None) == ()
    file = write(home / "greenroom.yaml", "here")
    file.write_text("state_dir: here\nsubmission: {env_from: ['WANDB_*', HF_TOKEN]}\n")
    assert known_env_from(None) is None
    monkeypatch.setenv("GREENROOM_HOME", "elsewhere")
    read_and_noted()
    assert known_env_from(None) == ("WANDB_*", "HF_TOKEN")
    monkeypatch.delenv("GREENROOM_HOME")
    assert known_state_directory(None) is None, "what the variable said was noted of the file"
    read_and_noted()
    assert known_state_directory(None) == home / "here"
    assert known_env_from(None) == ("WANDB_*", "HF_TOKEN")
    file.write_text("state_dir: here\n")
    assert known_env_from(None) is None
