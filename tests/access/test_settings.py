"""The section ``http``: what is served readably to others is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

import actors.api
from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.settings import Settings, SettingsError


def loaded(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "greenroom.yaml"
    file.write_text(text)
    return Settings.load(file, {}, tmp_path, tmp_path)


def test_the_section_is_read(tmp_path: Path) -> None:
    values = "port: 0, allowed_hosts: [lab.example], max_streams: 7, session_hours: 1.5"
    text = f"http: {{{values}, tls_certificate: /c, tls_key: /k}}\n"
    found = loaded(tmp_path, text).http
    assert (found.port, found.allowed_hosts, found.max_streams, found.session_hours) == (0, ("lab.example",), 7, 1.5)
    assert found.tls_certificate == Path("/c")


def test_without_a_word_it_is_served_on_loopback(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{}\n").http
    assert (found.enabled, found.host, found.port) == (True, "127.0.0.1", 8765)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http:\n  host: 0.0.0.0\n", "2:3: http.host: 0.0.0.0 is not loopback"),
        ("http:\n  tls_certificate: /c\n", "http.tls_key: tls_certificate and tls_key go together"),
        ("http:\n  port: 70000\n", "2:3: http.port: must be at most 65535, not 70000"),
        ("http:\n  prot: 80\n", "2:3: http.prot: unknown key; did you mean"),
        ("http:\n  max_streams: 0\n", "2:3: http.max_streams: must be at least 1, not 0"),
        ("feed:\n  enabled: true\n  host: 0.0.0.0\n", "feed: host 0.0.0.0 is not loopback"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, text)
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_the_feed_may_be_served_to_others_under_tls(tmp_path: Path) -> None:
    loaded(tmp_path, "feed: {enabled: true, host: 0.0.0.0}\nhttp: {tls_certificate: /c, tls_key: /k}\n")


def test_a_host_with_a_server_of_its_own_finds_the_application() -> None:
    assert actors.api.create_app is create_app
    assert actors.api.HttpOptions is HttpOptions
    with pytest.raises(AttributeError):
        _ = actors.api.nothing  # type: ignore[attr-defined]
