"""A directory travels once, by its content, within bounds, and nothing outside of it travels with it."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import httpx
import pytest
import trio

from actors.jobs.records import JobRequest
from actors.providers.errors import Invalid
from actors.providers.ray.options import RayOptions
from actors.providers.ray.packages import pack
from tests.providers.ray.canned import Canned, submit, text

EXCLUDE = RayOptions().exclude


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "sub").mkdir(parents=True)
    (folder / "train.py").write_text("print(1)\n")
    (folder / "sub" / "data.csv").write_text("1,2\n")
    return folder


def names(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_the_name_is_made_of_the_content_alone(code: Path, tmp_path: Path) -> None:
    """Not of times, owners, or where the directory lies."""
    first = pack(code, EXCLUDE, 10_000)
    os.utime(code / "train.py", (1, 1))
    moved = code.rename(tmp_path / "elsewhere")
    assert pack(moved, EXCLUDE, 10_000) == first
    assert first.uri == f"gcs://{first.name}"
    (moved / "train.py").chmod(0o700)
    assert pack(moved, EXCLUDE, 10_000).name != first.name


@pytest.mark.parametrize("change", [("train.py", "print(2)\n"), ("sub/data.csv", ""), ("more.py", "")])
def test_another_content_has_another_name(code: Path, change: tuple[str, str]) -> None:
    before = pack(code, EXCLUDE, 10_000).name
    Path(code, change[0]).write_text(change[1])
    assert pack(code, EXCLUDE, 10_000).name != before


def test_what_is_not_the_programs_stays(code: Path, tmp_path: Path) -> None:
    """Environments, repositories, keys; links that lead out; what is no file."""
    for name in (".git/config", ".venv/x.py", "sub/__pycache__/x.pyc", ".ssh/id", ".env"):
        Path(code, name).parent.mkdir(exist_ok=True)
        Path(code, name).write_text("x")
    (tmp_path / "outside").write_text("secret")
    (code / "leads-out").symlink_to(tmp_path / "outside")
    (code / "leads-in").symlink_to(code / "train.py")
    (code / "goes-round").symlink_to(code)
    os.mkfifo(code / "pipe")
    assert names(pack(code, EXCLUDE, 10_000).content) == ["leads-in", "train.py", "sub/data.csv"]


def test_too_much_is_refused_with_the_setting(code: Path) -> None:
    (code / "noise").write_bytes(os.urandom(5_000))
    with pytest.raises(Invalid, match="upload_bytes: 4000"):
        pack(code, EXCLUDE, 4_000)


def test_a_file_that_packs_well_is_not_read_without_end(code: Path) -> None:
    with (code / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Invalid, match="too large"):
        pack(code, EXCLUDE, 10_000)


@pytest.mark.parametrize("place", ["missing", "/", str(Path.home()), "code/train.py"])
def test_a_directory_that_cannot_be_meant_is_refused(code: Path, place: str) -> None:
    with pytest.raises(Invalid, match="cwd: "):
        pack(code.parent / place, EXCLUDE, 10_000)


async def test_jobs_of_one_directory_upload_it_once(code: Path) -> None:
    """Handed over at the same moment, too."""
    there: set[str] = set()

    def ask(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200) if request.url.path in there else text(404, "does not exist")

    def put(request: httpx.Request) -> httpx.Response:
        there.add(request.url.path)
        return httpx.Response(200)

    def accept(request: httpx.Request) -> dict[str, str]:
        return {"submission_id": json.loads(request.content)["submission_id"]}

    package = pack(code, EXCLUDE, 10_000)
    place = f"/api/packages/gcs/{package.name}"
    ray = Canned({f"GET {place}": ask, f"PUT {place}": put, "POST /api/jobs/": accept})
    provider = ray.provider()
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(submit, provider, JobRequest(command=("true",), cwd=str(code)), f"k{number}")
    (upload,) = ray.asked(f"PUT {place}")
    assert upload.content == package.content
    assert all(package.uri.encode() in one.content for one in ray.asked("POST /api/jobs/"))


async def test_a_directory_that_is_gone_refuses_the_job_before_anything_is_sent(tmp_path: Path) -> None:
    ray = Canned()
    with pytest.raises(Invalid, match="is not a directory on this machine"):
        await submit(ray.provider(), JobRequest(command=("true",), cwd=str(tmp_path / "gone")))
    assert {one.method for one in ray.requests} == {"GET"}
