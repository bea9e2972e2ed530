"""The page's files, looked at without a browser."""

from __future__ import annotations

import re

from actors.api.pages import STATIC, static_files
from actors.jobs.events import EventType


def test_the_page_has_no_list_of_events_of_its_own() -> None:
    """It asks the server for it; each script may name the types that it words differently."""
    listed = {one for one in EventType if one in (STATIC / "js/live.js").read_text()}
    assert listed == set()


def test_nothing_comes_from_elsewhere_and_nothing_is_made_of_markup() -> None:
    """No address of another server, nothing inline, and no way for a text to become an element."""
    for path, file in static_files().items():
        text = file.content.decode()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
        assert not re.search(r"<style|style=|<script(?! type=\"module\" src=\"/static/)|\son[a-z]+=\"", text), path
