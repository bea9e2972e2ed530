"""The HTTP server: the operations of :mod:`actors.control.runtime` as routes, answers and event streams.

Jobs run without it. ``app`` puts the routes together, ``guard`` checks each request before a route gets it, ``server``
serves each connection, ``unix`` and ``tcp`` listen. :mod:`actors.documents` describes the answers.

    from actors.api import create_app  # for a host with a trio server of its own

Names are imported when they are first used: the command line reads ``socket_file`` without loading a web framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.api.app import create_app as create_app
    from actors.api.options import HttpOptions as HttpOptions

_HOMES = {"HttpOptions": "options", "create_app": "app"}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
