"""Notifications to a local HTTP server: each is signed, and the receiver checks the signature.

Run it: `python examples/07_notifications.py`. docs/notifications.md says what else a target can be.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import trio

from actors import JobRequest, Settings, open_runtime

KEY = b"a key of 24 to 64 bytes that both sides know"
CONFIG = """
notify:
  targets:
    chat: {{url: "http://127.0.0.1:{port}/hook", secret_file: "{secret}", on: [completed, failed]}}
  defaults: {{bo: [chat]}}
"""


class Receiver(BaseHTTPRequestHandler):
    """What a program that receives notifications has to do: check, remember the id, answer quickly."""

    seen: ClassVar[set[str]] = set()
    received: ClassVar[queue.Queue[dict[str, Any]]] = queue.Queue()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message_id = self.headers["webhook-id"]
        text = f"{message_id}.{self.headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.digest(KEY, text, hashlib.sha256)).decode()
        good = any(hmac.compare_digest(expected, one) for one in self.headers["webhook-signature"].split())
        self.send_response(204 if good else 401)
        self.end_headers()
        if good and message_id not in self.seen:  # the same may come twice, always under the same id
            self.seen.add(message_id)
            self.received.put(json.loads(body))

    def log_message(self, *args: object) -> None:
        """Nothing: what is received is printed below."""


def program(name: str, code: str, user: str, *notify: str) -> JobRequest:
    """A job that runs a line of Python. `notify` names targets; without it the defaults of its user hold."""
    return JobRequest(command=(sys.executable, "-c", code), user_id=user, config_name=name, notify=notify)


async def main(folder: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "secret").write_text(f"whsec_{base64.b64encode(KEY).decode()}\n")
    config = folder / "greenroom.yaml"
    config.write_text(CONFIG.format(port=server.server_port, secret=folder / "secret"))
    settings = Settings.load(config, environ={"GREENROOM_HOME": str(folder / "state")})
    async with open_runtime(settings) as runtime:
        for request in (program("good", "pass", "ana", "chat"), program("bad", "raise SystemExit(3)", "bo")):
            await runtime.submit(request)
            event = await trio.to_thread.run_sync(Receiver.received.get)
            data = event["data"]
            print(f"{data['name']} of {data['user_id']} {event['type']}: exit status {data['exit_code']}")
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        trio.run(main, Path(name))
