"""The kinds of provider: built in, and installed under the entry point group ``greenroom.providers``.

An entry point names a :class:`ProviderFactory`; its own name is the kind in the configuration. The built-in kinds are
imported when they are used, and cannot be replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import attrs

from actors.jobs.suggestions import did_you_mean
from actors.providers.base import Provider
from actors.providers.breaker import BreakerOptions

GROUP = "greenroom.providers"

Now = Callable[[], datetime]


class UnknownProvider(LookupError):
    """There is no provider of this kind; the message has a suggestion."""


class BrokenProvider(Exception):
    """A provider's entry point could not be used; the message says which, of which distribution, and why."""


@attrs.frozen
class ProviderFactory:
    """Makes providers of one kind: their options' attrs class, and ``create(name, options, root, now)``.

    ``root`` is a directory that belongs to that provider alone; it need not exist. ``now`` gives the time in UTC.
    ``breaker``: the circuit breaker's options if the configuration has none.
    """

    options_class: type[Any]
    create: Callable[[str, Any, Path, Now], Provider]
    breaker: BreakerOptions = attrs.field(factory=BreakerOptions)


def kinds() -> tuple[str, ...]:
    """Every kind that can be configured, the built-in ones first."""
    return (*_BUILT_IN, *sorted(_installed().keys() - _BUILT_IN.keys()))


def factory(kind: str) -> ProviderFactory:
    """The factory of ``kind``. Raises :class:`UnknownProvider` or :class:`BrokenProvider`."""
    if kind in _BUILT_IN:
        return _BUILT_IN[kind]()
    installed = _installed()
    if kind not in installed:
        raise UnknownProvider(f"there is no provider {kind!r}{did_you_mean(kind, kinds())}")
    return _load(installed[kind])


def _local() -> ProviderFactory:
    from actors.providers.local import LocalOptions, LocalProvider

    return ProviderFactory(LocalOptions, lambda name, options, root, _now: LocalProvider(options, root, name))


def _ray() -> ProviderFactory:
    from actors.providers.ray import RayOptions, RayProvider

    return ProviderFactory(RayOptions, lambda name, options, root, now: RayProvider(options, root, name, now))


def _replicate() -> ProviderFactory:
    from actors.kernel import SystemClock
    from actors.providers.replicate import ReplicateOptions, ReplicateProvider

    def make(name: str, options: ReplicateOptions, root: Path, now: Now) -> Provider:
        return ReplicateProvider(options, root, name, now, steady=SystemClock().steady)

    return ProviderFactory(ReplicateOptions, make, BreakerOptions(open_seconds=30.0))


def _slurm() -> ProviderFactory:
    from actors.providers.slurm import SlurmOptions, SlurmProvider

    return ProviderFactory(SlurmOptions, lambda name, options, root, now: SlurmProvider(options, root, name, now))


def _scripted() -> ProviderFactory:
    from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote

    return ProviderFactory(
        ScriptedOptions,
        lambda name, options, _root, now: ScriptedProvider(options, ScriptedRemote(now, outlives_us=False), name),
    )


_BUILT_IN: dict[str, Callable[[], ProviderFactory]] = {
    "local": _local,
    "ray": _ray,
    "replicate": _replicate,
    "scripted": _scripted,
    "slurm": _slurm,
}


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _load(point: EntryPoint) -> ProviderFactory:
    source = point.dist.name if point.dist is not None else "an unknown distribution"
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise BrokenProvider(f"provider {point.name!r} of {source} cannot be loaded: {error}") from error
    if not isinstance(found, ProviderFactory):
        raise BrokenProvider(f"provider {point.name!r} of {source} is {found!r}, not a ProviderFactory")
    return found
