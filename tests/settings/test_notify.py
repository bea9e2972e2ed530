"""The section `notify`: what it may hold, what is wrong with it, and what of it is shown (E11)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.jobs.notify_options import DEFAULT_ON, AllowedCallers
from actors.settings import Settings, SettingsError, secrets
from actors.settings.effective import effective

WHOLE = """
notify:
  per_minute: 10
  defaults: {ana: [chat]}
  targets:
    chat:
      url: https://hooks.example/services/T0/B0/hidden?key=also-hidden
      format: slack
      on: [failed, started]
      for: {users: [ana], levels: [lead]}
      secret_env: CHAT_SECRET
    page:
      command: [/usr/local/bin/page, --key, hidden]
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Settings]:
    def read(text: str) -> Settings:
        (tmp_path / "app.yaml").write_text(text)
        return Settings.load(tmp_path / "app.yaml", environ={}, cwd=tmp_path, home=tmp_path / "home")

    return read


def test_the_whole_section(load: Callable[[str], Settings]) -> None:
    found = load(WHOLE).notify
    assert (found.per_minute, found.defaults) == (10, {"ana": ("chat",)})
    chat, page = found.targets["chat"], found.targets["page"]
    assert (chat.format, chat.on, chat.secret_env) == ("slack", ("failed", "started"), "CHAT_SECRET")
    assert chat.allowed == AllowedCallers(("ana",), ("lead",))
    assert (page.command, page.on, page.allowed) == (("/usr/local/bin/page", "--key", "hidden"), DEFAULT_ON, None)


def test_addresses_and_commands_are_masked_wherever_they_are_shown(load: Callable[[str], Settings]) -> None:
    settings = load(WHOLE)
    rows = {row.key: row.value for row in effective(settings, {})}
    assert rows["notify.targets.chat.url"] == "https://hooks.example/***"
    assert rows["notify.targets.page.command"] == "***"
    assert "hidden" not in str(list(rows.values()))
    assert "https://hooks.example/services/T0/B0/hidden?key=also-hidden" in secrets(settings)


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("targets: {chat: {}}", "notify.targets.chat.url: give either url or command"),
        ("targets: {chat: {url: https://a, command: [b]}}", "notify.targets.chat.url: give either url or command"),
        ("targets: {chat: {url: ftp://a}}", "notify.targets.chat.url: must be an address that begins with https://"),
        ("targets: {chat: {url: 'https:///x'}}", "notify.targets.chat.url: must be an address that begins with"),
        ("targets: {chat: {url: 'https://a:x/'}}", "notify.targets.chat.url: must be an address that begins with"),
        ("targets: {chat: {url: 'https://a/ b'}}", "notify.targets.chat.url: must be an address that begins with"),
        ("targets: {chat: {command: []}}", "notify.targets.chat.command: must begin with the name of a program"),
        ("targets: {chat: {command: mail ana}}", "notify.targets.chat.command: must be a list"),
        ("targets: {chat: {url: https://a, on: [fialed]}}", "on[0]: cannot be 'fialed'; did you mean failed?"),
        ("targets: {chat: {url: https://a, on: [digest]}}", "on[0]: must be one of completed"),
        ("targets: {chat: {url: https://a, on: []}}", "notify.targets.chat.on: must name at least one type"),
        ("targets: {chat: {url: https://a, format: xml}}", "notify.targets.chat.format: must be one of json"),
        ("targets: {chat: {url: https://a, secret_env: whsec_abc=}}", "secret_env: must be the name of an environment"),
        ("targets: {chat: {url: https://a, secret_env: A, secret_file: b}}", "give either secret_file or secret_env"),
        ("targets: {chat: {command: [a], secret_env: A}}", "secret_env: is for a url"),
        ("targets: {chat: {url: https://a, for: {levels: [boss]}}}", "for.levels[0]: must be one of viewer"),
        ("targets: {'a b': {url: https://a}}", "a target's name has letters, digits and . _ - only"),
        (
            "targets: {chat: {url: https://a}}\n  defaults: {ana: [caht]}",
            "there is no target 'caht'; did you mean chat?",
        ),
        ("per_minute: 0", "notify.per_minute"),
        ("target: {}", "did you mean targets?"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(load: Callable[[str], Settings], section: str, fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(f"notify:\n  {section}\n")
    assert fault in str(caught.value)
    assert "app.yaml:" in str(caught.value)
