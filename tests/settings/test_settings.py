"""What the sections of the file become, and what holds where they say nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import ApprovalRule
from actors.providers.breaker import BreakerOptions
from actors.providers.entry_points import EntryPoint, Param
from actors.providers.local import LocalOptions
from actors.providers.scripted import ScriptedOptions
from actors.settings import ProviderSettings
from tests.settings.conftest import Load


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


def test_what_has_no_effect_is_a_warning(loaded: Load, caplog: pytest.LogCaptureFixture) -> None:
    """B8: the queue is always processed, at its own pace."""
    settings = loaded("background: {queue_processing: {enabled: false, interval_seconds: 60}}")
    with caplog.at_level(logging.DEBUG):
        settings.log_notes(logging.getLogger("test"))
    switch, pace = caplog.records
    assert (switch.levelname, pace.levelname) == ("WARNING", "WARNING")
    section = "background.queue_processing"
    assert switch.message == f"{section}.enabled: false has no effect: the queue is always processed"
    assert pace.message == (
        f"{section}.interval_seconds: 60 has no effect: the queue is looked at every 5 s and whenever something happens"
    )


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n", "---\n"])
def test_a_file_without_content_gives_the_defaults(loaded: Load, content: str) -> None:
    assert loaded(content).limits == loaded("limits: {}\n").limits


def test_no_webhook_may_be_written_as_an_empty_text(loaded: Load) -> None:
    assert loaded("providers: {sim: {kind: scripted, webhook_url: ''}}").providers["sim"].webhook_url is None
