"""One real head for all tests: a start takes ten seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from tests.providers.ray.head import HOW_TO_GET_RAY, RAY, Head, a_head


@pytest.fixture(scope="session")
def shared_head() -> Iterator[Head]:
    """A head that takes jobs, with two CPUs."""
    with _place() as head:
        head.start()
        trio.run(head.ready)
        yield head


@pytest.fixture
def mortal_head(shared_head: Head) -> Iterator[Head]:
    """The same head for a test that ends it and starts it again, which is done here where the test fails between."""
    yield shared_head
    if shared_head.leader is None or shared_head.leader.poll() is not None:
        shared_head.start_anew()
        trio.run(shared_head.ready)


@contextmanager
def _place() -> Iterator[Head]:
    if RAY is None:
        pytest.skip(HOW_TO_GET_RAY)
    # Not below pytest's directories: Ray's sockets lie in it, and a socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="gr-", ignore_cleanup_errors=True) as folder, a_head(Path(folder)) as head:
        yield head
