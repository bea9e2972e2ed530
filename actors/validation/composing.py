"""Files and texts into documents: size, encoding and characters are checked, then YAML becomes marked values.

Built on the parser's events rather than on a composed tree: they show whether a tag was written or guessed, every key
is seen twice if it stands there twice, and depth and size are known before anything is followed, so that a thousand
brackets or a bomb of aliases are a problem like any other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn

import yaml

from actors.validation.marked import MAX_DEPTH, UNREAD, ListNode, MappingNode, join, plain_value
from actors.validation.problems import CheckedError, Place, Problem, Problems

MAX_NODES = 200_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPEN = object()
"""What an anchor names while its value is still being read."""


class _Hopeless(Exception):
    """What follows cannot be understood; the problem has been noted."""


def compose(text: str, name: str, problems: Problems, max_nodes: int = MAX_NODES) -> Any:
    """The document in ``text``; None where nothing can be made of it or there is nothing. Never raises."""
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


MAX_BYTES = 1 << 20
#: What YAML calls not printable: https://yaml.org/spec/1.2.2/#51-character-set
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_bytes(path: Path, name: str, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a file of at most ``max_bytes``. Raises :class:`CheckedError`."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise CheckedError([Problem(Place(name), "", f"cannot be read: {error.strerror}")]) from error
    except ValueError as error:  # a NUL in the name
        raise CheckedError([Problem(Place(name), "", f"cannot be read: {error}")]) from error
    if len(content) > max_bytes:
        raise CheckedError([Problem(Place(name), "", f"is larger than {max_bytes} bytes")])
    return content


def document(
    content: bytes,
    name: str,
    problems: Problems | None = None,
    *,
    max_nodes: int = MAX_NODES,
    may_be_empty: bool = False,
) -> MappingNode:
    """The mapping that ``content`` holds. Raises :class:`CheckedError` with every problem that is visible here.

    ``problems``: takes those that do not keep the rest from being read, so that they can be reported with the others.
    ``may_be_empty``: no content, or comments alone, is an empty mapping.
    """
    found = Problems() if problems is None else problems
    root = compose(_text(content, name), name, found, max_nodes)
    if root is None and not found:
        if not may_be_empty:
            found.add(Place(name), "", "is empty")
        root = MappingNode()
    elif not isinstance(root, MappingNode) and not found:
        found.add(Place(name, 1, 1), "", "must be a mapping (key: value) as a whole")
    if problems is None or not isinstance(root, MappingNode):
        found.check()
    assert isinstance(root, MappingNode)
    root.place = Place(name, 1, 1)
    return root


def _text(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        message = f"is not UTF-8: byte 0x{error.object[error.start]:02x}"
        raise CheckedError([Problem(_place_after(name, before), "", message)]) from error
    found = _NOT_PRINTABLE.search(text)
    if found:
        message = f"holds the control character U+{ord(found[0]):04X}"
        raise CheckedError([Problem(_place_after(name, text[: found.start()]), "", message)])
    return text


def _place_after(name: str, before: str) -> Place:
    return Place(name, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
