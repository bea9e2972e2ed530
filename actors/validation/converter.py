"""The strict converter: plain data into attrs classes, every problem at once.

cattrs generates how a class is read and groups the errors of its fields; the hooks here add what it leaves open: no
coercion, and a field's validators run as soon as that field has its type, each field by itself. So a class's own
``__attrs_post_init__``, the place for rules over several fields, runs only where every field is good.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import cattrs
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, mapping_structure_factory, override

from actors.jobs import maxima
from actors.jobs.suggestions import suggestion
from actors.validation import values
from actors.validation.explaining import explain, message_of
from actors.validation.marked import MAX_DEPTH, shown
from actors.validation.problems import Problems
from actors.validation.units import aliases, form_of, with_units
from actors.validation.values import Format, Validator, Wrong, expected

_Hook = Callable[[Any, Any], Any]
_SIMPLE: Mapping[Any, tuple[Callable[[Any], Any], Any, str]] = {
    str: (values.text, str, "a text"), int: (values.integer, int, "a whole number"),
    float: (values.number, (int, float), "a number"), bool: (values.boolean, bool, "true or false"),
    Path: (values.path, str, "a path"), datetime: (values.moment, str, "a moment"),
}  # fmt: skip
_MAKE: Mapping[Any, Callable[[list[Any]], Any]] = {tuple: tuple, list: list, frozenset: frozenset}


@attrs.frozen
class Shape:
    """How a class is written where that differs from its fields.

    ``names``: other keys for fields. ``hidden``: fields that cannot be written. ``also``: keys that are allowed too and
    are read elsewhere. ``types``: the type as which a field is read, instead of its own. ``validators``: by field, in
    addition to the class's own validators and the maxima of :mod:`actors.jobs.maxima`. ``whole``: called with an
    instance whose fields are all valid; raises :class:`Wrong`.
    """

    names: Mapping[str, str] = attrs.field(factory=dict)
    hidden: AbstractSet[str] = frozenset()
    also: AbstractSet[str] = frozenset()
    types: Mapping[str, Any] = attrs.field(factory=dict)
    validators: Mapping[str, Validator] = attrs.field(factory=dict)
    whole: Callable[[Any], None] | None = None

    def keys(self, kind: type[Any]) -> dict[str, str]:
        """The fields of ``kind`` that can be written, each with its key."""
        renamed = {name: key for key, name in self.names.items()}
        fields = [one.name for one in attrs.fields(kind) if one.init and one.name not in self.hidden]
        return {name: renamed.get(name, name.lstrip("_")) for name in fields}


class StrictConverter(cattrs.Converter):
    """Reads ``str``, ``int``, ``float``, ``bool``, ``Path``, ``datetime``, ``Any`` (plain data), enums of texts,
    ``Literal``, unions of types that a value distinguishes, lists, mappings with texts as keys, and attrs classes.
    """

    def __init__(self, shapes: Mapping[type, Shape] | None = None) -> None:
        super().__init__(forbid_extra_keys=True, detailed_validation=True)
        self.shapes = dict(shapes or {})
        self._short: dict[type[Any], Mapping[str, str]] = {}
        self._register()

    def read(self, data: Any, kind: Any, path: str = "", problems: Problems | None = None) -> Any:
        """``data`` as a value of type ``kind``.

        ``data``: a document (:func:`~actors.validation.document`) or plain data such as decoded JSON. ``path`` is its
        own, for the messages; ``problems`` has what was noticed before. Raises
        :class:`~actors.validation.CheckedError` with every problem.
        """
        problems = Problems() if problems is None else problems
        place = getattr(data, "place", None)
        value = None
        if _is_deeper(data, MAX_DEPTH):
            problems.add(place, path, f"nested deeper than {MAX_DEPTH} levels")
        else:
            try:
                value = self.structure(data, kind)
            except (ValueError, cattrs.BaseValidationError) as error:
                explain(error, data, place, path, problems, self._keys)
        problems.check()
        return value

    def tagged_union(self, union: Any, kinds: Mapping[str, type]) -> None:
        """Read ``union`` by the text under the key ``type``, which names one of ``kinds``."""

        def read(value: Any, _: Any) -> Any:
            data = _mapping(value)
            name = data.get("type")
            if not isinstance(name, str) or name not in kinds:
                near = suggestion(name, kinds) if isinstance(name, str) else ""
                raise Wrong(f"must be one of {', '.join(kinds)}{near}", "type")
            return self.structure({key: one for key, one in data.items() if key != "type"}, kinds[name])

        self.register_structure_hook_func(lambda kind: kind == union, read)

    def _keys(self, kind: type[Any], data: Any) -> tuple[dict[str, str], AbstractSet[str]]:
        shape = self.shapes.get(kind, _AS_IT_IS)
        keys, short = shape.keys(kind), self._short.get(kind, {})
        given = data if isinstance(data, Mapping) else {}
        written = {name: short[name] if short.get(name) in given else key for name, key in keys.items()}
        return written, {*shape.also, *short.values()}

    def _register(self) -> None:
        for kind, (reader, _, _) in _SIMPLE.items():
            self.register_structure_hook(kind, _simple(kind, reader))
        self.register_structure_hook_func(lambda kind: kind is Any, self._plain)
        factories: list[tuple[Callable[[Any], bool], Callable[[Any], _Hook]]] = [
            (lambda kind: get_origin(kind) in _MAKE, self._list),
            (lambda kind: get_origin(kind) in (Mapping, dict), self._mapping),
            (lambda kind: get_origin(kind) is Literal, lambda kind: _choice({str(one): one for one in get_args(kind)})),
            (lambda kind: isinstance(kind, type) and issubclass(kind, enum.Enum), _members),
            (attrs.has, self._class),
            (lambda kind: get_origin(kind) in (Union, types.UnionType), self._union),
            (_has_format, self._formatted),
        ]
        for is_such, factory in factories:
            self.register_structure_hook_factory(is_such, factory)

    def _class(self, kind: type[Any]) -> _Hook:
        shape = self.shapes.get(kind, _AS_IT_IS)
        hints = get_type_hints(kind, include_extras=True)
        overrides: dict[str, Any] = {name: override(omit=True) for name in shape.hidden}
        for name, key in shape.keys(kind).items():
            attribute = attrs.fields_dict(kind)[name]
            of_type = shape.types.get(name, hints[name])
            maximum = maxima.FIELDS.get(kind, {}).get(name)  # a record cannot check by itself
            validators = (attribute.validator, maximum, shape.validators.get(name))
            overrides[name] = override(rename=key, struct_hook=self._field(attribute, of_type, validators))
        generated: Any = make_dict_structure_fn(kind, self, **overrides)
        keys, self._short[kind] = shape.keys(kind), aliases(kind)
        short = {alias: keys[name] for name, alias in self._short[kind].items() if name in keys}

        def read(value: Any, _: Any) -> Any:
            data = with_units(_mapping(value, keys.values()), short)
            made = generated({key: one for key, one in data.items() if key not in shape.also}, kind)
            if shape.whole is not None:
                shape.whole(made)
            return made

        return read

    def _field(self, attribute: attrs.Attribute[Any], kind: Any, validators: Sequence[Validator | None]) -> _Hook:
        def read(value: Any, _: Any) -> Any:
            made = self.structure(value, kind)
            try:
                for one in validators:
                    if one is not None:
                        one(None, attribute, made)
            except ValueError as error:
                raise Wrong(message_of(error, attribute)) from None
            return made

        return read

    def _plain(self, value: Any, _: Any) -> Any:
        if isinstance(value, Mapping):
            return self.structure(value, dict[str, Any])
        return self.structure(value, list[_Anything]) if isinstance(value, list | tuple) else values.plain(value)

    def _list(self, kind: Any) -> _Hook:
        make, item = _MAKE[get_origin(kind)], get_args(kind)[0]
        of: Any = types.GenericAlias(list, (_Anything if item is Any else item,))
        generated: Any = list_structure_factory(of, self)

        def read(value: Any, _: Any) -> Any:
            if value is None:
                return make([])
            if not isinstance(value, list | tuple):
                raise expected("a list", value)
            return make(generated(value, of))

        return read

    def _mapping(self, kind: Any) -> _Hook:
        generated: Any = mapping_structure_factory(kind, self)
        return lambda value, _: generated(_mapping(value), kind)

    def _union(self, kind: Any) -> _Hook:
        arms = [arm for arm in get_args(kind) if arm is not type(None)]
        optional = len(arms) < len(get_args(kind))

        def read(value: Any, _: Any) -> Any:
            if value is None and optional:
                return None
            fitting = arms if len(arms) == 1 else [arm for arm in arms if _fits(value, arm)]
            if not fitting:
                raise expected(" or ".join(dict.fromkeys(_family(arm)[1] for arm in arms)), value)
            return self.structure(value, fitting[0])

        return read

    def _formatted(self, kind: Any) -> _Hook:
        base, *extras = get_args(kind)
        read: Callable[[Any], Any] = partial(self.structure, cl=base)
        for form in [form for one in extras if (form := form_of(one)) is not None]:
            read = partial(_by_format, form, read)
        return lambda value, _: read(value)


_MOST_KEYS_SHOWN = 8
_AS_IT_IS = Shape()
_Anything = Annotated[Any, Format(lambda value, usual: usual(value))]  # cattrs copies items of bare Any unread


def _by_format(form: Format, usual: Callable[[Any], Any], value: Any) -> Any:
    return form.read(value, usual)


def _has_format(kind: Any) -> bool:
    return get_origin(kind) is Annotated and any(form_of(one) is not None for one in get_args(kind)[1:])


def _simple(kind: Any, reader: Callable[[Any], Any]) -> _Hook:
    """For ``kind``; cattrs gives it its subclasses as well, which can only be enumerations."""

    def read(value: Any, of: Any) -> Any:
        return reader(value) if of is kind else _members(of)(value, of)

    return read


def _members(kind: type[enum.Enum]) -> _Hook:
    return _choice({str(one.value): one for one in kind})


def _choice(known: Mapping[str, Any]) -> _Hook:
    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, str):
            raise expected(f"one of {', '.join(known)}", value)
        if value in known:
            return known[value]
        if near := suggestion(value, known):
            raise Wrong(f"cannot be {shown(value)}{near}")
        raise expected(f"one of {', '.join(known)}", value)

    return read


def _mapping(value: Any, keys: Collection[str] = ()) -> Mapping[Any, Any]:
    """``value``, nothing being an empty mapping. ``keys``: those that may stand in it, for the message."""
    if isinstance(value, Mapping):
        return value
    if value is None:
        return {}
    raise expected("a mapping", value, f"; its keys are {', '.join(keys)}" if 0 < len(keys) <= _MOST_KEYS_SHOWN else "")


def _family(kind: Any) -> tuple[Any, str]:
    """The Python types of the values from which ``kind`` is read, and the words for them."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if kind in _SIMPLE:
        return _SIMPLE[kind][1:]
    if get_origin(kind) in _MAKE:
        return (list, tuple), "a list"
    if get_origin(kind) in (Mapping, dict) or attrs.has(kind):
        return Mapping, "a mapping"
    return (object, "plain data") if kind is Any else (str, "a text")


def _fits(value: Any, kind: Any) -> bool:
    """Whether ``value`` is of the family of ``kind``, so that this arm of a union is the one that was meant."""
    of, _ = _family(kind)
    return isinstance(value, of) and (of is object or isinstance(value, bool) is (of is bool))


def _is_deeper(data: Any, levels: int) -> bool:
    """Whether ``data`` is nested deeper than that. A document that was composed is not."""
    parts = data.values() if isinstance(data, Mapping) else data if isinstance(data, list | tuple) else ()
    return bool(parts) and (levels == 0 or any(_is_deeper(part, levels - 1) for part in parts))


INPUT = StrictConverter()
"""For classes that are written as they are."""
