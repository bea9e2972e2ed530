"""The settings as one value: file, environment and defaults put together; and as existing programs read them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.jobs.home_directory import UNKNOWN, expanded, is_unknown
from actors.jobs.options import LOOK_SECONDS
from actors.jobs.suggestions import one_letter_apart, suggestion
from actors.providers.entry_points import EntryPoint
from actors.settings import variables
from actors.settings.locating import Located, locate
from actors.settings.places import OWN_NAME, SYSTEM, state_directory, usual_state_directory
from actors.settings.providers import ProviderSettings, default_providers
from actors.settings.sections import NAMES, Background, Sections, read_sections
from actors.settings.variable_names import HOME
from actors.settings.variables import Note, SettingsError
from actors.validation import CheckedError, Place, Problem, Problems, document
from actors.validation.marked import MappingNode, all_places
from logconf import get_logger

_SHORTEST_MISSPELT = 5
"""Letters of a section's name: a shorter one that is nearly ours may well be another program's."""


@attrs.frozen(kw_only=True)
class Settings(Sections):
    """All settings, checked: the sections of the file, with environment and defaults.

    ``state_dir``: the directory of rows, jobs and the lock. ``config_file``: the file that was read, None without one.
    ``sources``: where each value that is not a default came from. ``notes``: what to log once logging is configured.
    """

    state_dir: Path
    providers: Mapping[str, ProviderSettings] = attrs.field(factory=default_providers)
    config_file: Path | None = None
    sources: Mapping[str, str] = attrs.field(factory=dict)
    notes: tuple[Note, ...] = ()

    @classmethod
    def load(
        cls,
        config: Path | str | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        home: Path | None = None,
        working_directory: bool = True,
        system: Path = SYSTEM,
    ) -> Settings:
        """The settings of this machine: file, environment, defaults. Raises :class:`SettingsError`, logs nothing.

        ``config``: read this file and no other. ``environ``, ``cwd`` and ``home``: None means the process's own.
        ``working_directory``: whether a file in the working directory is read if no other was named. ``system``: the
        directory of the machine's own file.
        """
        environ, home = os.environ if environ is None else environ, home or _home()
        notes: list[Note] = []
        named = None if config is None else expanded(config)
        here = (cwd or _cwd()) if working_directory else None
        try:
            located = locate(named, environ, here, home, system, notes)
            sections, sources = (Sections(), {}) if located is None else _read(located, notes)
        except CheckedError as error:
            raise SettingsError(error.faults) from None
        return _put_together(sections, located, sources, environ, home, notes)

    @classmethod
    def default(cls, state_dir: Path | str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
        """Defaults and environment, without a file: for an embedding program that sets the rest with
        ``attrs.evolve``.
        """
        settings = _put_together(Sections(), None, {}, os.environ if environ is None else environ, _home(), [])
        if state_dir is None:
            return settings
        sources = {**settings.sources, "state_dir": "the program"}
        return attrs.evolve(settings, state_dir=Path(state_dir).absolute(), sources=sources)

    def webhook_urls(self) -> dict[str, str | None]:
        """Where each provider delivers, by its name; None: it does not."""
        return {name: one.webhook_url for name, one in self.providers.items()}

    def offered_entry_points(self) -> dict[str, Mapping[str, EntryPoint]]:
        """What each provider can start instead of a command, by its name."""
        return {name: getattr(one.options, "entry_points", {}) for name, one in self.providers.items()}

    def log_notes(self, logger: logging.Logger | None = None) -> None:
        """Log what was noted while loading."""
        logger = logger or get_logger("actors.settings")
        for note in self.notes:
            logger.log(note.level, note.message, extra=dict(note.extra))


def nearest_section(key: str) -> str | None:
    """Return the section that ``key``, which is none, was probably meant to be; None where it is another program's."""
    if key in NAMES or len(key) < _SHORTEST_MISSPELT:
        return None
    return next((one for one in NAMES if one_letter_apart(key, one)), None)


def is_misspelt(key: str) -> bool:
    """Return whether a ``greenroom.yaml`` with this section is refused; the file that is shared may have it."""
    return nearest_section(key) is not None


