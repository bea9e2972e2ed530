"""What the file and the environment may say, and what becomes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import ApprovalRule
from actors.providers.breaker import BreakerOptions
from actors.providers.entry_points import EntryPoint, Param
from actors.providers.local import LocalOptions
from actors.providers.scripted import ScriptedOptions
from actors.settings import (
    EnterpriseConfig,
    ProviderSettings,
    Settings,
    SettingsError,
    get_enterprise_config,
    secrets,
)
from actors.settings.effective import effective

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


def test_the_manuals_own_file_is_read(loaded: Load) -> None:
    """Every section of the manual's example reaches the options of the module that uses it."""
    settings = loaded(
        "background:\n"
        "  job_status_polling:\n    enabled: true\n    interval_seconds: 30\n"
        "  queue_processing:\n    enabled: true\n    interval_seconds: 5\n"
    )
    assert settings.background.job_status_polling.enabled is True
    assert settings.background.job_status_polling.interval_seconds == 30
    assert settings.notes == ()


def test_every_section_of_ours_is_read(loaded: Load, tmp_path: Path) -> None:
    settings = loaded(
        """
background:
  job_status_polling: {enabled: false, interval_seconds: 10, safety_net_seconds: 600}
  approval_expiration: {interval_seconds: 60}
limits: {total: 9, per_user: 3, fair_share: true, per_provider: {sim: 2}}
approvals:
  default_rules: true
  timeout_hours: 12
  rules:
    - {name: dear, condition: cost_exceeds, value: 10, priority: 5, exempt_levels: [admin]}
    - {name: nightly, condition: config_pattern, value: "^night-.*$", applies_to_provider: sim}
providers:
  local: {cpus: 4, memory: 8GiB}
  sim: {kind: scripted, duration: 5, webhook_url: "https://example.org/hook", faults: [{kind: slow, seconds: 2}]}
  gone: {kind: scripted, enabled: false}
entry_points:
  train: {command: [python, train.py, "--epochs={epochs}"], params: {epochs: {type: int, min: 1, max: 100}}}
retention: {days: 0}
state_dir: state
"""
    )
    polling = settings.background.job_status_polling
    assert (polling.enabled, polling.interval_seconds, polling.safety_net_seconds) == (
        False, 10, 600,
    )  # fmt: skip
    assert settings.background.approval_expiration.interval_seconds == 60
    assert settings.limits == Limits(total=9, per_user=3, fair_share=True, per_provider={"sim": 2})
    assert settings.approvals == ApprovalOptions(
        True,
        12.0,
        (
            ApprovalRule("dear", "cost_exceeds", 10.0, 5, exempt_levels=("admin",), rule_id=101),
            ApprovalRule("nightly", "config_pattern", "^night-.*$", applies_to_provider="sim", rule_id=102),
        ),
    )
    train = EntryPoint(("python", "train.py", "--epochs={epochs}"), {"epochs": Param("int", min=1, max=100)})
    assert settings.entry_points == {"train": train}
    local = LocalOptions(cpus=4, memory=8 * 2**30, entry_points={"train": train})
    assert settings.providers["local"] == ProviderSettings("local", "local", local)
    assert list(settings.providers) == ["local", "sim"]
    sim = settings.providers["sim"]
    assert (sim.kind, sim.webhook_url) == ("scripted", "https://example.org/hook")
    assert isinstance(sim.options, ScriptedOptions)
    assert (sim.options.duration, sim.options.faults[0].seconds) == (5.0, 2.0)
    assert settings.retention.days == 0
    assert settings.state_dir == tmp_path / "state"
    assert settings.sources["limits.per_provider.sim"] == f"{tmp_path}/app.yaml:5:66"


def test_what_is_not_said_of_a_circuit_breaker_is_its_kinds(loaded: Load) -> None:
    providers = loaded(
        """
providers:
  sim: {kind: scripted, circuit_breaker: {failures: 3}}
  replicate: {circuit_breaker: {successes: 1}}
"""
    ).providers
    assert providers["sim"].circuit_breaker == BreakerOptions(failures=3, open_seconds=60.0)
    assert providers["replicate"].circuit_breaker == BreakerOptions(successes=1, open_seconds=30.0)
    assert providers["local"].circuit_breaker == BreakerOptions(5, 2, 60.0, 3)
    assert loaded("providers: {replicate: }").providers["replicate"].circuit_breaker.open_seconds == 30.0


