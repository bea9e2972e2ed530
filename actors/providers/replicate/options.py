"""The settings of the provider `replicate`, with their defaults and checks."""

from __future__ import annotations

import math
import re
from typing import Any

import attrs
from attrs.validators import ge, gt

from actors.jobs.quantities import Bytes, Seconds
from actors.providers.http_addresses import checked_address
from actors.validation.values import at_least, fits

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PROXY = re.compile(r"https?://[^\s/]+/?", re.ASCII)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)

COPY_HOSTS = ("replicate.delivery",)
"""Where Replicate serves outputs from, each with the hosts below it."""


_IS_VARIABLE = fits(_VARIABLE.fullmatch, "must be the name of an environment variable, not its value")
_IS_PRICE = fits(lambda price: 0 <= price < math.inf, "must be 0 or more")


def _is_address(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        checked_address(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: {error}") from None


def _are_hosts(_: Any, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    if wrong := [host for host in value if not _HOST.fullmatch(host)]:
        words = "holds names of hosts in lower case, such as replicate.delivery"
        raise ValueError(f"{attribute.name} {words}, not {wrong[0]!r:.80}")


@attrs.frozen
class ReplicateOptions:
    """An account at Replicate.

    ``api_token_env``: the variable of the supervisor's environment that holds the API token. ``base_url``: the address
    of the API, without ``/v1``. ``proxy``: the address of a proxy; None: no proxy is used, not even that of the
    environment. ``concurrent``: jobs there at the same time; None: not counted. ``request_seconds``: the deadline for
    one complete answer. ``token_input``: the name of an input that all models used here accept and ignore. With it, a
    submission whose answer was lost is found again; without it, only a delivery or a person settles it.
    ``settle_seconds``: how long a lost submission may still be on its way to Replicate. Until then, not finding it
    proves nothing.

    ``usd_per_second``: the price of a second of computing; None: no cost is recorded. ``max_prediction_seconds``: how
    long a prediction may run before Replicate ends it (https://replicate.com/docs/topics/predictions/lifecycle); None:
    for ever.

    ``webhook_secret_env``: the variable with the secrets that sign deliveries, separated by spaces; None: Replicate is
    asked for the account's secret. ``webhook_url``: as every provider has it.

    ``copy_results``: whether the results of a job are downloaded, because Replicate deletes them an hour after its end.
    ``copy_bytes``: how much is downloaded of one job at most. ``copy_file_bytes``: the largest file that is downloaded.
    ``copy_hosts``: hosts from which results are downloaded, each with the hosts below it, in addition to the API's own.
    """

    api_token_env: str = attrs.field(default="REPLICATE_API_TOKEN", validator=_IS_VARIABLE)
    base_url: str = attrs.field(default="https://api.replicate.com", validator=_is_address)
    proxy: str | None = attrs.field(
        default=None, validator=fits(_PROXY.fullmatch, "must be an address that begins with http:// or https://")
    )
    concurrent: int | None = attrs.field(default=None, validator=at_least(1))
    request_seconds: Seconds = attrs.field(default=15.0, validator=gt(0))
    token_input: str | None = attrs.field(
        default=None, validator=fits(len, "must be the name of an input, or be left out")
    )
    settle_seconds: Seconds = attrs.field(default=10.0, validator=ge(0))
    usd_per_second: float | None = attrs.field(default=None, validator=_IS_PRICE)
    max_prediction_seconds: Seconds | None = attrs.field(
        default=1800.0, validator=fits(lambda seconds: seconds > 0, "must be more than 0")
    )
    webhook_secret_env: str | None = attrs.field(default=None, validator=_IS_VARIABLE)
    webhook_url: str | None = None
    copy_results: bool = False
    copy_bytes: Bytes = attrs.field(default=1 << 30, validator=ge(1))
    copy_file_bytes: Bytes = attrs.field(default=1 << 30, validator=ge(1))
    copy_hosts: tuple[str, ...] = attrs.field(default=COPY_HOSTS, validator=_are_hosts)
