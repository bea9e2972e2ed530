"""The variables of logging among the effective settings: what is shown is what holds (A2, B22)."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.settings import Settings
from actors.settings.effective import effective


@pytest.mark.parametrize(
    ("level", "form", "shown"),
    [
        ("loud", "xml", [("INFO", "default"), ("json", "default")]),
        (" debug ", "Text", [("debug", "environment"), ("Text", "environment")]),
        ("", " ", [("INFO", "default"), ("json", "default")]),
    ],
)
def test_of_a_value_that_is_not_known_the_default_is_shown(
    tmp_path: Path, level: str, form: str, shown: list[tuple[str, str]]
) -> None:
    environ = {"SIMPLETUNER_LOG_LEVEL": level, "SIMPLETUNER_LOG_FORMAT": form}
    rows = {row.key: row[1:] for row in effective(Settings.default(state_dir=tmp_path), environ)}
    assert [rows[name] for name in environ] == shown
