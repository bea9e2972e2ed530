"""``--spec`` and ``--set`` of ``submit``: options of the provider, or parameters of the entry point."""

from __future__ import annotations

from typing import Any

import click

from actors.cli.context import BadInput, Failed


def spec_of(file: str | None, assigned: tuple[str, ...]) -> dict[str, Any]:
    """The content of the file (``-``: stdin) with the ``assigned`` values. Raises :class:`Failed`."""
    from actors.job_requests.job_file import load_spec, parse_set
    from actors.validation import CheckedError

    try:
        whole = {} if file is None else load_spec(_content(file), "stdin" if file == "-" else file)
        return _merged(whole, parse_set(assigned))
    except CheckedError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from None


def _content(file: str) -> bytes:
    """The content of the file, or of stdin: at most the size of a request."""
    from actors.jobs import maxima

    with click.open_file(file, "rb") as source:
        content: bytes = source.read(maxima.BODY + 1)
    if len(content) > maxima.BODY:
        raise BadInput(f"--spec: must be at most {maxima.BODY} bytes")
    return content


def _merged(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """``base`` with what --set gives, key by key."""
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