def test_the_webhook_address_reaches_a_kind_that_asks_for_it(loaded: Load) -> None:
    """Every provider has the setting; a kind that tells its outside where to deliver needs it among its options."""
    address = "https://example.org/hook"
    provider = loaded(f"providers: {{replicate: {{webhook_url: '{address}'}}}}").providers["replicate"]
    assert (provider.webhook_url, provider.options.webhook_url) == (address, address)


def test_this_machine_is_a_provider_until_it_is_switched_off(loaded: Load) -> None:
    assert loaded("{}").providers == {"local": ProviderSettings("local", "local", LocalOptions())}
    assert list(loaded("providers: {scripted: }").providers) == ["local", "scripted"]
    assert loaded("providers: {local: {enabled: false}}").providers == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "background: {job_status_polling: {intervall_seconds: 3}}",
            "1:35: background.job_status_polling.intervall_seconds: unknown key; did you mean interval_seconds?",
        ),
        (
            "background: {job_status_polling: {interval_seconds: 0}}",
            "1:35: background.job_status_polling.interval_seconds: must be more than 0, not 0",
        ),
        (
            "background: {job_status_polling: {enabled: no}}",
            "1:35: background.job_status_polling.enabled: must be true or false, not no",
        ),
        ("background: {polling: {}}", None),
        ("limits: {total: -1}", "1:10: limits.total: must be at least 0, not -1"),
        (
            "limits: {per_provider: {locl: 1}}",
            "1:25: limits.per_provider.locl: there is no provider 'locl'; did you mean local?",
        ),
        ("limits: {per_provider: {local: -1}}", "1:10: limits.per_provider: must be at least 0, not -1"),
        ("retention: {days: -1}", "1:13: retention.days: must be at least 0, not -1"),
        ("retention: {days: [1]}", "1:13: retention.days: must be a number, not a list"),
        ("approvals: {timeout_hours: 0}", "1:13: approvals.timeout_hours: must be more than 0, not 0"),
        (
            "approvals: {rules: [{name: x, condition: cost_exceds}]}",
            "1:31: approvals.rules[0].condition: cannot be 'cost_exceds'; did you mean cost_exceeds?",
        ),
        (
            "approvals: {rules: [{name: x, condition: cost_exceeds}]}",
            "1:21: approvals.rules[0].value: must be a number of 0 or more, not None",
        ),
        (
            "approvals: {rules: [{name: x, condition: cost_exceeds, value: much}]}",
            "1:56: approvals.rules[0].value: must be a number of 0 or more, not 'much'",
        ),
        (
            "approvals: {rules: [{name: x, condition: daily_jobs_exceed, value: -1}]}",
            "1:61: approvals.rules[0].value: must be a number of 0 or more, not -1",
        ),
        (
            "approvals: {rules: [{name: x, condition: hardware_type, value: 100}]}",
            "1:57: approvals.rules[0].value: must be a text that is not empty, not 100",
        ),
        (
            "approvals: {rules: [{name: x, condition: first_job, value: 1}]}",
            "1:53: approvals.rules[0].value: first_job takes none, not 1",
        ),
        (
            "approvals: {rules: [{name: x, condition: user_level, value: leed}]}",
            "1:54: approvals.rules[0].value: 'leed' is not known; did you mean lead?",
        ),
        (
            "approvals: {rules: [{name: x, condition: provider, value: locl}]}",
            "1:52: approvals.rules[0].value: there is no provider 'locl'; did you mean local?",
        ),
        (
            "approvals: {rules: [{name: x, condition: first_job, exempt_levels: [admin, admn]}]}",
            "1:76: approvals.rules[0].exempt_levels[1]: cannot be 'admn'; did you mean admin?",
        ),
        (
            "approvals: {rules: [{name: x, condition: first_job, rule_id: 3}]}",
            None,
        ),
        (
            "providers: {sim: {}}",
            "1:13: providers.sim: there is no provider 'sim'; known are local, ray, replicate, scripted, slurm",
        ),
        (
            "providers: {sim: {kind: scripte}}",
            "1:19: providers.sim.kind: there is no provider 'scripte'; did you mean scripted?",
        ),
        ("providers: {local: {cpus: 0}}", "1:21: providers.local.cpus: must be at least 1"),
        (
            "providers: {local: {gpus: 1.5}}",
            "1:21: providers.local.gpus: must be a whole number or a list, not 1.5",
        ),
        (
            "providers: {local: {memory: lots}}",
            "1:21: providers.local.memory: must be a number of bytes or a size such as 8GiB or 8GB, not 'lots'",
        ),
        (
            "providers: {scripted: {circuit_breaker: {failures: 0}}}",
            "1:42: providers.scripted.circuit_breaker.failures: must be at least 1, not 0",
        ),
        (
            "providers: {scripted: {circuit_breaker: {open_second: 5}}}",
            "1:42: providers.scripted.circuit_breaker.open_second: unknown key; did you mean open_seconds?",
        ),
        (
            "providers: {scripted: {circuit_breaker: 5}}",
            (
                "1:24: providers.scripted.circuit_breaker: must be a mapping, not 5; "
                "its keys are failures, successes, open_seconds, half_open_calls"
            ),
        ),
        ("providers: {local: {enable: true}}", "1:21: providers.local.enable: unknown key; did you mean enabled?"),
        (
            "providers: {scripted: {webhook_url: example.org}}",
            "1:24: providers.scripted.webhook_url: must be an address that begins with https:// or http://",
        ),
        (
            "providers: {../x: {kind: local}}",
            '1:13: providers."../x": a provider\'s name has letters, digits and . _ - only, at most 64',
        ),
        (
            "entry_points: {t: {command: [python, '{epochs}']}}",
            "1:20: entry_points.t.command: uses {epochs}, which is not among params",
        ),
        ("entry_points: {t: {}}", "1:16: entry_points.t.command: is missing"),
        ("state_dir: [x]", "1:1: state_dir: must be a text, not a list"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(
    faults: Callable[[str], list[str]], text: str, fault: str | None
) -> None:
    (found,) = faults(text)
    if fault is None:
        assert "unknown key" in found
    else:
        assert found == f"app.yaml:{fault}"


def test_faults_of_all_sections_come_together(faults: Callable[[str], list[str]]) -> None:
    found = faults(
        "limits: {total: x, per_provider: {locl: 1}}\nproviders: {local: {cpus: many}, sim: {kind: no}}\n"
        "approvals: {rules: [{condition: first_job}]}\nretention: 3\n"
    )
    assert [line.split(": ")[1] for line in found] == [
        "limits.total", "limits.per_provider.locl", "providers.local.cpus", "providers.sim.kind",
        "approvals.rules[0].name", "retention",
    ]  # fmt: skip


def test_sections_that_are_not_ours_are_one_line_at_info(loaded: Load, tmp_path: Path) -> None:
    (note,) = loaded("auth: {x: !!any [}\n".replace("!!any [", "1") + "quotas: 3\nlimits: {}\n").notes
    assert note.level == logging.INFO
    assert note.message == f"{tmp_path}/app.yaml: not ours and left alone: 'auth', 'quotas'"
    (note,) = loaded("backgroud: {}\n").notes
    assert note.message.endswith("left alone: 'backgroud'; did you mean background?")


def test_what_changes_nothing_is_a_warning(loaded: Load, caplog: pytest.LogCaptureFixture) -> None:
    """B8: the queue is always processed, at its own pace."""
    settings = loaded("background: {queue_processing: {enabled: false, interval_seconds: 60}}")
    with caplog.at_level(logging.DEBUG):
        settings.log_notes(logging.getLogger("test"))
    switch, pace = caplog.records
    assert (switch.levelname, pace.levelname) == ("WARNING", "WARNING")
    section = "background.queue_processing"
    assert switch.message == f"{section}.enabled: false changes nothing: the queue is always processed"
    assert pace.message == (
        f"{section}.interval_seconds: 60 changes nothing: "
        "the queue is looked at every 5 s and whenever something happens"
    )


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
    """B7, B15: what is no number above 0 is a WARNING and the next source."""
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


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n", "---\n"])
def test_a_file_without_content_gives_the_defaults(loaded: Load, content: str) -> None:
    assert loaded(content).limits == loaded("limits: {}\n").limits


def test_no_webhook_may_be_written_as_an_empty_text(loaded: Load) -> None:
    assert loaded("providers: {sim: {kind: scripted, webhook_url: ''}}").providers["sim"].webhook_url is None


@pytest.mark.parametrize(
    ("section", "near"),
    [
        ("limit", "limits"),
        ("limitss", "limits"),
        ("limist", "limits"),
        ("backgroundd", "background"),
        ("feeds", "feed"),
    ],
)
def test_a_section_that_is_nearly_ours_is_a_fault_in_our_own_file(tmp_path: Path, section: str, near: str) -> None:
    """B22: with its place, beside every other fault; in the file that other programs share it is a remark."""
    text = f"retention: {{days: x}}\n{section}: {{total: 3}}\n"
    for name in ("greenroom.yaml", "simpletuner-enterprise.yaml"):
        (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError) as refused:
        Settings.load(tmp_path / "greenroom.yaml", environ={}, cwd=tmp_path, home=tmp_path)
    assert "greenroom.yaml:2:" in str(refused.value)
    assert f"{section}: unknown section; did you mean {near}?" in str(refused.value)
    assert "retention.days" in str(refused.value)
    (tmp_path / "simpletuner-enterprise.yaml").write_text(f"{section}: {{total: 3}}\n")
    settings = Settings.load(tmp_path / "simpletuner-enterprise.yaml", environ={}, cwd=tmp_path, home=tmp_path)
    assert any(section in note.message for note in settings.notes)


@pytest.mark.parametrize("section", ["htp", "server", "limitations", "x-limits"])
def test_a_section_of_another_program_is_left_alone(tmp_path: Path, section: str) -> None:
    (tmp_path / "greenroom.yaml").write_text(f"{section}: {{total: 3}}\n")
    settings = Settings.load(tmp_path / "greenroom.yaml", environ={}, cwd=tmp_path, home=tmp_path)
    assert any(section in note.message for note in settings.notes)


def test_every_fault_of_a_file_is_told_at_once(faults: Callable[[str], list[str]]) -> None:
    """B22: wrong types, ranges and unknown keys at two depths, ranges beside each other, a missing key, a key twice."""
    text = """
limits:
  total: x
  per_user: -1
  per_team: -2
  totl: 3
providers:
  sim:
    kind: scripted
    webhook_url: nowhere
    duration: 5 h
    page_size: 0
    concurrent_calls: 0
    circuit_breaker:
      failures: 0
      successes: 1.5
      open_second: 5
    durations: 1
  local:
    cpus: 0
    grace_seconds: -1
entry_points:
  train:
    params: {}
retention: {days: -1}
retention: {days: 1}
state_dir: !!str here
"""
    assert faults(text) == [
        "app.yaml:3:3: limits.total: must be a whole number, not 'x'",
        "app.yaml:4:3: limits.per_user: must be at least 0, not -1",
        "app.yaml:5:3: limits.per_team: must be at least 0, not -2",
        "app.yaml:6:3: limits.totl: unknown key; did you mean total?",
        "app.yaml:10:5: providers.sim.webhook_url: must be an address that begins with https:// or http://",
        "app.yaml:11:5: providers.sim.duration: must be a duration such as 90s, 15m, 2h or 1d12h, not '5 h'",
        "app.yaml:12:5: providers.sim.page_size: must be at least 1, not 0",
        "app.yaml:13:5: providers.sim.concurrent_calls: must be at least 1, not 0",
        "app.yaml:15:7: providers.sim.circuit_breaker.failures: must be at least 1, not 0",
        "app.yaml:16:7: providers.sim.circuit_breaker.successes: must be a whole number, not 1.5",
        "app.yaml:17:7: providers.sim.circuit_breaker.open_second: unknown key; did you mean open_seconds?",
        "app.yaml:18:5: providers.sim.durations: unknown key; did you mean duration?",
        "app.yaml:20:5: providers.local.cpus: must be at least 1",
        "app.yaml:21:5: providers.local.grace_seconds: must be 0 or more",
        "app.yaml:23:3: entry_points.train.command: is missing",
        "app.yaml:25:13: retention.days: must be at least 0, not -1",
        "app.yaml:26:1: retention: given twice, first in line 25",
        "app.yaml:27:12: state_dir: tags are not read; write the value plainly",
    ]
