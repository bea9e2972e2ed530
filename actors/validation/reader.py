"""Nodes into typed values, strictly, noting every fault on the way."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable
from collections.abc import Mapping as AbstractMapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from actors.jobs.suggestions import did_you_mean
from actors.validation import simple
from actors.validation.nodes import Entry, Listing, Mapping, Node, Scalar, is_nothing, join, shown
from actors.validation.problems import Place, Problems
from actors.validation.validating import complaint_of_class, complaints


class Faulty(enum.Enum):
    """What stands for a value that could not be read; its fault has been noted."""

    FAULTY = "faulty"


FAULTY = Faulty.FAULTY
_MOST_GUESSES = 100
"""Guesses of one document: a guess costs more than the fault that it ends, and nobody reads so many."""

Read = Callable[["Reader", Entry, str], Any]
"""Reads one value its own way: gives the value, or notes a fault and gives ``FAULTY``."""


@attrs.frozen
class Shape:
    """How a class is written where that differs from its fields.

    ``names``: other keys for fields. ``hidden``: fields that cannot be written. ``reads``: values read in their own
    way. ``checks``: by field, what is wrong with a value (None: nothing), beside the class's own validators. ``also``:
    keys that stand there too and are read elsewhere.
    """

    names: AbstractMapping[str, str] = attrs.field(factory=dict)
    hidden: frozenset[str] = frozenset()
    reads: AbstractMapping[str, Read] = attrs.field(factory=dict)
    checks: AbstractMapping[str, Callable[[Any], str | None]] = attrs.field(factory=dict)
    also: tuple[str, ...] = ()


class Reader:
    """Reads values of given types. ``faults`` grows; ``sources`` tells where each value that was read stands."""

    def __init__(self, shapes: AbstractMapping[type, Shape] | None = None, faults: Problems | None = None) -> None:
        self.faults = Problems() if faults is None else faults
        self.sources: dict[str, Place] = {}
        self._shapes = shapes or {}

    def fault(self, entry: Entry, path: str, message: str) -> Faulty:
        """Note a fault of the value at ``entry``."""
        self.faults.add(entry.place, path, message)
        return FAULTY

    def convert(self, entry: Entry, kind: Any, path: str) -> Any:
        """The value of type ``kind`` at ``entry``, or ``FAULTY`` and a fault.

        ``kind``: str, int, float, bool, ``Path``, ``Any`` (plain data), an enum of texts, ``Literal``, ``X | Y``,
        ``tuple[X, ...]``, ``Mapping[str, X]`` or an attrs class. Raises TypeError for another type: the class is wrong
        then, not the document.
        """
        if type(entry.node) is Node:
            return FAULTY
        if kind in simple.READERS:
            return self._simple(entry, kind, path)
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            return self._union(entry, get_args(kind), path)
        if origin is Literal:
            return self._choice(entry, {str(one): one for one in get_args(kind)}, path)
        if origin in (tuple, list):
            return self._list(entry, get_args(kind)[0], path)
        if origin in (AbstractMapping, dict):
            return self._mapping(entry, get_args(kind)[1], path)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return self._choice(entry, {str(one.value): one for one in kind}, path)
        if attrs.has(kind):
            return self.object(entry, kind, path)
        raise TypeError(f"{path or 'the document'}: cannot read a {kind!r}")

    def _simple(self, entry: Entry, kind: Any, path: str) -> Any:
        value, fault = simple.READERS[kind](entry.node)
        if fault is not None:
            return self.fault(entry, path, fault)
        return value if kind is not Any or isinstance(entry.node, Scalar) else self._plain(entry, path)

    def _plain(self, entry: Entry, path: str) -> Any:
        if isinstance(entry.node, Listing):
            return self._list(entry, Any, path, make=list)
        return self._mapping(entry, Any, path)

    def _union(self, entry: Entry, kinds: tuple[Any, ...], path: str) -> Any:
        if type(None) in kinds and is_nothing(entry.node):
            return None
        arms = [kind for kind in kinds if kind is not type(None)]
        fitting = [kind for kind in arms if len(arms) == 1 or _fits(entry.node, kind)]
        if not fitting:
            words = " or ".join(dict.fromkeys(_word(kind) for kind in arms))
            return self.fault(entry, path, f"must be {words}, not {shown(entry.node)}")
        return self.convert(entry, fitting[0], path)

    def _choice(self, entry: Entry, known: AbstractMapping[str, Any], path: str) -> Any:
        if isinstance(entry.node, Scalar) and entry.node.text in known:
            return known[entry.node.text]
        guess = did_you_mean(entry.node.text[:80], known) if isinstance(entry.node, Scalar) else ""
        if guess.startswith("; did"):
            return self.fault(entry, path, f"cannot be {shown(entry.node)}{guess}")
        return self.fault(entry, path, f"must be one of {', '.join(known)}, not {shown(entry.node)}")

    def _list(self, entry: Entry, kind: Any, path: str, make: Callable[[list[Any]], Any] = tuple) -> Any:
        if is_nothing(entry.node):
            return make([])
        if not isinstance(entry.node, Listing):
            return self.fault(entry, path, f"must be a list, not {shown(entry.node)}")
        values = [self.convert(item, kind, join(path, index)) for index, item in enumerate(entry.node.items)]
        return FAULTY if any(value is FAULTY for value in values) else make(values)

    def _mapping(self, entry: Entry, kind: Any, path: str) -> Any:
        entries = self.entries(entry, path)
        if entries is None:
            return FAULTY
        values = {}
        for key, child in entries.items():
            if fault := simple.text_fault(key):
                self.fault(child, join(path, key), f"a key {fault}")
            values[key] = self.convert(child, kind, join(path, key))
            self._found(child, join(path, key))
        return FAULTY if any(value is FAULTY for value in values.values()) else values

    def entries(self, entry: Entry, path: str) -> AbstractMapping[str, Entry] | None:
        """What stands in the mapping at ``entry``, nothing being an empty one; None and a fault where it is none."""
        if is_nothing(entry.node):
            return {}
        if isinstance(entry.node, Mapping):
            return entry.node.entries
        if type(entry.node) is not Node:
            self.fault(entry, path, f"must be a mapping, not {shown(entry.node)}")
        return None

    def object(self, entry: Entry, kind: type[Any], path: str, shape: Shape | None = None) -> Any:
        """An instance of the attrs class ``kind``, written as its shape says."""
        entries = self.entries(entry, path)
        if entries is None:
            return FAULTY
        shape = shape or self._shapes.get(kind, Shape())
        known = _keys(kind, shape)
        hints = _types(kind)
        before = self.faults.noted
        values: dict[str, Any] = {}
        for key, child in entries.items():
            if key in shape.also:
                continue
            if key not in known:
                self._unknown(child, join(path, key), key, [*known, *shape.also])
                continue
            name = known[key].name
            value = self._field(child, name, hints[name], join(path, key), shape)
            if value is not FAULTY:
                values[name] = value
        for key, attribute in known.items():
            if attribute.default is attrs.NOTHING and key not in entries:
                self.fault(entry, join(path, key), "is missing")
        given = {known[key].name: (join(path, key), child) for key, child in entries.items() if key in known}
        for name, message in complaints(kind, values):
            self.fault(given[name][1], given[name][0], message)
        if self.faults.noted > before:
            return FAULTY
        return self._make(entry, kind, values, path)

    def _unknown(self, child: Entry, path: str, key: str, known: list[str]) -> None:
        guess = did_you_mean(key[:80], known) if self.faults.noted < _MOST_GUESSES else ""
        self.fault(child, path, f"unknown key{guess}")

    def _field(self, child: Entry, name: str, kind: Any, path: str, shape: Shape) -> Any:
        read = shape.reads.get(name)
        value = read(self, child, path) if read else self.convert(child, kind, path)
        if value is not FAULTY:
            self._found(child, path)
            check = shape.checks.get(name)
            if check is not None and (fault := check(value)) is not None:
                return self.fault(child, path, fault)
        return value

    def _make(self, entry: Entry, kind: type[Any], values: AbstractMapping[str, Any], path: str) -> Any:
        aliases = {attribute.name: attribute.alias for attribute in attrs.fields(kind)}
        try:
            return kind(**{str(aliases[name]): value for name, value in values.items()})
        except (ValueError, TypeError) as error:
            name, message = complaint_of_class(kind, error)
            child = self.entries(entry, path) or {}
            return self.fault(child.get(name, entry), join(path, name) if name else path, message)

    def _found(self, entry: Entry, path: str) -> None:
        if entry.place is not None:
            self.sources[path] = entry.place


_HINTS: dict[type, dict[str, Any]] = {}
"""What the fields of each class are: as many as there are classes."""


def _types(kind: type[Any]) -> dict[str, Any]:
    if kind not in _HINTS:
        _HINTS[kind] = get_type_hints(kind)
    return _HINTS[kind]


def _keys(kind: type[Any], shape: Shape) -> dict[str, attrs.Attribute[Any]]:
    renamed = {name: key for key, name in shape.names.items()}
    return {
        renamed.get(attribute.name, attribute.name.lstrip("_")): attribute
        for attribute in attrs.fields(kind)
        if attribute.init and attribute.name not in shape.hidden
    }


def _fits(node: Node, kind: Any) -> bool:
    """Whether ``node`` is of the same family as ``kind``, so that this arm of a union is the one that was meant."""
    if kind in simple.READERS:
        return kind is Any or simple.READERS[kind](node)[1] is None
    if get_origin(kind) in (tuple, list):
        return isinstance(node, Listing)
    if get_origin(kind) in (AbstractMapping, dict) or attrs.has(kind):
        return isinstance(node, Mapping)
    return isinstance(node, Scalar) and isinstance(node.value, str)


def _word(kind: Any) -> str:
    if kind in simple.WORDS:
        return simple.WORDS[kind]
    if get_origin(kind) in (tuple, list):
        return "a list"
    return "a mapping" if get_origin(kind) in (AbstractMapping, dict) or attrs.has(kind) else "a text"
