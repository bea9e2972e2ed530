"""What is not a backup, or was damaged, is refused in one sentence, and nothing is left of the attempt (F3)."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile

import orjson
import pytest

from actors.backup.errors import BackupError
from actors.backup.restoring import restore
from actors.store.revision import NEWEST
from tests.backup.archives import changed, members_of, write


@pytest.fixture
async def site(site):
    """With a backup of a runtime."""
    async with site.open(site.original) as runtime:
        await runtime.queue.is_idle()
    site.take()
    return site


def refused(site, words):
    with pytest.raises(BackupError, match=re.escape(words)) as caught:
        restore(site.file, site.new, original_stopped=True)
    assert "\n" not in str(caught.value)
    assert not (site.new / "greenroom.db").exists()
    return str(caught.value)


def cut(site):
    content = site.file.read_bytes()
    site.file.write_bytes(content[: len(content) // 2])


def flipped(site):
    content = bytearray(site.file.read_bytes())
    content[len(content) // 3] ^= 0xFF
    site.file.write_bytes(content)


def other_database(site):
    members = members_of(site.file)
    write(site.file, {**members, "greenroom.db": members["greenroom.db"][:-1] + b"x"})


def packed(site):
    write(site.file, members_of(site.file), zipfile.ZIP_DEFLATED)


def more(site):
    write(site.file, {**members_of(site.file), "../../evil": b"x"})


def outside(site):
    write(site.file, {**members_of(site.file), "keys/../../evil": b"x"})
    changed(site.file, lambda manifest: manifest["members"].update({"keys/../../evil": {"size": 1, "sha256": "0"}}))


def no_database(site):
    write(site.file, {"manifest.json": members_of(site.file)["manifest.json"]})
    changed(site.file, lambda manifest: manifest.update(members={}))


def newer(site):
    changed(site.file, lambda manifest: manifest.update(version=2, greenroom="9.1", something_new=True))


def newer_database(site):
    changed(site.file, lambda manifest: manifest.update(revision="0099", greenroom="9.1"))


def foreign(site):
    write(site.file, {"a.txt": b"a"})


def foreign_manifest(site):
    write(site.file, {"manifest.json": b'{"format": "something"}'})


def nonsense(site):
    changed(site.file, lambda manifest: manifest.update(began_at="yesterday"))


def relative(site):
    changed(site.file, lambda manifest: manifest.update(state_dir="."))


def not_json(site):
    write(site.file, {**members_of(site.file), "manifest.json": b"{" * 100_000})


def strange_setting(site):
    content = b"x"
    write(site.file, {**members_of(site.file), "keys/1-x": content, "greenroom.yaml": b"a: 1\n"})
    members = {
        "keys/1-x": {"size": 1, "sha256": hashlib.sha256(content).hexdigest(), "setting": "notify"},
        "greenroom.yaml": {"size": 5, "sha256": hashlib.sha256(b"a: 1\n").hexdigest()},
    }
    changed(site.file, lambda manifest: manifest["members"].update(members))


def no_archive(site):
    site.file.write_bytes(b"hello")


def nothing(site):
    site.file.write_bytes(b"")


def missing(site):
    site.file.unlink()


def fifo(site):
    site.file.unlink()
    os.mkfifo(site.file)


def directory(site):
    site.file.unlink()
    site.file.mkdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "or it was cut short"),
        (flipped, "is damaged"),
        (other_database, "is damaged: greenroom.db is not what the manifest says"),
        (packed, "packed in another way"),
        (more, "its members are not those that its manifest lists"),
        (outside, "it has a member 'keys/../../evil'"),
        (no_database, "it has no database"),
        (newer, "was made by a newer Greenroom (9.1)"),
        (newer_database, "newer than this Greenroom knows; install Greenroom 9.1"),
        (foreign, "it has no manifest"),
        (foreign_manifest, "is not a backup of Greenroom's"),
        (nonsense, "its manifest has an invalid value"),
        (relative, "its manifest has an invalid value (state_dir: '.')"),
        (not_json, "its manifest cannot be read"),
        (strange_setting, "it has a key file of an unknown setting, 'notify'"),
        (no_archive, "is not a backup of Greenroom's"),
        (nothing, "is not a backup of Greenroom's"),
        (missing, "No such file or directory"),
        (fifo, "is not a regular file"),
        (directory, "is not a regular file"),
    ],
)
async def test_it_is_refused_in_one_sentence(site, damage, words):
    damage(site)
    refused(site, words)
    assert not (site.folder / "evil").exists()
    assert [path.name for path in site.new.glob("*")] in ([], ["supervisor.lock"])


async def test_one_member_twice_is_refused(site):
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(site.file, "a") as archive:
        archive.writestr("greenroom.db", b"another")
    refused(site, "its members are not those that its manifest lists")


async def test_a_database_of_somebody_else_is_refused(site):
    import sqlite3
    from contextlib import closing
    from hashlib import sha256

    other = site.folder / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    content = other.read_bytes()
    write(site.file, {**members_of(site.file), "greenroom.db": content})
    new = {"size": len(content), "sha256": sha256(content).hexdigest()}
    changed(site.file, lambda manifest: manifest["members"].update({"greenroom.db": new}))
    refused(site, "the database is damaged, or none of Greenroom's")


async def test_the_manifest_says_where_the_original_lies_and_what_is_not_in_the_backup(site):
    manifest = orjson.loads(members_of(site.file)["manifest.json"])
    assert manifest["state_dir"] == str(site.original)
    assert manifest["revision"] == NEWEST
    assert len(manifest["instance_id"]) == 32
    assert any(str(site.original / "providers") in one for one in manifest["left_out"])
