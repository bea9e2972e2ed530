"""A directory in which a job left anything is removed: without following a link, and without taking for ever."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.providers.local.directory import REMOVED, STARTED, JobDirectory, job_directories
from actors.providers.local.removing import remove_tree


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_links_are_removed_and_not_followed(folder: int, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    (tmp_path / "tree" / "in").mkdir(parents=True)
    (tmp_path / "tree" / "link").symlink_to(outside)
    (tmp_path / "tree" / "in" / "link").symlink_to(outside)
    (tmp_path / "top").symlink_to(outside)
    os.mkfifo(tmp_path / "tree" / "in" / "pipe")
    assert remove_tree(folder, "tree")
    assert remove_tree(folder, "top")
    assert remove_tree(folder, "none")
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "file").read_text() == "kept"


def test_a_nest_deeper_than_stack_and_descriptors_is_removed(folder: int, tmp_path: Path) -> None:
    depth = 3000
    (tmp_path / "tree").mkdir()
    here = os.open(tmp_path / "tree", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert remove_tree(folder, "tree", seconds=60)
    assert list(tmp_path.iterdir()) == []


def test_many_files_are_removed(folder: int, tmp_path: Path) -> None:
    (tmp_path / "tree" / "in").mkdir(parents=True)
    for number in range(2500):
        (tmp_path / "tree" / "in" / str(number)).touch()
    assert remove_tree(folder, "tree", seconds=60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser is forbidden nothing")
def test_a_directory_closed_to_its_owner_is_opened_up(folder: int, tmp_path: Path) -> None:
    (tmp_path / "tree" / "in").mkdir(parents=True)
    (tmp_path / "tree" / "in" / "file").touch()
    (tmp_path / "tree" / "in").chmod(0)
    (tmp_path / "tree").chmod(stat.S_IRUSR)
    assert remove_tree(folder, "tree")
    assert list(tmp_path.iterdir()) == []


def test_it_stops_when_its_time_is_up_and_goes_on_the_next_time(folder: int, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(100):
        (tmp_path / "tree" / str(number)).touch()
    ticks = itertools.count()
    assert not remove_tree(folder, "tree", seconds=10, now=lambda: float(next(ticks)))
    left = len(list((tmp_path / "tree").iterdir()))
    assert 80 < left < 100
    assert remove_tree(folder, "tree")
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_removal_left_goes_with_the_next_look_at_all(tmp_path: Path) -> None:
    """A directory that was put out of the way, and the mark of a job that is not there any more."""
    (tmp_path / f"{REMOVED}gone-1" / "deep").mkdir(parents=True)
    (tmp_path / f"{STARTED}gone").touch()
    (tmp_path / f"{STARTED}there").touch()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "spec.json").write_text("{}")
    assert list(job_directories(tmp_path)) == [JobDirectory(tmp_path / "there")]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{STARTED}there", "there"]
