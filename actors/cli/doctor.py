"""``doctor``: what is missing on this machine, and what to do about it."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from actors.cli.context import Failed
from actors.cli.lost_jobs import lost_jobs
from actors.cli.options import with_config, with_json
from actors.cli.output import print_json, print_table
from actors.store.ownership import directory_looseness, directory_refusal

_LOW_DISK = 512 << 20
_LOCAL_NEEDS = (5, 3)


class Finding(NamedTuple):
    """One thing that was looked at. ``ok``: nothing to do; ``advice`` says what to do otherwise."""

    subject: str
    ok: bool
    found: str
    advice: str = ""


@click.command()
@with_json
@with_config
def doctor(as_json: bool, config: str | None) -> None:
    """Look whether Greenroom can work here; exit status 1 where something is to be done."""
    findings = [*_machine(), *_settings(config)]
    if as_json:
        print_json([one._asdict() for one in findings])
    else:
        rows = [("ok" if one.ok else "to do", one.subject, one.found, one.advice) for one in findings]
        print_table(("", "WHAT", "FOUND", "DO"), rows, "")
    if not all(one.ok for one in findings):
        raise click.exceptions.Exit(1)


def _machine() -> Iterator[Finding]:
    yield Finding("Python", True, sys.version.split()[0])
    release = platform.release()
    kernel = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
    fits = sys.platform == "linux" and kernel >= _LOCAL_NEEDS
    advice = "" if fits else "jobs on this machine need Linux 5.3 or newer; other providers work"
    yield Finding("local provider", fits, f"{platform.system()} {release}", advice)


def _settings(config: str | None) -> Iterator[Finding]:
    from actors.cli.provider_checks import provider_faults
    from actors.settings import Settings, SettingsError
    from actors.store.state_directory import holder

    try:
        settings = Settings.load(config)
    except SettingsError as error:
        yield Finding("configuration", False, f"{len(error.faults)} faults", "greenroom config check")
        return
    unsafe = [note.message for note in settings.notes if note.level >= logging.WARNING and "file" in note.extra]
    yield Finding("configuration", not unsafe, "; ".join(unsafe) or str(settings.config_file or "defaults"))
    yield _directory(settings.state_dir)
    yield from _file_system(settings.state_dir)
    yield _database(settings.state_dir)
    if any(one.kind == "local" and one.options.gpus is None for one in settings.providers.values()):
        yield _gpus()
    running = holder(settings.state_dir)
    if running is None:
        yield Finding("supervisor", True, "none runs", "greenroom run")
    else:
        yield _supervisor(config, running)
    for name, fault in provider_faults(config, settings, running=running is not None).items():
        advice = "" if fault is None else f"see providers.{name} in the configuration"
        yield Finding(f"provider {name}", fault is None, fault or "answers, and accepts its credentials", advice)
    if (told := lost_jobs(config, running is not None)) is not None:
        yield Finding("lost jobs", True, *told)


def _directory(state_dir: Path) -> Finding:
    from actors.store.read_only import is_read_only
    from actors.store.state_directory import DATABASE

    there = next(path for path in (state_dir, *state_dir.absolute().parents) if path.exists())
    if (state_dir / DATABASE).exists() and is_read_only(state_dir / DATABASE):
        said = f"{state_dir} is read-only: its jobs can be looked at, and no supervisor can use it"
        return Finding("state directory", False, said, "mend its mode or its mount, or set GREENROOM_HOME")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("state directory", False, f"{there} cannot be written", "set GREENROOM_HOME, or mend its mode")
    status = there.stat()
    if there == state_dir and (why := directory_refusal(status) or directory_looseness(status)) is not None:
        return Finding("state directory", False, f"{state_dir}: {why}", f"chmod 700 {state_dir}")
    free = shutil.disk_usage(there).free
    said = f"{state_dir}, {free >> 20} MiB free"
    return Finding("state directory", free >= _LOW_DISK, said, "" if free >= _LOW_DISK else "make room")


def _file_system(state_dir: Path) -> Iterator[Finding]:
    from actors.store.file_system import advice, network_kind

    if (kind := network_kind(state_dir)) is not None:
        yield Finding("file system", False, kind, advice(kind))


def _database(state_dir: Path) -> Finding:
    from actors.store.state_directory import DATABASE

    path = state_dir / DATABASE
    if not path.exists():
        return Finding("database", True, "none yet")
    from actors.store.integrity import faults

    if found := faults(path):
        return Finding("database", False, "; ".join(found), "stop the supervisor and restore a copy")
    return Finding("database", True, "whole")


def _gpus() -> Finding:
    from actors.providers.local.gpus import find_gpus

    found = find_gpus()
    said = f"{len(found.devices)} found" + (f"; {found.fault}" if found.fault else "")
    advice = "mend the driver, or name the devices that work: providers.local.gpus" if found.fault else ""
    return Finding("GPUs", not found.fault, said, advice)


def _supervisor(config: str | None, running: str) -> Finding:
    from actors.cli.client import Client

    try:
        health = Client(config).ask("GET", "health")
    except Failed as error:
        return Finding("supervisor", False, running, error.message)
    reasons = "; ".join([*health["reasons"], *health["notes"]])
    return Finding("supervisor", health["status"] == "ok", f"{running}: {health['status']}", reasons)
