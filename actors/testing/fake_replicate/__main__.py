"""Runs the fake as a program: ``python -m actors.testing.fake_replicate --port 0``. It ends with SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Mapping

import httpx
import trio

from actors.testing.fake_replicate import TOKEN, Deliveries, FakeReplicate, serve


def main() -> None:
    """Print the address as the first line, then serve."""
    parser = argparse.ArgumentParser(prog="actors.testing.fake_replicate", description="A Replicate of your own.")
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0: a free one (default)")
    parser.add_argument("--token", default=TOKEN, help="the API token that is accepted (default: %(default)s)")
    parser.add_argument("--username", default="greenroom", help="the account's (default: %(default)s)")
    chosen = parser.parse_args()
    trio.run(_run, FakeReplicate(token=chosen.token, username=chosen.username), chosen.port)


async def _run(fake: FakeReplicate, port: int) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client, trio.open_nursery() as nursery:

        async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
            try:
                return (await client.post(url, headers=dict(headers), content=body)).status_code
            except httpx.HTTPError:
                return 0

        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            port = await nursery.start(serve, fake, port)
            nursery.start_soon(Deliveries(fake, post).run)
            print(f"http://127.0.0.1:{port}", flush=True)  # the reader of this line may send a signal at once
            async for _ in signals:
                nursery.cancel_scope.cancel()


main()
