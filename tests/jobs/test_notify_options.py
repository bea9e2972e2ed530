"""What a configuration of notifications may say, and who may use a target."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from actors.jobs.notify_options import (
    AllowedCallers,
    NotificationTarget,
    NotificationType,
    NotifyOptions,
    masked_address,
    options_fault,
    target_fault,
)

URL = NotificationTarget(url="https://chat.example/hook")
COMMAND = NotificationTarget(command=("mail", "-s", "done"))


@pytest.mark.parametrize(
    ("target", "key"),
    [
        (URL, None),
        (COMMAND, None),
        (NotificationTarget(), "url"),
        (attrs.evolve(URL, command=("mail",)), "url"),
        (NotificationTarget(command=()), "command"),
        (NotificationTarget(command=("",)), "command"),
        (attrs.evolve(URL, secret_file=Path("keys")), None),
        (attrs.evolve(URL, secret_env="CHAT_SECRET"), None),
        (attrs.evolve(URL, secret_env="whsec_/="), "secret_env"),
        (attrs.evolve(URL, secret_file=Path("keys"), secret_env="CHAT_SECRET"), "secret_env"),
        (attrs.evolve(COMMAND, secret_file=Path("keys")), "secret_file"),
        (attrs.evolve(COMMAND, secret_env="CHAT_SECRET"), "secret_env"),
        (attrs.evolve(URL, on=()), "on"),
    ],
)
def test_a_target_is_a_url_or_a_command_and_only_a_url_is_signed_for(target, key):
    fault = target_fault(target)
    assert (fault and fault[0]) == key


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("http://chat.example", True),
        ("https://chat.example:8443/a?b=c", True),
        ("https://chat.example/" + "x" * (2_000 - 21), True),
        ("https://chat.example/" + "x" * (2_001 - 21), False),
        ("ftp://chat.example", False),
        ("https:///path", False),
        ("https://chat.example:0/", False),
        ("https://chat.example:99999/", False),
        ("https://chat.example/a b", False),
        ("https://chat.example/ä", False),
        ("https://chat.example/\n", False),
        ("https://chat.example/#part", False),
        ("https://chat.example/".ljust(2_000, "x"), True),
        ("https://chat.example/".ljust(2_001, "x"), False),
    ],
)
def test_an_address_is_one_of_the_web(url, fits):
    assert (target_fault(NotificationTarget(url=url)) is None) is fits


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (NotifyOptions({"chat": URL}, {"ana": ("chat",)}), None),
        (NotifyOptions({"a" * 64: URL}), None),
        (NotifyOptions({"a" * 65: URL}), ("targets", "a" * 65)),
        (NotifyOptions({"-chat": URL}), ("targets", "-chat")),
        (NotifyOptions({"chat": URL}, {"ana": ("chatt",)}), ("defaults", "ana")),
        (NotifyOptions({f"t{number}": URL for number in range(100)}), None),
        (NotifyOptions({f"t{number}": URL for number in range(101)}), ("targets",)),
    ],
)
def test_names_of_targets_are_plain_and_defaults_name_targets_that_are_there(options, path):
    fault = options_fault(options)
    assert (fault and fault[0]) == path


@pytest.mark.parametrize("per_minute", [0, 6_001])
def test_a_target_is_sent_at_least_one_message_a_minute(per_minute):
    with pytest.raises(ValueError, match="per_minute"):
        NotifyOptions(per_minute=per_minute)
    assert NotifyOptions(per_minute=1).per_minute == 1
    assert NotifyOptions(per_minute=6_000).per_minute == 6_000
    assert NotifyOptions().per_minute == 30


def test_a_job_that_names_targets_has_these_and_another_those_of_its_user():
    options = NotifyOptions({"chat": URL, "mail": COMMAND}, {"ana": ("mail",)})
    assert options.asked(("chat", "chat"), "ana") == ("chat",)
    assert options.asked((), "ana") == ("mail",)
    assert options.asked((), "bo") == ()
    assert options.fault(("chat",)) is None
    assert options.fault(("chart",)) == "there is no notification target 'chart'; did you mean chat?"
    assert NotifyOptions().fault(("chat",)) == "there is no notification target 'chat'; the configuration has none"


@pytest.mark.parametrize(
    ("target", "user", "level", "may"),
    [
        (URL, "ana", "viewer", True),
        (COMMAND, "ana", "lead", False),
        (COMMAND, "ana", "admin", True),
        (attrs.evolve(COMMAND, allowed=AllowedCallers(users=("ana",))), "ana", "viewer", True),
        (attrs.evolve(COMMAND, allowed=AllowedCallers(users=("ana",))), "bo", "admin", False),
        (attrs.evolve(URL, allowed=AllowedCallers(levels=("lead",))), "bo", "researcher", False),
        (attrs.evolve(URL, allowed=AllowedCallers(levels=("lead",))), "bo", "admin", True),
    ],
)
def test_everybody_uses_a_url_admins_a_command_and_else_whom_the_target_allows(target, user, level, may):
    options = NotifyOptions({"it": target})
    assert options.not_allowed(("it", "another"), user, level) == ([] if may else ["it"])


def test_a_target_is_sent_what_it_asks_for_and_the_end_of_a_group_where_it_asks_for_ends():
    assert URL.wants(NotificationType.FAILED)
    assert not URL.wants(NotificationType.STARTED)
    assert [attrs.evolve(URL, on=on).wants_groups for on in (("completed",), ("cancelled",), ("failed",))] == [
        True, True, False,
    ]  # fmt: skip


def test_of_an_address_only_scheme_and_host_are_shown():
    assert masked_address("https://user:word@chat.example:8443/secret") == "https://chat.example/***"
    assert masked_address("https://[bad") == "***"
