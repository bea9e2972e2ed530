"""Needs against capacity, and the words for it."""

from __future__ import annotations

import pytest

from actors.jobs.capacity import FreeResources, can_ever_fit
from actors.jobs.records import Capacity, Resources

GIB = 2**30


@pytest.mark.parametrize(
    ("needs", "capacity", "reason"),
    [
        (Resources(gpus=4), Capacity(gpus=2), "has 2 GPUs in all, the job needs 4 GPUs"),
        (Resources(gpus=1), Capacity(gpus=0), "has 0 GPUs in all, the job needs 1 GPU"),
        (Resources(cpus=9), Capacity(cpus=1), "has 1 CPU in all, the job needs 9 CPUs"),
        (
            Resources(memory=80 * GIB),
            Capacity(memory=int(31.27 * GIB)),
            "has 31.2 GiB of memory in all, the job needs 80 GiB of memory",
        ),
        (
            Resources(cpus=2, gpus=2),
            Capacity(cpus=1, gpus=1),
            "has 1 CPU in all, the job needs 2 CPUs and has 1 GPU in all, the job needs 2 GPUs",
        ),
        (Resources(cpus=1, gpus=2), Capacity(cpus=1, gpus=2), None),
        (Resources(cpus=1000, gpus=1000, memory=2**60), Capacity(), None),
        (Resources(memory=None), Capacity(memory=0), None),
    ],
)
def test_a_job_that_can_never_fit_is_told_what_there_is_and_what_it_needs(
    needs: Resources, capacity: Capacity, reason: str | None
) -> None:
    assert can_ever_fit(needs, capacity) == reason


def test_what_is_kept_is_what_is_free_of_what_is_needed() -> None:
    room = FreeResources.of(Capacity(cpus=4, gpus=1, memory=None))
    kept = room.keep(Resources(cpus=2, gpus=4, memory=GIB))
    assert kept == Resources(cpus=2, gpus=1, memory=GIB)
    assert room == FreeResources(cpus=2, gpus=0, memory=float("inf"), kept=FreeResources(2, 1, GIB))


def test_what_is_kept_is_taken_last() -> None:
    room = FreeResources.of(Capacity(cpus=4, gpus=2))
    room.keep(Resources(cpus=2, gpus=1))
    room.take(Resources(cpus=1, gpus=1))
    assert room == FreeResources(cpus=1, gpus=0, memory=float("inf"), kept=FreeResources(2, 1, 0))
    assert room.fits_with_kept(Resources(cpus=3, gpus=1))
    assert not room.fits_with_kept(Resources(cpus=4, gpus=1))
    room.take(Resources(cpus=2, gpus=1))
    assert room == FreeResources(cpus=0, gpus=0, memory=float("inf"), kept=FreeResources(1, 0, 0))


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (999, "waiting for 999 B of memory, 0 B free"),
        (1536, "waiting for 1.5 KiB of memory, 0 B free"),
        (3 * 2**40, "waiting for 3 TiB of memory, 0 B free"),
    ],
)
def test_memory_is_told_in_a_unit_that_people_read(memory: int, words: str) -> None:
    room = FreeResources.of(Capacity(memory=0))
    assert room.shortage(Resources(cpus=0, memory=memory)) == (words, "memory")


def test_only_what_is_short_is_named_and_the_first_of_it_by_its_name() -> None:
    room = FreeResources.of(Capacity(cpus=2, gpus=1, memory=GIB))
    assert room.shortage(Resources(cpus=2, gpus=2, memory=GIB)) == ("waiting for 2 GPUs, 1 free", "gpus")
    words = "waiting for 3 CPUs, 2 free; 2 GiB of memory, 1 GiB free"
    assert room.shortage(Resources(cpus=3, gpus=1, memory=2 * GIB)) == (words, "cpus")