def _read(located: Located, notes: list[Note]) -> tuple[Sections, dict[str, str]]:
    problems = Problems()
    root = document(located.content, located.name, problems, may_be_empty=True)
    foreign = [key for key in root if key not in NAMES]
    if located.path.name == OWN_NAME:
        for key in foreign:
            if (near := nearest_section(key)) is not None:
                problems.add(root.places[key], key, f"unknown section; did you mean {near}?")
    if foreign:
        near = suggestion(foreign[0], NAMES) if len(foreign) == 1 else ""
        shown = ", ".join(f"{key!r:.80}" for key in foreign[:20])
        message = f"{located.name}: not sections of Greenroom, ignored: {shown}{near}"
        notes.append(Note(logging.INFO, message, {"file": located.name, "sections": foreign[:20]}))
    ours = MappingNode({key: value for key, value in root.items() if key in NAMES}, root.places)
    ours.place = root.place
    return read_sections(ours, problems), {path: str(place) for path, place in all_places(ours)}


def _put_together(
    found: Sections,
    located: Located | None,
    sources: dict[str, str],
    environ: Mapping[str, str],
    home: Path,
    notes: list[Note],
) -> Settings:
    _note_what_has_no_effect(found, notes)
    variables.transport(environ, notes)
    config_file = None if located is None else located.path
    own = {
        "state_dir": _state_directory(found, config_file, sources, environ, home),
        "background": _background(found.background, sources, environ, notes),
        "providers": _providers(found),
    }
    sections = {name: getattr(found, name) for name in NAMES} | own
    return Settings(**sections, config_file=config_file, sources=sources, notes=tuple(notes))


def _background(
    found: Background, sources: dict[str, str], environ: Mapping[str, str], notes: list[Note]
) -> Background:
    """``found`` with the intervals of environment variables."""
    for section, variable in variables.INTERVALS.items():
        if (seconds := variables.seconds(variable, environ, notes)) is not None:
            options: Any = attrs.evolve(getattr(found, section), interval_seconds=seconds)
            found = attrs.evolve(found, **{section: options})
            sources[f"background.{section}.interval_seconds"] = variable
    return found


def _note_what_has_no_effect(found: Sections, notes: list[Note]) -> None:
    if found.users and found.socket is None:
        message = "users has no effect without a socket for other users: set socket.group"
        notes.append(Note(logging.WARNING, message))
    queue = found.background.queue_processing
    if not queue.enabled:
        message = "background.queue_processing.enabled: false has no effect: the queue is always processed"
        notes.append(Note(logging.WARNING, message))
    if queue.interval_seconds != LOOK_SECONDS:
        message = (
            f"background.queue_processing.interval_seconds: {queue.interval_seconds:g} has no effect: the queue is "
            f"looked at every {LOOK_SECONDS:g} s and whenever something happens"
        )
        notes.append(Note(logging.WARNING, message))


def _state_directory(
    found: Sections, config_file: Path | None, sources: dict[str, str], environ: Mapping[str, str], home: Path
) -> Path:
    try:
        named = state_directory(environ)
    except ValueError as error:
        raise SettingsError([Problem(Place(HOME), "", f"{environ[HOME]!r:.80} {error}")]) from None
    if named is not None:
        path, sources["state_dir"] = named
        return path
    if found.state_dir is not None:
        if is_unknown(path := expanded(found.state_dir)):
            raise SettingsError([Problem(Place(str(config_file)), "state_dir", f"{str(path)!r:.80} {UNKNOWN}")])
        return (home if config_file is None else config_file.parent) / path
    return usual_state_directory(environ, home)


def _providers(found: Sections) -> dict[str, ProviderSettings]:
    """Those of the file, and this machine unless the file switches it off; each with the entry points it can start."""
    named: dict[str, ProviderSettings | None] = {**default_providers(), **found.providers}
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


@attrs.frozen
class EnterpriseConfig:
    """``job_polling_enabled``: true only if the file says so. ``job_polling_interval``: in seconds."""

    job_polling_enabled: bool
    job_polling_interval: float


def get_enterprise_config(*, working_directory: bool = True) -> EnterpriseConfig:
    """The configuration of this machine, read anew. Raises :class:`SettingsError`.

    ``working_directory``: whether a file there is read, as on the command line. ``start_background_tasks()`` does not
    look there by default; give both the same value.
    """
    poller = Settings.load(working_directory=working_directory).background.job_status_polling
    interval = poller.interval_seconds
    return EnterpriseConfig(poller.enabled is True, int(interval) if interval.is_integer() else interval)
