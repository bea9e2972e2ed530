"""Hypercorn's connection handling without its HTTP/2, to which :mod:`actors.api.server` never lets a client switch.

Hypercorn imports HTTP/2 even if it is not used, which takes a tenth of the server's import time. So a stand-in takes
its place while Hypercorn is imported, and only then: another server in this process, of a host that embeds the runtime,
gets the real module as soon as it makes an HTTP/2 connection.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["TCPServer", "WorkerContext"]

_NAME = "hypercorn.protocol.h2"


class _Http2Connection:
    """Imports the real class when the first HTTP/2 connection is made, and makes an instance of it."""

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return import_module(_NAME).H2Protocol(*arguments, **named)


_stand_in = ModuleType(_NAME)
_stand_in.H2Protocol = _Http2Connection  # type: ignore[attr-defined]
_there = sys.modules.setdefault(_NAME, _stand_in) is not _stand_in
try:
    from hypercorn.trio.tcp_server import TCPServer
    from hypercorn.trio.worker_context import WorkerContext
finally:
    if not _there:
        del sys.modules[_NAME]
        vars(sys.modules.get("hypercorn.protocol", _stand_in)).pop("h2", None)
