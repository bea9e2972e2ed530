"""What can be set about notifications: targets, who may use them, whose jobs notify without asking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import attrs
from attrs.validators import ge, le

from actors.jobs import maxima
from actors.jobs.levels import level_reaches
from actors.jobs.maximum import Items, Text
from actors.jobs.suggestions import did_you_mean

MOST_TARGETS = 100
"""Targets of a configuration: each may have messages of its own under way."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_URL = 2_000


class NotificationType(StrEnum):
    """What a notification says has happened. The last two are of no single job, and no target asks for them by name."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    APPROVAL_REQUESTED = "approval_requested"
    UNCERTAIN = "uncertain"
    STARTED = "started"
    APPROVAL_DECIDED = "approval_decided"
    RERUN = "rerun"
    GROUP_ENDED = "group_ended"
    DIGEST = "digest"


On = Literal[
    "completed", "failed", "cancelled", "approval_requested", "uncertain", "started", "approval_decided", "rerun"
]
"""What a target can ask for."""
DEFAULT_ON: tuple[On, ...] = ("completed", "failed", "cancelled", "approval_requested", "uncertain")
Form = Literal["json", "slack", "text"]


@attrs.frozen
class AllowedCallers:
    """Who may name a target in a job.

    ``users``: these users may use the target. ``levels``: users with one of these levels, or a higher one, may use it.
    """

    users: tuple[str, ...] = attrs.field(default=(), validator=Items(maxima.CHOICES, Text(maxima.NAME)))
    levels: tuple[Literal["viewer", "researcher", "lead", "admin"], ...] = ()


@attrs.frozen
class NotificationTarget:
    """Where notifications go: to a ``url``, or to a ``command``.

    ``url``: the address to which notifications are sent. ``command``: a program with its arguments, which is run
    without a shell and gets the notification on its standard input. ``format``: the form of a message to a URL:
    ``json``, ``slack`` (``{"text": ...}``) or ``text``. ``on``: the types of notifications that are sent. ``allowed``
    (``for`` in the file): who may use it; None: everybody for a URL, admins for a command. ``secret_file``: a file with
    the secrets that sign messages to a URL. Each line has one secret: ``whsec_`` and base64. ``secret_env``: the
    variable of the supervisor's environment that holds these secrets.
    """

    url: str | None = None
    command: tuple[str, ...] | None = attrs.field(
        default=None, validator=Items(maxima.CHOICES, maxima.WORD, maxima.WORD_BYTES)
    )
    format: Form = "json"
    on: tuple[On, ...] = attrs.field(default=DEFAULT_ON, validator=Items(maxima.CHOICES))
    allowed: AllowedCallers | None = None
    secret_file: Path | None = None
    secret_env: str | None = None

    def wants(self, type_: NotificationType) -> bool:
        """Whether this target is sent what is of this type."""
        return type_.value in self.on

    @property
    def wants_groups(self) -> bool:
        """Whether it is sent the end of a group: it wants ends other than failures."""
        return self.wants(NotificationType.COMPLETED) or self.wants(NotificationType.CANCELLED)


@attrs.frozen
class NotifyOptions:
    """Messages to a chat or to a program when a job ends, or when a person must do something.

    ``targets``: where messages go, by name. ``defaults``: for the name of a user, the targets of those of the user's
    jobs that name none. ``per_minute``: how many messages one target gets in a minute at most. More messages are
    combined into one digest.
    """

    targets: Mapping[str, NotificationTarget] = attrs.field(factory=dict)
    defaults: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    per_minute: int = attrs.field(default=30, validator=[ge(1), le(6_000)])

    def asked(self, names: tuple[str, ...], user_id: str) -> tuple[str, ...]:
        """The targets of a job that names ``names``: these, or its user's defaults where it names none."""
        return tuple(dict.fromkeys(names)) if names else self.defaults.get(user_id, ())

    def fault(self, names: Iterable[str]) -> str | None:
        """What is wrong with a job that names ``names``; None: nothing."""
        for name in names:
            if name not in self.targets:
                there = did_you_mean(name[:80], self.targets) if self.targets else "; the configuration has none"
                return f"there is no notification target {name!r:.80}{there}"
        return None

    def not_allowed(self, names: Iterable[str], user_id: str, level: str) -> list[str]:
        """Those of ``names`` that a caller of this name and level may not use."""
        return [name for name in names if (one := self.targets.get(name)) and not _may_use(one, user_id, level)]


def _may_use(target: NotificationTarget, user_id: str, level: str) -> bool:
    allowed = target.allowed
    if allowed is None:
        return target.command is None or level_reaches(level, "admin")
    return user_id in allowed.users or any(level_reaches(level, one) for one in allowed.levels)


def target_fault(target: NotificationTarget) -> tuple[str, str] | None:
    """The key of a target that is wrong, and how; None: nothing is."""
    if (target.url is None) == (target.command is None):
        return "url", "give either url or command"
    if target.url is not None and (fault := _url_fault(target.url)) is not None:
        return "url", fault
    if target.command is not None and (not target.command or not target.command[0]):
        return "command", "must begin with the name of a program"
    if target.secret_file is not None and target.secret_env is not None:
        return "secret_env", "give either secret_file or secret_env"
    for key, value in (("secret_file", target.secret_file), ("secret_env", target.secret_env)):
        if value is not None and target.url is None:
            return key, "is for a url: a command is not signed for"
    if target.secret_env is not None and not _VARIABLE.fullmatch(target.secret_env):
        return "secret_env", "must be the name of an environment variable, not its value"
    return ("on", "must name at least one type") if not target.on else None


def options_fault(options: NotifyOptions) -> tuple[tuple[str, ...], str] | None:
    """The path of what is wrong with names, and how; None: nothing is."""
    for name in options.targets:
        if not _NAME.fullmatch(name):
            return ("targets", name), "a target's name has letters, digits and . _ - only, at most 64"
    if len(options.targets) > MOST_TARGETS:
        return ("targets",), f"at most {MOST_TARGETS} targets, not {len(options.targets)}"
    for user, names in options.defaults.items():
        for name in names:
            if name not in options.targets:
                return ("defaults", user), f"there is no target {name!r:.80}{did_you_mean(name[:80], options.targets)}"
    return None


def masked_address(url: str) -> str:
    """Scheme and host of an address: the rest of one that posts somewhere is often its secret."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "***"
    return f"{parts.scheme}://{host}/***"


def _url_fault(url: str) -> str | None:
    words = "must be an address that begins with https:// or http://"
    if len(url) > _URL:
        return f"must be at most {_URL} characters"
    if not url.isascii() or any(not one.isprintable() or one == " " for one in url):
        return words
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return words
    if parts.fragment:
        return "must be an address without a fragment"
    return None if good else words
