"""A settings file that a test writes: its settings, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.settings import Settings, SettingsError

Load = Callable[..., Settings]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def load(text: str, **environ: str) -> Settings:
        (tmp_path / "app.yaml").write_text(text)
        return Settings.load(tmp_path / "app.yaml", environ=environ, cwd=tmp_path, home=tmp_path / "home")

    return load


@pytest.fixture
def faults(loaded: Load, tmp_path: Path) -> Callable[[str], list[str]]:
    def find(text: str) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            loaded(text)
        return [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]

    return find
