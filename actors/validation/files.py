"""Files and texts into documents. Size, encoding and control characters are checked before YAML is."""

from __future__ import annotations

import re
from pathlib import Path

from actors.validation.marked import MAX_NODES, MappingNode
from actors.validation.problems import CheckedError, Place, Problem, Problems

MAX_BYTES = 1 << 20
#: What YAML calls not printable: https://yaml.org/spec/1.2.2/#51-character-set. A list of what is compiles slowly
_NOT_PRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


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
    """The mapping in ``content``. Raises :class:`CheckedError` with every problem that is visible here.

    ``problems``: receives those that do not prevent reading the rest, so that they can be reported with the others.
    ``may_be_empty``: no content, or comments alone, is an empty mapping.
    """
    from actors.validation.composing import compose  # loads yaml; a program without a file does not wait for it

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
        raise CheckedError([Problem(_place(name, before), "", message)]) from error
    found = _NOT_PRINTABLE.search(text)
    if found:
        message = f"holds the control character U+{ord(found[0]):04X}"
        raise CheckedError([Problem(_place(name, text[: found.start()]), "", message)])
    return text


def _place(name: str, before: str) -> Place:
    return Place(name, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
