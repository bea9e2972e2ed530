"""Every list has a maximum of rows and pages (D2, D3); that of sessions among them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.api.app import ROUTES
from actors.api.openapi import document
from actors.jobs import maxima
from tests.api.test_lists import pages


async def test_sessions_are_listed_page_by_page(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, the newest first, those of one instant too; what is ended is told of in part, and counted."""
    access = edge.runtime.access
    for _ in range(7):
        _token, secret = await access.create_token(user_id="bo", level="viewer")
        await access.sign_in_with_token(secret, timedelta(hours=1))
    whole = (await edge.http.get("/api/sessions")).json()
    found = await pages(edge.http, "/api/sessions", limit=3)
    assert [len(page["sessions"]) for page in found] == [3, 3, 1]
    assert [one for page in found for one in page["sessions"]] == whole["sessions"]
    assert len({one["session_id"] for one in whole["sessions"]}) == 7
    foreign = await edge.http.get("/api/sessions", params={"cursor": await cursor_of_tokens(edge)})
    assert (foreign.status_code, foreign.json()["field"]) == (422, "cursor")
    monkeypatch.setattr(maxima, "ROWS", 2)
    ended = (await edge.http.delete("/api/sessions", params={"user_id": "bo"})).json()
    assert (ended["ended"], len(ended["sessions"])) == (7, 2)


async def cursor_of_tokens(edge: Any) -> str:
    """A cursor of another list."""
    found: str = (await edge.http.get("/api/tokens", params={"limit": 1})).json()["next"]
    return found


BOUNDED_BY_THEMSELVES = {
    "/api/queue/limits", "/api/providers", "/api/config", "/api/actors", "/api/approvals/rules",
    "/api/actors/dead-letters", "/api/actors/quarantine", "/api/session", "/health", "/api/approvals/rules/{rule_id}",
    "/api/events/types", "/api/notifications/targets", "/api/queue/activity", "/api/restore", "/api/entry-points",
}  # fmt: skip
"""Lists whose length is that of the configuration, of the tree, of a buffer or has a maximum of its own."""


@pytest.mark.parametrize("path", sorted(document(ROUTES)["paths"]))
def test_every_list_has_pages(path: str) -> None:
    """A new list without a maximum of rows and a cursor fails here."""
    api = document(ROUTES)
    operation = api["paths"][path].get("get")
    if operation is None or path in BOUNDED_BY_THEMSELVES or "application/json" not in content_of(operation):
        return
    schema = content_of(operation)["application/json"]["schema"]
    fields = api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]["properties"] if "$ref" in schema else {}
    if any(field.get("type") == "array" for field in fields.values()) and "job_id" not in fields:
        assert "next" in fields, path
        assert "limit" in {one["name"] for one in operation["parameters"]}, path


def content_of(operation: Any) -> Any:
    return operation["responses"].get("200", {}).get("content", {})
