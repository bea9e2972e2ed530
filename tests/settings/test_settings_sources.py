"""Where a value is taken from: the environment, then the file, then the default; and how that is shown."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from actors.settings import get_enterprise_config, secrets
from actors.settings.effective import effective
from actors.settings.settings import EnterpriseConfig
from tests.settings.conftest import Load

FILE = "background: {job_status_polling: {interval_seconds: 40}, approval_expiration: {interval_seconds: 400}}"


@pytest.mark.parametrize(
    ("variable", "of_file", "default"),
    [("SIMPLETUNER_JOB_POLL_INTERVAL", 40, 30), ("SIMPLETUNER_APPROVAL_CHECK_INTERVAL", 400, 300)],
)
@pytest.mark.parametrize(
    ("value", "counts"),
    [
        ("60", 60), ("0.5", 0.5), (" 7 ", 7), ("1e1", 10),
        ("", None), ("abc", None), ("0", None), ("-5", None), ("nan", None), ("inf", None), ("1_0", None),
        ("1e999", None), ("٣", None), ("0x10", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", [FILE, "{}"])
def test_an_interval_is_taken_from_the_variable_then_the_file_then_the_default(
    loaded: Load, variable: str, of_file: float, default: float, value: str, counts: float | None, text: str
) -> None:
    """B7, B15: what is not a number above 0 is a WARNING and the next source."""
    settings = loaded(text, **{variable: value})
    options = (
        settings.background.job_status_polling
        if variable == "SIMPLETUNER_JOB_POLL_INTERVAL"
        else settings.background.approval_expiration
    )
    if counts is not None:
        assert (options.interval_seconds, settings.notes) == (counts, ())
        assert variable in settings.sources.values()
        return
    assert options.interval_seconds == (of_file if text == FILE else default)
    (note,) = settings.notes
    assert (note.level, note.extra["variable"]) == (logging.WARNING, variable)
    assert note.message.startswith(f"{variable} must be ")
    assert note.message.endswith(": it is ignored")


def test_the_variable_alone_does_not_switch_polling_on(loaded: Load) -> None:
    assert loaded("{}", SIMPLETUNER_JOB_POLL_INTERVAL="60").background.job_status_polling.enabled is None


@pytest.mark.parametrize("home", ["/srv/green", None])
@pytest.mark.parametrize("text", ["state_dir: /var/green", "{}"])
@pytest.mark.parametrize("xdg", ["/xdg", "relative", None])
def test_the_state_directory_is_taken_from_the_first_that_says(
    loaded: Load, tmp_path: Path, home: str | None, text: str, xdg: str | None
) -> None:
    environ = {
        name: value for name, value in {"GREENROOM_HOME": home, "XDG_STATE_HOME": xdg}.items() if value is not None
    }
    usual = "/xdg/greenroom" if xdg == "/xdg" else f"{tmp_path}/home/.local/state/greenroom"
    of_file = "/var/green" if text != "{}" else None
    assert str(loaded(text, **environ).state_dir) == (home or of_file or usual)


def test_the_effective_settings_say_where_each_came_from_and_keep_secrets(loaded: Load, tmp_path: Path) -> None:
    settings = loaded(
        "limits: {total: 9}\nproviders: {sim: {kind: scripted, webhook_url: 'https://u:pw@example.org/?token=abcdef'}}\n"
        "entry_points: {t: {command: [python], env: {HF_TOKEN: hunter2, MODE: fast}}}\n",
        SIMPLETUNER_JOB_POLL_INTERVAL="60",
    )
    rows = {row.key: row for row in effective(settings, {"SIMPLETUNER_LOG_LEVEL": "DEBUG"})}
    assert rows["limits.total"][1:] == (9, f"{tmp_path}/app.yaml:1:10")
    assert rows["limits.per_user"][1:] == (2, "default")
    polling = rows["background.job_status_polling.interval_seconds"]
    assert polling[1:] == (60.0, "SIMPLETUNER_JOB_POLL_INTERVAL")
    assert rows["SIMPLETUNER_LOG_LEVEL"][1:] == ("DEBUG", "environment")
    assert rows["SIMPLETUNER_LOG_FORMAT"][1:] == ("json", "default")
    assert rows["providers.sim.idempotency"].value == "client_id"
    assert rows["entry_points.t.env.HF_TOKEN"].value == "***"
    assert rows["entry_points.t.env.MODE"].value == "fast"
    assert not {"pw", "abcdef", "hunter2"} & {word for row in rows.values() for word in str(row.value).split("@")}
    assert "abcdef" not in str(rows["providers.sim.webhook_url"].value)
    assert secrets(settings) == ["hunter2"]


@pytest.mark.parametrize(
    ("polling", "expected"),
    [
        ("", EnterpriseConfig(False, 30)),
        ("interval_seconds: 45", EnterpriseConfig(False, 45)),
        ("enabled: true", EnterpriseConfig(True, 30)),
        ("enabled: false", EnterpriseConfig(False, 30)),
    ],
)
def test_existing_programs_find_the_configuration_they_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polling: str, expected: EnterpriseConfig
) -> None:
    (tmp_path / "simpletuner-enterprise.yaml").write_text(f"background: {{job_status_polling: {{{polling}}}}}")
    monkeypatch.setenv("SIMPLETUNER_ENTERPRISE_CONFIG", str(tmp_path / "simpletuner-enterprise.yaml"))
    monkeypatch.delenv("SIMPLETUNER_JOB_POLL_INTERVAL", raising=False)
    config = get_enterprise_config()
    assert config == expected
    assert f"{config.job_polling_interval}s" == f"{int(expected.job_polling_interval)}s"
