"""HTTP/2 and WebSockets are not imported for a server that never speaks them, and are there for a host that does."""

from __future__ import annotations

import json
import subprocess
import sys

UNUSED = ("h2.events", "hpack", "hypercorn.protocol.h2", "hypercorn.protocol.ws_stream", "wsproto", "stamina")
IMPORTED = f"json.dumps([name for name in {UNUSED} if name in sys.modules])"


def printed(code: str) -> object:
    """What ``code`` prints in a process of its own, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_the_server_imports_nothing_that_it_never_speaks() -> None:
    assert printed(f"import json, sys, actors.api.server, actors.runtime; print({IMPORTED})") == []


def test_a_websocket_of_this_server_or_another_is_the_real_one() -> None:
    code = """
import json, actors.api.server, hypercorn.protocol.h11 as h11
from hypercorn.config import Config
stream = h11.WSStream(None, Config(), None, None, False, None, None, None, 1)
import hypercorn.protocol.ws_stream
print(json.dumps(isinstance(stream, hypercorn.protocol.ws_stream.WSStream)))
"""
    assert printed(code) is True


def test_another_server_of_the_process_has_http2() -> None:
    """Also through the names that Hypercorn itself has imported by then."""
    code = """
import json, sys, actors.api.server, hypercorn.protocol
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
wrapper = hypercorn.protocol.ProtocolWrapper(
    None, Config(), WorkerContext(None), None, ConnectionState({}), True, None, None, None, "h2"
)
import hypercorn.protocol.h2
print(json.dumps(isinstance(wrapper.protocol, hypercorn.protocol.h2.H2Protocol)))
"""
    assert printed(code) is True


def test_http2_that_a_host_has_imported_stays() -> None:
    code = """
import json, hypercorn.protocol.h2 as before, actors.api.server, hypercorn.protocol
import hypercorn.protocol.h2 as after
print(json.dumps(before is after and hypercorn.protocol.H2Protocol is before.H2Protocol))
"""
    assert printed(code) is True
