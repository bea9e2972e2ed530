"""YAML text into nodes, from the parser's events.

Built on events rather than on a composed tree: they tell whether a tag was written or guessed, every key is seen twice
if it stands there twice, and nothing recurses, so a thousand brackets are a fault like any other.
"""

from __future__ import annotations

from typing import Any, Literal

import attrs
import yaml

from actors.validation.nodes import Entry, Listing, Mapping, Node, Scalar, join
from actors.validation.problems import Place, Problems
from actors.validation.scalars import resolve

MAX_DEPTH = 64
MAX_NODES = 200_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Hopeless(Exception):
    """What follows cannot be understood; the fault has been noted."""


@attrs.define
class _Frame:
    """A list or mapping that is still open; ``key`` is a mapping's key that waits for its value."""

    kind: Literal["list", "mapping"]
    place: Place
    anchor: str | None
    items: list[Entry] = attrs.field(factory=list)
    entries: dict[str, Entry] = attrs.field(factory=dict)
    key: str | None = None
    key_place: Place | None = None
    key_counts: bool = False
    tagged: bool = False
    size: int = 1
    height: int = 1

    def close(self) -> Node:
        if self.tagged:
            return Node(size=self.size, height=self.height)
        if self.kind == "list":
            return Listing(tuple(self.items), size=self.size, height=self.height)
        return Mapping(self.entries, size=self.size, height=self.height)


def compose(text: str, name: str, faults: Problems, max_nodes: int = MAX_NODES) -> Entry | None:
    """The document in ``text``; None where nothing can be made of it or there is nothing. Never raises."""
    composer = _Composer(name, faults, max_nodes)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            composer.feed(event)
    except _Hopeless:
        return None
    except yaml.MarkedYAMLError as error:
        faults.add(_place(name, error.problem_mark or error.context_mark), "", _complaint(error, text))
        return None
    except (
        yaml.YAMLError,
        ValueError,
        OverflowError,
    ) as error:  # the pure parser, on escapes beyond reason
        faults.add(Place(name), "", f"is not YAML: {error}")
        return None
    return composer.root


class _Composer:
    def __init__(self, name: str, faults: Problems, max_nodes: int) -> None:
        self.root: Entry | None = None
        self._name = name
        self._faults = faults
        self._max_nodes = max_nodes
        self._documents = 0
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Node | None] = {}

    def feed(self, event: yaml.Event) -> None:
        place = _place(self._name, event.start_mark)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._give_up(place, "a second document begins here; one file holds one")
            case yaml.AliasEvent():
                self._add(place, self._aliased(place, str(event.anchor)))
            case yaml.ScalarEvent():
                self._scalar(place, event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(place, event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = self._frames.pop()
                node = frame.close()
                self._remember(frame.anchor, node)
                self._add(frame.place, node)

    def _open(self, place: Place, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if len(self._frames) >= MAX_DEPTH:
            self._give_up(place, f"nested deeper than {MAX_DEPTH} levels")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        kind: Literal["list", "mapping"] = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
        self._frames.append(_Frame(kind, place, event.anchor, tagged=self._tagged(place, event.tag)))

    def _scalar(self, place: Place, event: yaml.ScalarEvent) -> None:
        node: Node = Scalar(event.value, event.value, quoted=True) if event.style else resolve(event.value)
        if self._tagged(place, event.tag):
            node = Node()
        self._remember(event.anchor, node)
        self._add(place, node, merge=event.value == "<<" and not event.style)

    def _tagged(self, place: Place, tag: str | None) -> bool:
        if tag is None:
            return False
        self._faults.add(place, self._path(), "tags are not read; write the value plainly")
        return True

    def _remember(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _aliased(self, place: Place, anchor: str) -> Node:
        if anchor not in self._anchors:
            self._faults.add(place, self._path(), f"*{anchor} names no anchor that stands before it")
            return Node()
        node = self._anchors[anchor]
        if node is None:
            self._faults.add(place, self._path(), f"*{anchor} stands inside what it names")
            return Node()
        return node

    def _add(self, place: Place, node: Node, *, merge: bool = False) -> None:
        """Put a value where it belongs: the document's root, a list's next item, a mapping's key or its value."""
        if not self._frames:
            self.root = Entry(Place(self._name, 1, 1), node)
            return
        frame = self._frames[-1]
        frame.size += node.size
        frame.height = max(frame.height, node.height + 1)
        if frame.size > self._max_nodes:
            self._give_up(place, f"more than {self._max_nodes} values, aliases followed")
        if len(self._frames) + node.height > MAX_DEPTH + 1:
            self._give_up(place, f"nested deeper than {MAX_DEPTH} levels")
        if frame.kind == "list":
            frame.items.append(Entry(place, node))
        elif frame.key is None:
            self._key(frame, place, node, merge)
        else:
            if frame.key_counts:
                frame.entries[frame.key] = Entry(frame.key_place, node)
            frame.key = None

    def _key(self, frame: _Frame, place: Place, node: Node, merge: bool) -> None:
        frame.key, frame.key_place, frame.key_counts = "", place, False
        if merge:
            self._faults.add(place, self._path(), "merge keys (<<) are not read; write the keys out")
        elif not isinstance(node, Scalar):
            self._faults.add(place, self._path(), "a key must be a text")
        elif not node.text:
            self._faults.add(place, self._path(), "a key is missing before the colon")
        elif (first := frame.entries.get(node.text)) is not None:
            assert first.place is not None
            self._faults.add(place, join(self._path(), node.text), f"given twice, first in line {first.place.line}")
        else:
            frame.key, frame.key_counts = node.text, True

    def _path(self) -> str:
        path = ""
        for frame in self._frames:
            if frame.kind == "list":
                path = join(path, len(frame.items))
            elif frame.key:
                path = join(path, frame.key)
        return path

    def _give_up(self, place: Place, message: str) -> None:
        self._faults.add(place, "", message)
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
