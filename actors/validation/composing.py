"""YAML text into marked values, from the parser's events.

It uses events rather than a composed tree, because they show whether a tag was written or guessed, a repeated key is
seen twice, and depth and size are known before anything is followed. So a thousand brackets, or aliases that expand
without bound, are a problem like any other.
"""

from __future__ import annotations

from typing import Any, NoReturn

import yaml

from actors.validation.marked import (
    MAX_DEPTH,
    MAX_NODES,
    UNREAD,
    ListNode,
    MappingNode,
    as_written,
    join,
    plain_value,
)
from actors.validation.problems import Place, Problems

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPEN = object()
"""What an anchor names while its value is still being read."""


class _Hopeless(Exception):
    """The rest cannot be understood; the problem has been noted."""


def compose(text: str, name: str, problems: Problems, max_nodes: int = MAX_NODES) -> Any:
    """The document in ``text``; None if it is empty or cannot be understood. Never raises."""
    try:
        return _Composer(text, name, problems, max_nodes).document()
    except _Hopeless:
        pass
    except yaml.MarkedYAMLError as error:
        problems.add(_place(name, error.problem_mark or error.context_mark), "", _complaint(error, text))
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the pure parser, on escapes beyond reason
        problems.add(Place(name), "", f"is not YAML: {error}")
    return None


class _Composer:
    def __init__(self, text: str, name: str, problems: Problems, max_nodes: int) -> None:
        self._events = yaml.parse(text, Loader=_Loader)
        self._name = name
        self._problems = problems
        self._max_nodes = max_nodes
        self._anchors: dict[str, Any] = {}

    def document(self) -> Any:
        root, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._give_up(event, "a second document begins here; one file holds one")
            elif isinstance(event, yaml.NodeEvent):
                root = self._value(event, "", 1)
        return root

    def _value(self, event: Any, path: str, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, path)
        if event.tag is not None:
            self._note(event, path, "tags are not read; write the value plainly")
        if event.anchor is not None:
            self._anchors[event.anchor] = _OPEN
        if isinstance(event, yaml.ScalarEvent):
            made = event.value if event.style else plain_value(event.value)
        elif depth > MAX_DEPTH:
            self._give_up(event, f"nested deeper than {MAX_DEPTH} levels")
        else:
            made = (self._mapping if isinstance(event, yaml.MappingStartEvent) else self._list)(path, depth)
        made = made if event.tag is None else UNREAD
        if event.anchor is not None:
            self._anchors[event.anchor] = made
        return made

    def _aliased(self, event: Any, path: str) -> Any:
        named = self._anchors.get(event.anchor)
        if named is _OPEN:
            self._note(event, path, f"*{event.anchor} stands inside what it names")
        elif event.anchor not in self._anchors:
            self._note(event, path, f"*{event.anchor} names no anchor that stands before it")
        else:
            return named
        return UNREAD

    def _list(self, path: str, depth: int) -> ListNode:
        node = ListNode()
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            value = self._value(event, join(path, len(node)), depth + 1)
            self._count(node, value, event, depth)
            self._keep_text(node, len(node), value, event)
            node.append(value)
            node.places.append(_place(self._name, event.start_mark))
        return node

    def _mapping(self, path: str, depth: int) -> MappingNode:
        node = MappingNode()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._count(node, self._value(event, path, depth + 1), event, depth)
            key = self._key(event, path, node)
            follows = next(self._events)
            value = self._value(follows, path if key is None else join(path, key), depth + 1)
            self._count(node, value, follows, depth)
            if key is not None:
                self._keep_text(node, key, value, follows)
                node[key] = value
                node.places[key] = _place(self._name, event.start_mark)
        return node

    def _key(self, event: Any, path: str, node: MappingNode) -> str | None:
        """The key that ``event`` is; None where it is none, or one that must not stand here."""
        if not isinstance(event, yaml.ScalarEvent):
            self._note(event, path, "a key must be a text")
        elif event.value == "<<" and not event.style:
            self._note(event, path, "merge keys (<<) are not read; write the keys out")
        elif not event.value:
            self._note(event, path, "a key is missing before the colon")
        elif event.value in node:
            first = node.places[event.value].line
            self._note(event, join(path, event.value), f"given twice, first in line {first}")
        elif event.tag is None:
            return str(event.value)
        return None

    def _keep_text(self, node: MappingNode | ListNode, key: str | int, value: Any, event: Any) -> None:
        """Keep how ``value`` was written where it does not show that: ``True``, ``+5``."""
        if type(value) in (bool, int) and isinstance(event, yaml.ScalarEvent) and as_written(value) != event.value:
            node.texts = {} if node.texts is None else node.texts
            node.texts[key] = event.value

    def _count(self, node: MappingNode | ListNode, part: Any, event: Any, depth: int) -> None:
        """Add ``part`` to the size and height of ``node``, aliases followed."""
        size, height = (part.size, part.height) if isinstance(part, MappingNode | ListNode) else (1, 1)
        node.size += size
        node.height = max(node.height, height + 1)
        if node.size > self._max_nodes:
            self._give_up(event, f"more than {self._max_nodes} values, aliases followed")
        if depth + height > MAX_DEPTH + 1:
            self._give_up(event, f"nested deeper than {MAX_DEPTH} levels")

    def _note(self, event: Any, path: str, message: str) -> None:
        self._problems.add(_place(self._name, event.start_mark), path, message)

    def _give_up(self, event: Any, message: str) -> NoReturn:
        self._note(event, "", message)
        raise _Hopeless


def _place(name: str, mark: Any) -> Place:
    return Place(name) if mark is None else Place(name, mark.line + 1, mark.column + 1)


def _complaint(error: yaml.MarkedYAMLError, text: str) -> str:
    """The parser's complaint in one line, with the fix where it is the usual one."""
    mark = error.problem_mark
    if mark is not None and "cannot start any token" in (error.problem or ""):
        line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
        found = line[mark.column : mark.column + 1]
        if found == "\t":
            return "a tab cannot indent YAML; use spaces"
        return f"a text cannot begin with {found!r}; put it in quotes"
    words = [part for part in (error.context, error.problem) if part]
    return f"is not YAML: {', '.join(words)}"
