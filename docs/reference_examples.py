"""The examples of the reference: a file of YAML that has a value for each key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from actors.jobs.quantities import without_unit

PAGES = Path(__file__).parent


class Examples:
    """A file that has a value for each key; values are shown as they are written there."""

    def __init__(self, name: str) -> None:
        self._root = yaml.compose((PAGES / name).read_text(encoding="utf-8"))

    def of(self, path: str, kind: str | None = None) -> str | None:
        """The value at ``path``, on one line; None without one. ``kind``: of a provider of that kind."""
        parents, _, last = path.replace("[]", ".[]").rpartition(".")
        names = [last, without_unit(last)]  # `timeout: 36h` is an example of `timeout_hours`
        paths = [[*filter(None, parents.split(".")), name] for name in names if name is not None]
        return next((_line(node) for parts in paths for node in self._found(self._root, parts, kind)), None)

    def _found(self, node: Any, parts: list[str], kind: str | None) -> Iterator[Any]:
        if not parts:
            yield node
        elif parts[0] == "[]":
            for one in node.value if isinstance(node, yaml.SequenceNode) else ():
                yield from self._found(one, parts[1:], kind)
        elif isinstance(node, yaml.MappingNode):
            for key, one in node.value:
                is_wild = parts[0] == "NAME" and (kind is None or _kind_of(key.value, one) == kind)
                if is_wild or key.value == parts[0]:
                    yield from self._found(one, parts[1:], kind if parts[0] == "providers" else None)


def _kind_of(name: str, node: Any) -> str:
    values = {key.value: one.value for key, one in node.value} if isinstance(node, yaml.MappingNode) else {}
    return str(values.get("kind", name))


def _line(node: Any) -> str:
    """A value of YAML on one line."""
    if isinstance(node, yaml.MappingNode):
        return "{" + ", ".join(f"{key.value}: {_line(one)}" for key, one in node.value) + "}"
    if isinstance(node, yaml.SequenceNode):
        return f"[{', '.join(map(_line, node.value))}]"
    return f"{node.style or ''}{node.value}{node.style or ''}"
