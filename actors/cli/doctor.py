"""``doctor``: finds what is wrong on this machine or with the running supervisor, and says what to do about it."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from actors.cli.address import is_named
from actors.cli.context import Failed
from actors.cli.exit_statuses import ExitStatus
from actors.cli.options import with_config, with_json
from actors.cli.tables import print_json, print_table
from actors.store.ownership import directory_looseness, directory_refusal

if TYPE_CHECKING:
    from actors.cli.client import Client
    from actors.providers.guard import GuardedProvider
    from actors.settings import Settings

_LOW_DISK = 512 << 20
_LONG = 64 << 20
"""A database with more bytes than this takes a while to read."""
_LOCAL_NEEDS = (5, 3)
_DELEGATE = "run it with Delegate=yes (systemd), so that each job has a control group and a restart changes nothing"
_LOST_JOBS = {
    "cgroup": ("each job has a control group: the kernel reports when nothing of it runs", ""),
    "subreaper": (
        "the supervisor receives the processes of a killed shim; after a restart of it such a job is uncertain",
        _DELEGATE,
    ),
    "none": (
        "nothing proves that nothing of it runs: it stays uncertain and keeps its devices until it is settled",
        f"use greenroom run instead of an embedded runtime, or {_DELEGATE}",
    ),
}
"""For each kind of proof that no process of a job with a killed shim is left: what it means, and what would be
better.
"""


class Finding(NamedTuple):
    """The result of one check. ``ok``: nothing to do; else ``advice`` says what to do."""

    subject: str
    ok: bool
    found: str
    advice: str = ""


@click.command()
@with_json
@with_config
def doctor(as_json: bool, config: str | None) -> None:
    """Check whether Greenroom can work on this machine.

    With --url or --socket it checks that supervisor instead. The exit status is 1 if there is something to do.
    """
    if is_named():
        from actors.cli.client import Client

        client = Client(config)
        findings = list(supervisor_findings(client, client.supervisor.name))
    else:
        findings = [*_machine(), *_settings(config)]
    if as_json:
        print_json([one._asdict() for one in findings])
    else:
        rows = [("ok" if one.ok else "to do", one.subject, one.found, one.advice) for one in findings]
        print_table(("", "SUBJECT", "FOUND", "TO DO"), rows, "")
    if not all(one.ok for one in findings):
        raise click.exceptions.Exit(ExitStatus.FAILED)


def _machine() -> Iterator[Finding]:
    yield Finding("Python", True, sys.version.split()[0])
    release = platform.release()
    kernel = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
    fits = sys.platform == "linux" and kernel >= _LOCAL_NEEDS
    advice = "" if fits else "jobs on this machine need Linux 5.3 or newer; other providers work"
    yield Finding("local provider", fits, f"{platform.system()} {release}", advice)


def _settings(config: str | None) -> Iterator[Finding]:
    from actors.settings import Settings, SettingsError
    from actors.store.state_directory import holder

    try:
        settings = Settings.load(config)
    except SettingsError as error:
        yield Finding("configuration", False, f"{len(error.faults)} errors", "greenroom config check")
        return
    unsafe = [note.message for note in settings.notes if note.level >= logging.WARNING and "file" in note.extra]
    yield Finding("configuration", not unsafe, "; ".join(unsafe) or str(settings.config_file or "defaults"))
    yield _directory(settings.state_dir)
    yield from _file_system(settings.state_dir)
    yield _database(settings.state_dir)
    if any(one.kind == "local" and one.options.gpus is None for one in settings.providers.values()):
        yield _gpus()
    if settings.socket is not None or settings.users:
        from actors.cli import doctor_users

        yield from (Finding(*one) for one in doctor_users.findings(settings))
    running = holder(settings.state_dir)
    if running is None:
        yield Finding("supervisor", True, "none runs", "greenroom run")
        yield from _providers(provider_faults(settings))
        yield from lost_jobs([local_proof()])
    else:
        from actors.cli.client import Client

        yield from supervisor_findings(Client(config), running)


def _directory(state_dir: Path) -> Finding:
    from actors.store.read_only import is_read_only
    from actors.store.state_directory import DATABASE

    there = next(path for path in (state_dir, *state_dir.absolute().parents) if path.exists())
    if (state_dir / DATABASE).exists() and is_read_only(state_dir / DATABASE):
        found = f"{state_dir} is read-only: its jobs can be looked at, and no supervisor can use it"
        return Finding("state directory", False, found, "correct its mode or its mount, or set GREENROOM_HOME")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("state directory", False, f"{there} is not writable", "correct its mode, or set GREENROOM_HOME")
    status = there.stat()
    if there == state_dir and (why := directory_refusal(status) or directory_looseness(status)) is not None:
        return Finding("state directory", False, f"{state_dir}: {why}", f"chmod 700 {state_dir}")
    free = shutil.disk_usage(there).free
    found = f"{state_dir}, {free >> 20} MiB free"
    return Finding("state directory", free >= _LOW_DISK, found, "" if free >= _LOW_DISK else "free disk space")


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

    size = path.stat().st_size
    if size >= _LONG:
        click.echo(f"reading the whole database ({size >> 20} MiB), which takes a while ...", err=True)
    if found := faults(path):
        return Finding("database", False, "; ".join(found), "stop the supervisor and restore a copy")
    return Finding("database", True, "whole")


def _gpus() -> Finding:
    from actors.providers.local.gpus import find_gpus

    gpus = find_gpus()
    found = f"{len(gpus.devices)} found" + (f"; {gpus.fault}" if gpus.fault else "")
    advice = "repair the driver, or list the working devices: providers.local.gpus" if gpus.fault else ""
    return Finding("GPUs", not gpus.fault, found, advice)


def supervisor_findings(client: Client, running: str) -> Iterator[Finding]:
    """What the supervisor described by ``running`` reports about itself and its providers."""
    try:
        health = client.request("GET", "health")
        reasons = "; ".join([*health["reasons"], *health["notes"]])
        yield Finding("supervisor", health["status"] == "ok", f"{running}: {health['status']}", reasons)
    except Failed as error:
        yield Finding("supervisor", False, running, error.message)
        return
    try:
        providers = client.request("GET", "api", "providers", params={"check": "true"})["providers"]
        yield from _providers({one["name"]: one["fault"] for one in providers})
        yield from lost_jobs([one["capabilities"].get("lost_job_proof") for one in providers])
    except Failed as error:
        is_own = client.supervisor.is_own  # else it is a matter of level
        yield Finding("providers", not is_own, f"not checked: {error.message}")
    try:
        yield from restore_findings(client.request("GET", "api", "restore"))
    except Failed as error:
        if client.supervisor.is_own:  # else it is an admin's to know
            yield Finding("restored", False, f"not checked: {error.message}")


def restore_findings(restore: Mapping[str, Any]) -> Iterator[Finding]:
    """The state of the runtime's restore, if it was restored, with jobs at providers that the backup does not know."""
    if restore["restored_at"] is None:
        return
    found = f"from a backup of {restore['began_at']}, made in {restore['original']}"
    left = ", ".join(f"{number} at {name}" for name, number in restore["to_look_up"].items())
    yield Finding(
        "restored", not left, f"{found}; jobs to look up: {left or 'none'}", "wait, or settle them" if left else ""
    )
    if (running := restore["original_held_by"]) is not None:
        yield Finding("original", False, f"{running} runs in {restore['original']}", "stop it: both run the same jobs")
    for one in restore["unknown_jobs"]:
        what = f"runs {one['key']} ({one['name']}), which the backup does not know"
        advice = "Greenroom does not touch it; end it there if nobody needs it"
        yield Finding(f"provider {one['provider']}", False, what, advice)
    if (more := restore["unknown_number"] - len(restore["unknown_jobs"])) > 0:
        yield Finding("providers", False, f"run {more} more jobs which the backup does not know")
    for name, why in restore["not_listed"].items():
        yield Finding(f"provider {name}", True, f"what it runs that the backup does not know is not listed: {why}")


