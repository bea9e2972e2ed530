"""The page's files, looked at without a browser."""

from __future__ import annotations

import re

from actors.api.pages import STATIC, static_files
from tests.api.supervised import ROOT

_EVENTS = re.compile(r'"((?:job|approval|limits|rules|provider|queue)_[a-z_]+)"')
_UNNAMED = {"job_status_changed", "approval_expired"}
_NO_EVENTS = {"approval_rules", "provider_gates", "queue_entries", "job_file"}


def test_the_page_listens_for_every_type_of_event() -> None:
    """A browser tells of named events only those that somebody listens for."""
    written = {
        name
        for folder in ("ledger", "jobs")
        for path in (ROOT / "actors" / folder).glob("*.py")
        for name in _EVENTS.findall(path.read_text())
        if not name.endswith("_id")
    }
    listened = set(_EVENTS.findall((STATIC / "js/live.js").read_text()))
    assert listened == written - _UNNAMED - _NO_EVENTS


def test_nothing_comes_from_elsewhere_and_nothing_is_made_of_markup() -> None:
    """No address of another server, nothing inline, and no way for a text to become an element."""
    for path, file in static_files().items():
        text = file.content.decode()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
        assert not re.search(r"<style|style=|<script(?! type=\"module\" src=\"/static/)|\son[a-z]+=\"", text), path
