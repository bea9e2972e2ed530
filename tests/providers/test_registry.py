"""Providers are found by kind: built in, or installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.providers import registry
from actors.providers.registry import BrokenProvider, ProviderFactory, UnknownProvider
from actors.providers.scripted import ScriptedOptions, ScriptedProvider

NOW = datetime(2024, 1, 15, tzinfo=UTC)


@attrs.frozen
class TheatreOptions:
    """Options of a provider that somebody else wrote."""

    seats: int = 3


THEATRE = ProviderFactory(
    TheatreOptions, lambda name, options, root, now: ScriptedProvider(ScriptedOptions(cpus=options.seats), name=name)
)
NOT_A_FACTORY = 5

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Pretends that a distribution with these entry points is installed."""

    def pretend(**points: str) -> None:
        found = EntryPoints(EntryPoint(name, value, registry.GROUP) for name, value in points.items())
        monkeypatch.setattr(registry, "entry_points", lambda **query: found.select(**query))
        monkeypatch.setitem(sys.modules, "theatre", sys.modules[__name__])

    return pretend


def test_a_scripted_provider_is_made_from_its_options(tmp_path: Path) -> None:
    """It has the configured name, and its remote goes by the given clock and ends with us."""
    provider: Any = registry.factory("scripted").create("rehearsal", ScriptedOptions(cpus=2), tmp_path, lambda: NOW)
    assert isinstance(provider, ScriptedProvider)
    assert (provider.name, provider.capacity().cpus, provider.remote.now()) == ("rehearsal", 2, NOW)
    assert not provider.capabilities.survives_our_restart
    assert registry.factory("scripted").options_class is ScriptedOptions


def test_an_unknown_kind_is_refused_with_a_guess() -> None:
    """One sentence that says what was meant."""
    with pytest.raises(UnknownProvider, match=r"there is no provider 'scriptd'; did you mean scripted\?"):
        registry.factory("scriptd")


def test_an_installed_kind_is_found(install: Install, tmp_path: Path) -> None:
    """The entry point's name is the kind."""
    install(theatre="theatre:THEATRE")
    assert registry.kinds() == ("local", "ray", "replicate", "scripted", "slurm", "theatre")
    assert registry.factory("theatre").options_class is TheatreOptions
    provider = registry.factory("theatre").create("globe", TheatreOptions(seats=7), tmp_path, lambda: NOW)
    assert (provider.name, provider.capacity().cpus) == ("globe", 7)


def test_a_built_in_kind_cannot_be_replaced(install: Install) -> None:
    """Whatever is installed under its name."""
    install(scripted="theatre:THEATRE")
    assert registry.kinds() == ("local", "ray", "replicate", "scripted", "slurm")
    assert registry.factory("scripted").options_class is ScriptedOptions


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module_here:THEATRE", "cannot be loaded: No module named 'no_such_module_here'"),
        ("theatre:CURTAIN", "cannot be loaded: .*CURTAIN"),
        ("theatre:NOT_A_FACTORY", "is 5, not a ProviderFactory"),
    ],
)
def test_a_broken_entry_point_is_named_with_its_reason(value: str, reason: str, install: Install) -> None:
    """Only the one who asks for it hears of it: the list of kinds still works."""
    install(broken=value)
    assert "broken" in registry.kinds()
    with pytest.raises(BrokenProvider, match=f"provider 'broken' of an unknown distribution {reason}"):
        registry.factory("broken")


def test_no_provider_is_imported_before_it_is_used() -> None:
    """Listing the kinds loads none of them."""
    program = (
        "import sys; from actors.providers import registry; registry.kinds();"
        "print([name for name in sys.modules if name.startswith(('actors.providers.local', 'actors.providers.scr'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
