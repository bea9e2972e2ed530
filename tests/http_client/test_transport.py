"""How requests travel: the variables, their wrong values, and what a start says of them."""

from __future__ import annotations

import logging
import ssl

import httpx
import pytest

from actors.http_client import TransportOptions, get_async_client, transport_options
from actors.settings import Settings

USUAL = TransportOptions()


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("SIMPLETUNER_HTTP_TIMEOUT", "7.5", "timeout", 7.5),
        ("SIMPLETUNER_SSL_VERIFY", "true", "verify", True),
        ("SIMPLETUNER_SSL_VERIFY", " OFF ", "verify", False),
        ("SIMPLETUNER_SSL_VERIFY", "0", "verify", False),
    ],
)
def test_a_variable_says_how_requests_travel(variable, text, field, value):
    assert getattr(transport_options({variable: text})[0], field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SIMPLETUNER_HTTP_TIMEOUT", "soon"),
        ("SIMPLETUNER_HTTP_TIMEOUT", "0"),
        ("SIMPLETUNER_HTTP_TIMEOUT", "-3"),
        ("SIMPLETUNER_HTTP_TIMEOUT", "nan"),
        ("SIMPLETUNER_HTTP_TIMEOUT", "inf"),
        ("SIMPLETUNER_SSL_VERIFY", "perhaps"),
        ("SIMPLETUNER_CA_BUNDLE", "/nonexistent/bundle.pem"),
    ],
)
def test_a_wrong_value_is_a_warning_at_the_start_and_leaves_the_default(variable, text, tmp_path):
    assert transport_options({variable: text})[0] == USUAL
    notes = Settings.default(tmp_path, {variable: text, "HOME": str(tmp_path)}).notes
    assert [(note.level, note.extra) for note in notes] == [(logging.WARNING, {"variable": variable})]
    assert variable in notes[0].message


def test_a_bundle_that_holds_no_certificates_is_not_used(tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("no certificate")
    options, warnings = transport_options({"SIMPLETUNER_CA_BUNDLE": str(bundle)})
    assert options == USUAL
    assert "is not a file of certificates" in warnings[0]


def test_tls_that_is_not_checked_is_a_warning_at_the_start(tmp_path):
    notes = Settings.default(tmp_path, {"SIMPLETUNER_SSL_VERIFY": "no"}).notes
    assert [note.level for note in notes] == [logging.WARNING]
    assert "SIMPLETUNER_SSL_VERIFY is off" in notes[0].message


def test_without_the_variables_nothing_is_said(tmp_path):
    assert transport_options({}) == (USUAL, ())
    assert Settings.default(tmp_path, {}).notes == ()


def test_certificates_are_checked_unless_that_is_switched_off():
    assert TransportOptions(verify=False).for_client()["verify"] is False
    assert "verify" not in USUAL.for_client()


def test_a_bundle_replaces_the_usual_authorities(tmp_path):
    pems = [ssl.DER_cert_to_PEM_cert(der) for der in ssl.create_default_context().get_ca_certs(binary_form=True)[:1]]
    if not pems:  # a machine without certificates of its own: httpx brings some
        import certifi

        pems = [certifi.contents().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"]
    bundle = tmp_path / "one.pem"
    bundle.write_text(pems[0])
    options, warnings = transport_options({"SIMPLETUNER_CA_BUNDLE": str(bundle)})
    assert (options.ca_bundle, warnings) == (bundle, ())
    assert len(options.for_client()["verify"].get_ca_certs()) == 1


async def test_no_proxy_of_the_environment_is_used(monkeypatch):
    """One would get every credential."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with get_async_client() as client:
        assert client._mounts == {}
    async with get_async_client(TransportOptions(proxy="http://127.0.0.1:9")) as client:
        assert [str(pattern.pattern) for pattern in client._mounts] == ["all://"]


async def test_the_time_out_is_that_of_the_variable(monkeypatch):
    monkeypatch.setenv("SIMPLETUNER_HTTP_TIMEOUT", "3")
    async with get_async_client() as client:
        assert client.timeout == httpx.Timeout(3.0)
