"""The files of the page as they are served: kept by browsers, found after an upgrade, counted apart from requests."""

from __future__ import annotations

import re

import httpx
import pytest

from actors.api.app import create_app
from actors.api.guard import FILES_PER_REQUEST
from actors.api.options import HttpOptions
from actors.api.pages import static_files, version
from actors.runtime import RunningRuntime
from tests.api.servers import ORIGIN, bearer


@pytest.mark.parametrize("page", ["/", "/api/reference"])
async def test_a_page_names_files_that_browsers_keep(web: httpx.AsyncClient, page: str) -> None:
    """Those of this version, for a year; the page itself is to be asked for each time."""
    answer = await web.get(page)
    assert answer.headers["cache-control"] == "no-cache"
    names = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    assert len(names) >= 3
    for name in names:
        assert name.startswith(f"/static/{version()}/")
        file = await web.get(name)
        assert file.status_code == 200
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_modules_import_each_other_by_relative_paths() -> None:
    """So all of them come from the same version."""
    for path, file in static_files().items():
        if path.startswith("js/"):
            found = re.findall(rb'(?:from |import\()"([^"]+)"', file.content)
            assert [name for name in found if not name.startswith((b"./", b"../"))] == [], path


@pytest.mark.parametrize("prefix", ["", "0123456789abcdef/"])
async def test_a_page_from_before_an_upgrade_finds_its_files(web: httpx.AsyncClient, prefix: str) -> None:
    """As they are now, to be checked each time."""
    for path, file in static_files().items():
        answer = await web.get(f"/static/{prefix}{path}")
        assert (answer.status_code, answer.content) == (200, file.content)
        assert answer.headers["cache-control"] == "no-cache"
        known = {"If-None-Match": answer.headers["etag"]}
        assert (await web.get(f"/static/{prefix}{path}", headers=known)).status_code == 304


@pytest.mark.parametrize(
    "path", ["js/none.js", "0123456789abcdef/", "0123456789abcdef/js/none.js", "..%2fpages.py", ""]
)
async def test_other_paths_have_nothing(web: httpx.AsyncClient, path: str) -> None:
    assert (await web.get(f"/static/{path}")).status_code == 404


async def test_files_have_a_rate_of_their_own(runtime: RunningRuntime) -> None:
    """Of ten times as many: a visit leaves the requests of its address, and a spent address can still show the page."""
    app = create_app(runtime, HttpOptions(requests_per_minute=3))
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 5))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        for who in ({}, await bearer(runtime, "viewer")):
            files = [(await http.get("/static/app.css", headers=who)).status_code for _ in range(3 * FILES_PER_REQUEST)]
            assert set(files) == {200}
            assert (await http.get("/static/app.css", headers=who)).status_code == 429
            others = [(await http.get("/", headers=who)).status_code for _ in range(4)]
            assert others == [200, 200, 200, 429]
