"""Finds the key files that a configuration names, and writes the configuration of a restored runtime with new paths.

The new values are put into the text, so that comments and style stay. Not every text allows this (a key after ``?``, a
value that has an anchor), so the result is read, by the reader of the settings. If it does not mean what it should, the
nodes of the YAML are written anew: that always means the same, but has no comments.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from actors.backup.archive import CONFIGURATION
from actors.backup.errors import BackupError
from actors.jobs.home_directory import expanded
from actors.validation import CheckedError, document
from actors.validation.marked import as_written

if TYPE_CHECKING:
    from actors.settings import Settings
Path_ = tuple[str, ...]
Predicate = Callable[[str], bool]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = "tag:yaml.org,2002:str"
FIRST_TOKEN = "token"  # noqa: S105 - the name of a file
"""Stands in place of a setting for the file of this name in the state directory: the token of the first start."""


def key_files(settings: Settings) -> Iterator[tuple[Path_, Path]]:
    """Return each setting that names a key file, as its path in the configuration, with the file that it names."""
    if os.path.exists(token := settings.state_dir / FIRST_TOKEN):  # noqa: PTH110 - Path.exists raises PermissionError
        yield (FIRST_TOKEN,), token
    for name in ("tls_certificate", "tls_key"):
        if (file := getattr(settings.http, name)) is not None:
            yield ("http", name), expanded(file)
    for name, target in settings.notify.targets.items():
        if target.secret_file is not None:
            yield ("notify", "targets", name, "secret_file"), expanded(target.secret_file)


def setting_path(setting: str) -> Path_:
    """Return the path of the setting that a member of a backup names (see :func:`key_files`), which joined it by dots.

    The name of a notification target may contain dots itself. Raises :class:`BackupError`.
    """
    match setting.split("."):
        case ["http", "tls_certificate" | "tls_key" as name]:
            return "http", name
        case ["notify", "targets", *names, "secret_file"] if names:
            return "notify", "targets", ".".join(names), "secret_file"
    raise BackupError(f"the backup is damaged: it has a key file of an unknown setting, {setting!r:.80}")


def rewritten(content: bytes, changes: Mapping[Path_, str], removed: Predicate = lambda key: False) -> bytes:
    """Return the YAML mapping in ``content`` with new values at some paths; all the rest means what it meant.

    A path of one key that is not in the mapping is added; a longer one is left out. Keys of the mapping for which
    ``removed`` is true are not in the result. Raises :class:`BackupError` where ``content`` is not a YAML mapping.
    """
    expected = _changed(_values(content), changes, removed)
    text = content.decode("utf-8-sig")
    root = yaml.compose(text, Loader=_Loader)
    edited = _edited(text, root, changes)
    if edited is not None and _means(edited, expected):
        return edited.encode()
    written: str = yaml.serialize(_nodes(root, changes, removed), Dumper=yaml.SafeDumper, allow_unicode=True)
    if not _means(written, expected):
        settings = ", ".join(map(".".join, changes))
        raise BackupError(f"the configuration in the backup cannot be given new values of {settings}")
    return written.encode()


def _values(content: bytes) -> dict[str, Any]:
    """What is in a configuration, read as the settings are."""
    try:
        values: dict[str, Any] = as_written(document(content, CONFIGURATION, may_be_empty=True))
    except CheckedError as error:
        raise BackupError(f"the configuration in the backup is damaged: {error.faults[0]}") from None
    return values


def _means(text: str, expected: object) -> bool:
    try:
        return _values(text.encode()) == expected
    except BackupError:
        return False


def _changed(values: dict[str, Any], changes: Mapping[Path_, str], removed: Predicate) -> dict[str, Any]:
    values = {key: value for key, value in values.items() if not removed(key)}
    for (*parents, key), new in changes.items():
        found: Any = values
        for name in parents:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, dict) and (key in found or not parents):
            found[key] = new
    return values


def _edited(text: str, root: Any, changes: Mapping[Path_, str]) -> str | None:
    """Return the text with the values changed in it; None for one that has no mapping to change."""
    if root is None:  # empty, or comments alone
        return "".join(f"{path[0]}: {_quoted(value)}\n" for path, value in changes.items() if len(path) == 1) + text
    if not isinstance(root, yaml.MappingNode):
        return None
    spans: list[tuple[int, int, str]] = []
    for path, value in changes.items():
        node = _value_at(root, path)
        if node is not None:
            start, end = node.start_mark.index, node.end_mark.index
            before = " " if text[:start].endswith(":") else ""  # of a value that is missing
            after = "\n" if text[start:end].endswith("\n") else ""  # of a block scalar
            spans.append((start, end, f"{before}{_quoted(value)}{after}"))
        elif len(path) == 1:
            spans.append(_added(root, path[0], value))
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _nodes(root: Any, changes: Mapping[Path_, str], removed: Predicate) -> Any:
    """Return the nodes of the changed document. What an alias shares with another place is copied before it changes."""
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    root = yaml.MappingNode("tag:yaml.org,2002:map", [pair for pair in pairs if not removed(pair[0].value)])
    for path, value in changes.items():
        new = yaml.ScalarNode(_TEXT, value, style='"')
        if _value_at(root, path) is not None:
            _replace(root, path, new)
        elif len(path) == 1:
            root.value.insert(0, (yaml.ScalarNode(_TEXT, path[0]), new))
    return root


def _replace(node: Any, path: Sequence[str], new: Any) -> None:
    for at, (key, value) in enumerate(node.value):
        if key.value == path[0]:
            if len(path) > 1:
                pairs = [(_copied(one), _copied(of)) for one, of in value.value]
                copy = yaml.MappingNode(value.tag, pairs, flow_style=value.flow_style)
                _replace(copy, path[1:], new)
            node.value[at] = key, copy if len(path) > 1 else new
            return


def _copied(node: Any) -> Any:
    """Return a scalar of its own, as a node that is met twice is written with an anchor, which no key may have."""
    return yaml.ScalarNode(node.tag, node.value, style=node.style) if isinstance(node, yaml.ScalarNode) else node


def _value_at(node: Any, path: Sequence[str]) -> Any:
    for name in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for key, value in node.value if key.value == name), None)
    return node


def _added(root: Any, key: str, value: str) -> tuple[int, int, str]:
    """Return where to insert a key, and the text: it becomes the first key, in the style of the mapping."""
    new = f"{key}: {_quoted(value)}"
    if not root.value:  # {}
        place = root.start_mark.index + 1
        return place, place, new
    mark = root.value[0][0].start_mark
    return mark.index, mark.index, f"{new}, " if root.flow_style else f"{new}\n{' ' * mark.column}"


def _quoted(value: str) -> str:
    """Return the text as a YAML scalar in double quotes, which is written as in JSON."""
    return json.dumps(value, ensure_ascii=False)
