"""Settings: a file, the environment and defaults, checked, into each module's own options.

    settings = Settings.load()                      # file, environment, defaults; SettingsError: every fault
    settings.log_notes()                            # once logging is configured: what was skipped, what changes nothing
    settings = Settings.default(state_dir=path)     # for an embedding program: no file is looked for

The file is ``greenroom.yaml`` or ``simpletuner-enterprise.yaml``; ``locating`` says where it is looked for,
``sections`` what it may hold, ``variables`` which environment variables count.
"""

from actors.settings.effective import Row, effective, secrets
from actors.settings.providers import ProviderSettings
from actors.settings.sections import Background, Retention
from actors.settings.settings import EnterpriseConfig, Settings, get_enterprise_config
from actors.settings.variables import Note, SettingsError

__all__ = [
    "Background",
    "EnterpriseConfig",
    "Note",
    "ProviderSettings",
    "Retention",
    "Row",
    "Settings",
    "SettingsError",
    "effective",
    "get_enterprise_config",
    "secrets",
]
