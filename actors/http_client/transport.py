"""The transport of requests: time-outs, certificates and proxies, from the environment variables that existing
hosts set.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx

from actors.jobs.home_directory import expanded
from actors.jobs.quantities import wait_of

TIMEOUT = "SIMPLETUNER_HTTP_TIMEOUT"
CA_BUNDLE = "SIMPLETUNER_CA_BUNDLE"
SSL_VERIFY = "SIMPLETUNER_SSL_VERIFY"

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@attrs.frozen
class TransportOptions:
    """``timeout``: seconds for connecting, and for each read and write.

    ``ca_bundle``: a file of certificate authorities instead of the usual ones. ``verify``: whether certificates are
    checked at all. ``proxy``: the address of a proxy, None for none; proxies of the environment are never used, so that
    a credential is sent only where the configuration says.
    """

    timeout: float = 30.0
    ca_bundle: Path | None = None
    verify: bool = True
    proxy: str | None = None

    def for_client(self) -> dict[str, Any]:
        """The keyword arguments of an :class:`httpx.AsyncClient` with these options."""
        travel: dict[str, Any] = {"timeout": self.timeout, "follow_redirects": False, "trust_env": False}
        if not self.verify:
            travel["verify"] = False
        elif self.ca_bundle is not None:
            travel["verify"] = ssl.create_default_context(cafile=str(self.ca_bundle))
        if self.proxy is not None:
            travel["proxy"] = httpx.Proxy(self.proxy)
        return travel


def transport_options(environ: Mapping[str, str]) -> tuple[TransportOptions, tuple[str, ...]]:
    """The options of the variables, and the warnings for an operator; for a wrong value the default is used."""
    warnings: list[str] = []
    options = TransportOptions(
        timeout=_timeout(environ.get(TIMEOUT), warnings),
        ca_bundle=_ca_bundle(environ.get(CA_BUNDLE), warnings),
        verify=_verify(environ.get(SSL_VERIFY), warnings),
    )
    if not options.verify:
        warnings.append(f"{SSL_VERIFY} is off: anybody between here and a provider can read and change what it is sent")
    return options, tuple(warnings)


def _timeout(text: str | None, warnings: list[str]) -> float:
    usual = TransportOptions().timeout
    if text is None:
        return usual
    try:
        return wait_of(text.strip())
    except ValueError as error:
        warnings.append(f"{TIMEOUT} {error}: it is {usual:g} s")
        return usual


def _ca_bundle(text: str | None, warnings: list[str]) -> Path | None:
    if not text:
        return None
    path = expanded(text)
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        warnings.append(f"{CA_BUNDLE}: {text[:200]!r} is not a file of certificates ({error}): the usual ones are used")
        return None
    return path


def _verify(text: str | None, warnings: list[str]) -> bool:
    word = "true" if text is None else text.strip().lower()
    if word in _FALSE:
        return False
    if word not in _TRUE:
        warnings.append(f"{SSL_VERIFY} must be true or false, not {word[:40]!r}: certificates are checked")
    return True
