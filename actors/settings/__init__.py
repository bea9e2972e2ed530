"""Settings: a file, the environment and defaults, checked, as the options of each module.

    settings = Settings.load()                      # file, environment, defaults; SettingsError: every fault
    settings = Settings.default(state_dir=path)     # for an embedding program: no file is looked for

The file is ``greenroom.yaml`` or ``simpletuner-enterprise.yaml``; ``locating`` says where it is looked for,
``sections`` what it may contain, ``variables`` which environment variables are read. Names are loaded when they are
first used: a command that finds its supervisor by ``places`` reads no YAML.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.settings.effective import secrets as secrets
    from actors.settings.providers import ProviderSettings as ProviderSettings
    from actors.settings.sections import Background as Background
    from actors.settings.sections import Retention as Retention
    from actors.settings.settings import Settings as Settings
    from actors.settings.settings import get_enterprise_config as get_enterprise_config
    from actors.settings.variables import SettingsError as SettingsError

_HOMES = {
    "Background": "sections", "ProviderSettings": "providers", "Retention": "sections", "Settings": "settings",
    "SettingsError": "variables", "get_enterprise_config": "settings", "secrets": "effective",
}  # fmt: skip
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
