"""What may be set about the provider `replicate`, with its defaults and checks."""

from __future__ import annotations

import math
import re

import attrs
from attrs.validators import ge, gt

from actors.providers.http_addresses import checked_address

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PROXY = re.compile(r"https?://[^\s/]+/?", re.ASCII)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)

COPY_HOSTS = ("replicate.delivery",)
"""Where Replicate serves outputs from, each with the hosts below it."""


@attrs.frozen
class ReplicateOptions:
    """An account at Replicate.

    ``api_token_env``: the variable of the supervisor's environment that holds the API token. ``base_url``: where the
    API is, without ``/v1``. ``proxy``: the address of one to go through (None: none, whatever the environment says).
    ``concurrent``: jobs there at once (None: not counted). ``request_seconds``: for one whole
    answer. ``token_input``: an input that every model used here takes and ignores; with it a submission whose answer
    was lost is found again, without it only a delivery or a person can tell. ``settle_seconds``: how long a lost
    submission may still be on its way there, so that not finding it means nothing yet.

    ``usd_per_second``: price of a second of computing (None: no cost is recorded). ``max_prediction_seconds``: after
    which Replicate ends a prediction (None: never; https://replicate.com/docs/topics/predictions/lifecycle).

    ``webhook_secret_env``: the variable with the secrets that deliveries are signed with, separated by spaces; without
    it they are asked of the account. ``webhook_url`` is the provider's own setting of that name: where Replicate is to
    deliver, which the world must reach.

    ``copy_results``: download what a job leaves, which vanishes there an hour after its end. ``copy_bytes``: at most,
    of one job; ``copy_file_bytes``: of one of its files. ``copy_hosts``: besides the API's own, hosts (and those
    below them) that are downloaded from.
    """

    api_token_env: str = "REPLICATE_API_TOKEN"  # noqa: S105 - the name of a variable, the official client's own
    base_url: str = "https://api.replicate.com"
    proxy: str | None = None
    concurrent: int | None = None
    request_seconds: float = attrs.field(default=15.0, validator=gt(0))
    token_input: str | None = None
    settle_seconds: float = attrs.field(default=10.0, validator=ge(0))
    usd_per_second: float | None = None
    max_prediction_seconds: float | None = 1800.0
    webhook_secret_env: str | None = None
    webhook_url: str | None = None
    copy_results: bool = False
    copy_bytes: int = attrs.field(default=1 << 30, validator=ge(1))
    copy_file_bytes: int = attrs.field(default=1 << 30, validator=ge(1))
    copy_hosts: tuple[str, ...] = COPY_HOSTS

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError naming the option."""
        if self.concurrent is not None and self.concurrent < 1:
            raise ValueError("concurrent must be at least 1")
        if self.usd_per_second is not None and not 0 <= self.usd_per_second < math.inf:
            raise ValueError("usd_per_second must be 0 or more")
        if self.max_prediction_seconds is not None and not self.max_prediction_seconds > 0:
            raise ValueError("max_prediction_seconds must be more than 0")
        for name in ("api_token_env", "webhook_secret_env"):
            value = getattr(self, name)
            if value is not None and not _VARIABLE.fullmatch(value):
                raise ValueError(f"{name} must be the name of an environment variable, not its value")
        try:
            checked_address(self.base_url)
        except ValueError as error:
            raise ValueError(f"base_url: {error}") from None
        if self.proxy is not None and not _PROXY.fullmatch(self.proxy):
            raise ValueError("proxy must be an address that begins with http:// or https://")
        if self.token_input == "":
            raise ValueError("token_input must be the name of an input, or be left out")
        for host in self.copy_hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(
                    f"copy_hosts holds names of hosts in lower case, such as replicate.delivery, not {host!r:.80}"
                )