def _providers(faults: dict[str, str | None]) -> Iterator[Finding]:
    for name, fault in faults.items():
        advice = "" if fault is None else f"see providers.{name} in the configuration"
        yield Finding(f"provider {name}", fault is None, fault or "answers, and accepts its credentials", advice)


def provider_faults(settings: Settings) -> dict[str, str | None]:
    """What is wrong with each configured provider, in one line; None: nothing is wrong.

    Providers are made for this check alone. `local` is left out, because it would create its folders, and other
    findings check what it needs.
    """
    import trio

    from actors.providers.errors import ProviderError
    from actors.providers.guard import GuardedProvider
    from actors.providers.registry import BrokenProvider, UnknownProvider, factory

    faults: dict[str, str | None] = {}
    made: dict[str, GuardedProvider] = {}
    for name, one in settings.providers.items():
        if one.kind == "local":
            continue
        root = settings.state_dir / "providers" / name
        try:
            made[name] = GuardedProvider(factory(one.kind).create(name, one.options, root, lambda: datetime.now(UTC)))
        except (ProviderError, BrokenProvider, UnknownProvider, OSError, ValueError) as error:
            faults[name] = str(error)
    return faults | trio.run(_check, made)


async def _check(providers: dict[str, GuardedProvider]) -> dict[str, str | None]:
    from actors.providers.planning import check_all

    try:
        return await check_all(providers)
    finally:
        for provider in providers.values():
            await provider.aclose()


def local_proof() -> str:
    """The proof that a supervisor started here would have for lost jobs."""
    from actors.providers.local.cgroups import cgroup_parent

    return "subreaper" if cgroup_parent() is None else "cgroup"


def lost_jobs(proofs: list[str | None]) -> Iterator[Finding]:
    """What applies to jobs with a killed shim; nothing if no provider runs jobs on this machine."""
    if sys.platform == "linux":
        held = [_LOST_JOBS[proof] for proof in _LOST_JOBS if proof in proofs]
        yield from (Finding("lost jobs", True, *words) for words in held[:1])
