"""File, environment and defaults into :class:`Settings`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.jobs.suggestions import did_you_mean, one_letter_apart
from actors.providers.entry_points import EntryPoint
from actors.settings import variables
from actors.settings.locating import OWN_NAME, SYSTEM, Located, Places, locate
from actors.settings.model import Note, ProviderSettings, Settings, SettingsError, default_providers
from actors.settings.schema import LOOKS_EVERY, SECTIONS, Document, shapes
from actors.validation import CheckedError, Entry, Reader, document
from actors.validation import Mapping as MappingNode

_SHORTEST_MISSPELT = 5
"""Letters of a section's name: a shorter one that is nearly ours may well be another program's."""
_POLLING = "background.job_status_polling.interval_seconds"
_EXPIRY = "background.approval_expiration.interval_seconds"


def load(
    config: Path | str | None,
    environ: Mapping[str, str],
    cwd: Path | None,
    home: Path | None,
    system: Path = SYSTEM,
    *,
    working_directory: bool = True,
) -> Settings:
    """What :meth:`Settings.load` does; ``system`` is where a machine's own file lies."""
    notes: list[Note] = []
    home = home or _home()
    here = (cwd or _cwd()) if working_directory else None
    places = Places(None if config is None else Path(config).expanduser(), environ, here, home, system)
    try:
        located = locate(places, notes)
        if located is None:
            return _put_together(Document(), None, {}, environ, home, notes)
        found, sources = _read(located, notes)
    except CheckedError as error:
        raise SettingsError(error.faults) from None
    return _put_together(found, located, sources, environ, home, notes)


def without_file(state_dir: Path | str | None, environ: Mapping[str, str]) -> Settings:
    """What :meth:`Settings.default` does."""
    settings = _put_together(Document(), None, {}, environ, _home(), [])
    if state_dir is None:
        return settings
    return attrs.evolve(
        settings, state_dir=Path(state_dir).absolute(), sources={**settings.sources, "state_dir": "the program"}
    )


def _read(located: Located, notes: list[Note]) -> tuple[Document, dict[str, str]]:
    root = document(located.content, located.name, may_be_empty=True)
    assert isinstance(root.node, MappingNode)
    ours = {key: child for key, child in root.node.entries.items() if key in SECTIONS}
    reader = Reader(shapes(_names_of_providers(ours)))
    foreign = [key for key in root.node.entries if key not in SECTIONS]
    if located.path.name == OWN_NAME:
        for key in [key for key in foreign if len(key) >= _SHORTEST_MISSPELT]:
            if (near := next((one for one in SECTIONS if one_letter_apart(key, one)), None)) is not None:
                reader.fault(root.node.entries[key], key, f"unknown section; did you mean {near}?")
    if foreign:
        notes.append(_foreign(located.name, foreign))
    found = reader.object(Entry(root.place, MappingNode(ours)), Document, "")
    reader.faults.check()
    return found, {path: str(place) for path, place in reader.sources.items()}


def _names_of_providers(ours: Mapping[str, Entry]) -> list[str]:
    section = ours["providers"].node if "providers" in ours else None
    return sorted({*default_providers(), *(section.entries if isinstance(section, MappingNode) else ())})


def _foreign(name: str, sections: list[str]) -> Note:
    guesses = [guess for key in sections if (guess := did_you_mean(key[:80], SECTIONS)).startswith("; did")]
    words = ", ".join(f"{key!r:.80}" for key in sections[:20])
    message = f"{name}: not ours and left alone: {words}{guesses[0] if len(sections) == 1 and guesses else ''}"
    return Note(logging.INFO, message, {"file": name, "sections": sections[:20]})


def _put_together(
    found: Document,
    located: Located | None,
    sources: dict[str, str],
    environ: Mapping[str, str],
    home: Path,
    notes: list[Note],
) -> Settings:
    _note_what_changes_nothing(found, notes)
    variables.transport(environ, notes)
    poller, expiry = found.background.job_status_polling, found.background.approval_expiration
    if (interval := variables.seconds(variables.POLL_INTERVAL, environ, notes)) is not None:
        poller, sources[_POLLING] = attrs.evolve(poller, interval_seconds=interval), variables.POLL_INTERVAL
    if (interval := variables.seconds(variables.EXPIRY_INTERVAL, environ, notes)) is not None:
        expiry, sources[_EXPIRY] = attrs.evolve(expiry, interval_seconds=interval), variables.EXPIRY_INTERVAL
    return Settings(
        state_dir=_state_directory(found, located, sources, environ, home),
        poller=poller,
        expiry=expiry,
        limits=found.limits,
        queue=found.queue,
        approvals=found.approvals,
        providers=_providers(found),
        entry_points=found.entry_points,
        retention_days=found.retention.days,
        http=found.http,
        feed=found.feed,
        config_file=None if located is None else located.path,
        sources=sources,
        notes=tuple(notes),
    )


def _note_what_changes_nothing(found: Document, notes: list[Note]) -> None:
    queue = found.background.queue_processing
    if not queue.enabled:
        message = "background.queue_processing.enabled: false changes nothing: the queue is always processed"
        notes.append(Note(logging.WARNING, message))
    if queue.interval_seconds != LOOKS_EVERY:
        message = (
            f"background.queue_processing.interval_seconds: {queue.interval_seconds:g} changes nothing: the queue is "
            f"looked at every {LOOKS_EVERY:g} s and whenever something happens"
        )
        notes.append(Note(logging.WARNING, message))


def _state_directory(
    found: Document, located: Located | None, sources: dict[str, str], environ: Mapping[str, str], home: Path
) -> Path:
    if (named := variables.state_directory(environ)) is not None:
        path, sources["state_dir"] = named
        return path
    if found.state_dir:
        base = located.path.parent if located is not None else home
        return base / Path(found.state_dir).expanduser()
    return variables.usual_state_directory(environ, home)


def _providers(found: Document) -> dict[str, ProviderSettings]:
    """Those of the file, and this machine unless the file switches it off; each with the entry points it can start."""
    named: dict[str, ProviderSettings | None] = {**default_providers(), **(found.providers or {})}
    return {name: _with_entry_points(one, found.entry_points) for name, one in named.items() if one is not None}


def _with_entry_points(provider: ProviderSettings, entry_points: Mapping[str, EntryPoint]) -> ProviderSettings:
    options: Any = provider.options
    if entry_points and "entry_points" in attrs.fields_dict(type(options)):
        return attrs.evolve(provider, options=attrs.evolve(options, entry_points=entry_points))
    return provider


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no entry in the user database, as in some containers
        return Path("/")


def _cwd() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed under us
        return None
