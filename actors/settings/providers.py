"""The section ``providers``: a name each, and under it a kind's options beside what every kind has."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import attrs

from actors.jobs.quantities import without_unit
from actors.providers.breaker import BreakerOptions
from actors.providers.registry import BrokenProvider, UnknownProvider, factory
from actors.validation import Format, Shape, StrictConverter, Wrong
from actors.validation.values import expected

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)  # a directory is called by it


@attrs.frozen
class ProviderSettings:
    """One configured provider: its own name, its kind, the options of that kind, and what every provider has."""

    name: str
    kind: str
    options: Any
    webhook_url: str | None = None
    circuit_breaker: BreakerOptions = attrs.field(factory=BreakerOptions)


def default_providers() -> dict[str, ProviderSettings]:
    """This machine, where it can run jobs: the local provider needs Linux."""
    if sys.platform != "linux":
        return {}
    return {"local": ProviderSettings("local", "local", factory("local").options_class())}


def _web_address(value: Any, usual: Callable[[Any], str]) -> str | None:
    """An address; an empty text means none, as programs that write this file for people leave it."""
    address = usual(value)
    if address and not re.fullmatch(r"https?://[^\s/]+\S*", address):
        raise Wrong("must be an address that begins with https:// or http://")
    return address or None


@attrs.frozen
class CommonSettings:
    """What every provider has.

    ``kind``: the kind of the provider; None: its name is its kind. ``enabled``: false switches the provider off, like
    ``null`` in place of its options. ``webhook_url``: the public address of ``POST /api/webhooks/NAME``, to which the
    provider delivers webhooks. If it is given, the provider is not asked regularly. ``circuit_breaker``: when calls to
    the provider are stopped.
    """

    kind: str | None = None
    enabled: bool = True
    webhook_url: Annotated[str, Format(_web_address)] | None = None
    circuit_breaker: BreakerOptions | None = None


_COMMON = frozenset(attribute.name for attribute in attrs.fields(CommonSettings))


@attrs.frozen
class _Named:
    """What the file has for the provider ``name``."""

    name: str
    value: Any


def register_providers(converter: StrictConverter) -> None:
    """Let ``converter`` read the section: by name a provider's settings, None where it is switched off."""

    def all_of(value: Any, usual: Callable[[Any], Any]) -> Any:
        return usual({name: _Named(name, one) for name, one in value.items()} if isinstance(value, Mapping) else value)

    def read(named: _Named, _: Any) -> ProviderSettings | None:
        return _read_provider(converter, named.name, named.value)

    converter.register_structure_hook_func(lambda kind: kind is ProviderSettings, read)
    by_name: Any = Annotated[Mapping[str, ProviderSettings], Format(all_of)]
    converter.register_structure_hook_func(
        lambda kind: kind == Mapping[str, ProviderSettings | None], lambda value, _: converter.structure(value, by_name)
    )


def _read_provider(converter: StrictConverter, name: str, value: Any) -> ProviderSettings | None:
    """Raises an ``ExceptionGroup`` with what is wrong with what every provider has, and with the kind's options."""
    if not _NAME.fullmatch(name):
        raise Wrong("a provider's name has letters, digits and . _ - only, at most 64")
    data = {} if value is None else value
    if not isinstance(data, Mapping):
        raise expected("a mapping", data)
    errors: list[Exception] = []

    def part(of: type[Any], written: Mapping[str, Any]) -> Any:
        try:
            return converter.structure(written, of)
        except (ValueError, ExceptionGroup) as error:
            errors.append(error)

    common = part(CommonSettings, {key: one for key, one in data.items() if key in _COMMON})
    kind: Any = data.get("kind") or name
    if isinstance(kind, str):
        try:
            made_by = factory(kind)
        except (UnknownProvider, BrokenProvider) as error:
            errors.append(Wrong(str(error.args[0]), *(["kind"] if "kind" in data else [])))
        else:
            converter.shapes.setdefault(made_by.options_class, kind_shape(made_by.options_class))
            options = part(made_by.options_class, data)
    if errors:
        raise ExceptionGroup(f"provider {name}", errors)
    if not common.enabled:
        return None
    if "webhook_url" in attrs.fields_dict(type(options)):
        options = attrs.evolve(options, webhook_url=common.webhook_url)
    breaker = data.get("circuit_breaker") or {}
    names = [name for name in attrs.fields_dict(BreakerOptions) if {name, without_unit(name)} & breaker.keys()]
    written = {name: getattr(common.circuit_breaker, name) for name in names}
    return ProviderSettings(name, kind, options, common.webhook_url, attrs.evolve(made_by.breaker, **written))


def kind_shape(of_kind: type[Any]) -> Shape:
    """How the options of a kind are written. Entry points have a section of their own."""
    fields = attrs.fields_dict(of_kind)
    return Shape(
        hidden={"entry_points", *_COMMON} & fields.keys(),
        also=_COMMON,
    )
