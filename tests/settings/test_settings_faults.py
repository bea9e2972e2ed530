"""What is wrong in the file: each fault with its place, all of them at once, and sections of other programs none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.settings import Settings, SettingsError
from tests.settings.conftest import Load


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
    assert note.message == f"{tmp_path}/app.yaml: not sections of Greenroom, ignored: 'auth', 'quotas'"
    (note,) = loaded("backgroud: {}\n").notes
    assert note.message.endswith("ignored: 'backgroud'; did you mean background?")


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
