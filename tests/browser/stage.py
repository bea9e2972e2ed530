"""A browser and a supervisor that it looks at: what the tests of the dashboard share."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from tests.api.supervised import ROOT, Served
from tests.ports import free_ports

try:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright
except ImportError:
    pytest.skip("playwright is missing: pip install -e '.[parts]', as .ci/run does", allow_module_level=True)

__all__ = [
    "PATIENCE",
    "Browser",
    "Page",
    "Route",
    "Stage",
    "at",
    "chromium",
    "expect",
    "inked",
    "marks",
    "page_of",
    "row",
]
CHROMIUM = os.environ.get("GREENROOM_TEST_CHROMIUM") or shutil.which("chromium")
marks = [
    pytest.mark.parts,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: apt-get install chromium, as .ci/run does"),
]
PATIENCE = 60_000.0
"""Milliseconds after which something that never shows has failed; what shows, shows within a second or two."""
expect.set_options(timeout=PATIENCE)
_CONFIG = """
http: {{port: {http}, requests_per_minute: 6000}}
feed: {{enabled: true, port: {feed}}}
limits: {{total: 20, per_user: 20}}
entry_points:
  training:
    command:
      [python, -c, "import sys; print(sys.argv[1:])", "--epochs={{epochs}}", "--rate={{rate}}", "--tag={{tag}}",
       "--optimizer={{optimizer}}", "--fast={{fast}}"]
    params:
      epochs: {{type: int, min: 1, max: 100}}
      rate: {{type: float, default: 0.1}}
      tag: {{default: none}}
      optimizer: {{choices: [adam, sgd], default: adam}}
      fast: {{type: bool, default: false}}
  plain: {{command: ["true"]}}
providers: {{local: {{cpus: 4, gpus: 2}}, there: {{kind: scripted}}}}
"""


@attrs.frozen
class Stage:
    """A configuration with ports that stay, and the state directory that outlives its supervisors."""

    config: Path
    state: Path
    feed_port: int

    @classmethod
    def set_up(cls, folder: Path) -> Stage:
        config, ports = folder / "app.yaml", free_ports(2)
        config.write_text(_CONFIG.format(http=ports[0], feed=ports[1]))
        return cls(config, folder / "state", ports[1])

    def ask(self, method: str, path: str, **fields: Any) -> Any:
        """As the operator, through the Unix socket, where commands are taken."""
        transport = httpx.HTTPTransport(uds=str(self.state / "greenroom.sock"))
        with httpx.Client(transport=transport, base_url="http://greenroom", timeout=60) as client:
            return client.request(method, path, **fields).raise_for_status().json()

    def submit(self, name: str, **fields: Any) -> Any:
        """A simulated job that ends soon, unless ``fields`` say more."""
        job = {"provider": "there", "config_name": name, "user_id": "ana", "org_id": "lab", "spec": {"duration": 0.5}}
        return self.ask("POST", "/api/jobs", json={**job, **fields})

    def training(self, name: str, *words: str) -> Any:
        """A real training of the example, of a process of its own."""
        command = ["python", "train.py", *words]
        return self.submit(name, provider="local", spec=None, command=command, cwd=str(ROOT / "examples/train"))

    def cancel_all(self) -> None:
        """Cancel what has not ended, whatever test left it."""
        with suppress(httpx.HTTPStatusError):  # there is nothing
            self.ask("POST", "/api/jobs/cancel", json={"status": ["pending", "uploading", "queued", "running"]})

    def ended(self, job_id: str) -> None:
        """Wait until the job has ended: the stream of its output ends then."""
        transport = httpx.HTTPTransport(uds=str(self.state / "greenroom.sock"))
        with (
            httpx.Client(transport=transport, base_url="http://greenroom", timeout=60) as client,
            client.stream("GET", f"/api/jobs/{job_id}/logs/stream") as stream,
        ):
            for _ in stream.iter_lines():
                pass

    def link(self) -> str:
        """A link that signs in as the operator."""
        made: str = self.ask("POST", "/api/session/code")["link"]
        return made

    def events(self, after: int, job_id: str = "%") -> list[int]:
        """The numbers of the rows of events after one: of all of them, or of those of a job."""
        asked = "SELECT seq FROM events WHERE seq > ? AND coalesce(job_id, '') LIKE ? ORDER BY seq"
        with closing(sqlite3.connect(f"file:{self.state / 'greenroom.db'}?mode=ro", uri=True)) as rows:
            return [seq for (seq,) in rows.execute(asked, (after, job_id))]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's own browser, without its sandbox where the user is root, whom it would refuse."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page in a context of its own. Raises AssertionError when a script failed, or something broke its policy."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if _is_fault(message) else None)
    try:
        yield page
    finally:
        context.close()
    assert faults == []


def _is_fault(message: ConsoleMessage) -> bool:
    """What a refused or a broken request leaves in the console is meant."""
    return message.type in ("error", "warning") and "Failed to load resource" not in message.text


def at(served: Served, place: str) -> str:
    """The address of a view of the page."""
    return f"{served.address}/#/{place}"


INK = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(part => part)"


def inked(figure: Any) -> None:
    """Wait until something is drawn in the plot of a figure: it is drawn in a frame, not when its data come."""
    figure.page.wait_for_function(INK, arg=figure.locator("canvas").element_handle())


def row(page: Page, name: str) -> Any:
    """The row of a table that tells of the job of this name."""
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))
