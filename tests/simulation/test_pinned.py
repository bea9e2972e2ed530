"""What is held still, what is refused, and the private names of trio that all this relies on."""

import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest
import trio

from actors.simulation.pinned import NotSimulated, pinned, source
from supervision.testing import deterministic_scheduling


def drawn(seed):
    with pinned(seed, lambda: 1_700_000_000.0):
        return os.urandom(4), secrets.token_hex(4), uuid.uuid4(), random.SystemRandom().random(), time.time()


def test_identifiers_tokens_and_the_wall_clock_come_from_the_seed():
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(1)[-1] == 1_700_000_000.0


def test_afterwards_everything_is_as_it_was():
    before = os.urandom, time.time, random.SystemRandom().random()
    drawn(1)
    assert (os.urandom, time.time) == before[:2]
    assert random.SystemRandom().random() != before[2]


def test_each_purpose_has_a_stream_of_its_own():
    assert source(1, "workload").random() == source(1, "workload").random()
    assert source(1, "workload").random() != source(1, "faults").random()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: threading.Thread(target=int).start(),
        lambda: subprocess.run([sys.executable, "-c", "0"], check=False),
        lambda: socket.socket().connect(("127.0.0.1", 9)),
        lambda: socket.getaddrinfo("localhost", 80),
        os.fork,
    ],
    ids=["thread", "process", "connection", "name", "fork"],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_threads_processes_and_connections_are_refused(ask):
    with pinned(1, time.time), pytest.raises(NotSimulated):
        ask()


def test_threads_are_allowed_again_afterwards():
    with pinned(1, time.time):
        pass
    done = []
    thread = threading.Thread(target=lambda: done.append(True))
    thread.start()
    thread.join()
    assert done == [True]


def order_of_tasks(seed):
    order = []

    async def main():
        async def one(number):
            for _ in range(3):
                await trio.lowlevel.checkpoint()
                order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(one, number)

    with deterministic_scheduling(seed):
        trio.run(main)
    return order


def test_trio_still_schedules_by_its_two_private_names():
    """`trio._core._run._r` and `_ALLOW_DETERMINISTIC_SCHEDULING`: what a new trio must be looked at for."""
    assert isinstance(trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING, bool)
    assert isinstance(trio._core._run._r, random.Random)
    assert order_of_tasks(1) == order_of_tasks(1)
    assert len({tuple(order_of_tasks(seed)) for seed in range(20)}) > 10
