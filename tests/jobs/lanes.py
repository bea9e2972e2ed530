"""Lanes of waiting jobs, and the decision about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from actors.jobs.bounds import ProviderState
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.scheduling import Decision, Head, Lane, Running, decide

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPEN = {"local": ProviderState(Capacity())}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def lane(
    name: str,
    *,
    user: str = "ana",
    org: str | None = None,
    team: str | None = None,
    provider: str = "local",
    needs: Resources = Resources(),  # noqa: B008 - frozen
    base: int = 10,
    override: int | None = None,
    waited: float = 1,
    seq: int = 0,
    count: int = 1,
    blocked: float | None = None,
) -> Lane:
    """A lane whose only queued job is ``name``; its id is the sum of the name's characters, so that tests may ask."""
    since = None if blocked is None else ago(blocked)
    head = Head(name, ago(waited), seq)
    return Lane(lane_id(name), user, org, team, provider, needs, base, override, count, head, since)


def lane_id(name: str) -> int:
    return sum(ord(letter) * 31**place for place, letter in enumerate(name))


def decided(
    *lanes: Lane,
    running: tuple[Running, ...] = (),
    limits: Limits | None = None,
    providers: Mapping[str, ProviderState] = OPEN,
    behind: Mapping[str, Head] | None = None,
    at_most: int | None = None,
) -> Decision:
    following = behind or {}
    wide = limits or Limits(total=100, per_user=100)
    return decide(lanes, running, wide, providers, NOW, lambda one: following.get(one.head.job_id), at_most)


def names(decision: Decision) -> list[str]:
    return [pick.head.job_id for pick in decision.picks]


def runs(user: str = "ana", *, count: int = 1, needs: Resources = Resources(), org: str | None = None) -> Running:  # noqa: B008 - frozen
    return Running(user, org, None, "local", needs, count)
