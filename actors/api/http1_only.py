"""Hypercorn's connection handling without its HTTP/2, which :mod:`actors.api.server` never lets a client switch to.

Hypercorn imports HTTP/2 whether it is used or not: a tenth of what the server's imports take. Here a
stand-in takes its place while Hypercorn is imported, and only then: another server in this process, of a host that
embeds the runtime, gets the real one as soon as it makes an HTTP/2 connection.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["TCPServer", "WorkerContext"]

_NAME = "hypercorn.protocol.h2"


class _Http2Connection:
    """Makes the real thing, which is imported when there is one to be made."""

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
