"""Hypercorn's connection handling without HTTP/2 and WebSockets, which :mod:`actors.api.server` never speaks.

Hypercorn imports both even if they are not used, which takes two fifths of the time of its import. So stand-ins take
their place while it is imported, and only then: another server in this process, of a host that embeds the runtime, gets
the real modules as soon as it makes such a connection. So does this one when a client asks for a WebSocket, which the
application then refuses.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = [
    "ASGIWrapper", "Closed", "Config", "ConnectionState", "Event", "LifespanState", "RawData", "TCPServer",
    "WorkerContext",
]  # fmt: skip

_CLASSES = {"hypercorn.protocol.h2": "H2Protocol", "hypercorn.protocol.ws_stream": "WSStream", "h2.events": None}
"""What is not imported, with the class that Hypercorn makes instances of; ``h2.events`` is in its annotations only."""


def _stand_in(module: str, name: str | None) -> ModuleType:
    """A module with the class ``name``, whose first instance imports the real one."""

    def made(_: type, *arguments: Any, **named: Any) -> Any:
        return getattr(import_module(module), str(name))(*arguments, **named)

    found = ModuleType(module)
    if name is not None:
        setattr(found, name, type(name, (), {"__new__": made}))
    return found


_stand_ins = {module: _stand_in(module, name) for module, name in _CLASSES.items() if module not in sys.modules}
sys.modules.update(_stand_ins)
try:
    from hypercorn.app_wrappers import ASGIWrapper
    from hypercorn.config import Config
    from hypercorn.events import Closed, Event, RawData
    from hypercorn.trio.tcp_server import TCPServer
    from hypercorn.trio.worker_context import WorkerContext
    from hypercorn.typing import ConnectionState, LifespanState
finally:
    for _module in _stand_ins:
        del sys.modules[_module]
        _package, _, _name = _module.rpartition(".")
        vars(sys.modules.get(_package, _stand_ins[_module])).pop(_name, None)
