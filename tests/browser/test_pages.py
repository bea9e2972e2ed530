"""The page's files, looked at without a browser."""

from __future__ import annotations

import hashlib
import re

from actors.api.pages import STATIC, static_files
from actors.jobs.events import EventType


def test_the_page_has_no_list_of_events_of_its_own() -> None:
    """It asks the server for it; each script may name the types that it words differently."""
    listed = {one for one in EventType if one in (STATIC / "js/live.js").read_text()}
    assert listed == set()


def test_nothing_comes_from_elsewhere_and_nothing_is_made_of_markup() -> None:
    """No address of another server, nothing inline, and no way for a text to become an element.

    Comments of what others wrote may name addresses: its content is compared with its checksums.
    """
    for path, file in static_files().items():
        text = file.content.decode()
        assert path.startswith("vendor/") or not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
        assert not re.search(r"<style|style=|<script(?! type=\"module\" src=\"/static/)|\son[a-z]+=\"", text), path


def test_what_others_wrote_is_unchanged_and_has_its_licence() -> None:
    """Each file that is served has a checksum beside it, and so has the licence."""
    for folder in (STATIC / "vendor").iterdir():
        written = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
        served = {path.name for path in folder.iterdir() if path.suffix in (".js", ".css")}
        assert set(written) == {"LICENSE", *served}, folder.name
        found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in written}
        assert found == written, folder.name
