"""Finds the key files that a configuration names, and writes the configuration of a restored runtime with new paths."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from actors.backup.errors import BackupError

if TYPE_CHECKING:
    from actors.settings import Settings

Path_ = tuple[str, ...]


FIRST_TOKEN = "token"  # noqa: S105 - the name of a file
"""Stands in place of a setting for the file of this name in the state directory: the token of the first start."""


def key_files(settings: Settings) -> Iterator[tuple[Path_, Path]]:
    """Return each setting that names a key file, as its path in the configuration, with the file that it names."""
    if (token := settings.state_dir / FIRST_TOKEN).exists():
        yield (FIRST_TOKEN,), token
    for name in ("tls_certificate", "tls_key"):
        if (file := getattr(settings.http, name)) is not None:
            yield ("http", name), file.expanduser()
    for name, target in settings.notify.targets.items():
        if target.secret_file is not None:
            yield ("notify", "targets", name, "secret_file"), target.secret_file.expanduser()


def rewritten(content: bytes, changes: Mapping[Path_, str]) -> bytes:
    """Return the YAML mapping in ``content`` with new values at some paths; everything else stays as it was written.

    A path of one key that is not in the mapping is added; a longer one is left out. Raises :class:`BackupError` where
    ``content`` is not a YAML mapping.
    """
    text = content.decode("utf-8-sig")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BackupError(f"the configuration in the backup is damaged: {error}") from None
    if root is None:  # empty, or comments alone
        added = "".join(f"{path[0]}: {_quoted(value)}\n" for path, value in changes.items() if len(path) == 1)
        return f"{added}{text}".encode()
    if not isinstance(root, yaml.MappingNode):
        raise BackupError("the configuration in the backup is damaged: it is not a mapping")
    spans: list[tuple[int, int, str]] = []
    for path, value in changes.items():
        node = _value_at(root, path)
        if node is not None:
            spans.append((node.start_mark.index, node.end_mark.index, _quoted(value)))
        elif len(path) == 1:
            spans.append(_added(root, path[0], value))
    for start, end, new in sorted(spans, reverse=True):
        after = "\n" if text[start:end].endswith("\n") else ""  # of a block scalar
        text = text[:start] + new + after + text[end:]
    return text.encode()


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
