"""Every environment variable that is read: the one declaration, from which docs/configuration.md is made.

Layers below this one read some of them by constants of their own; a test compares their names with this table. Nothing
is imported here, since every command is.
"""

from __future__ import annotations

from typing import NamedTuple

HOME = "GREENROOM_HOME"
CONFIG = "SIMPLETUNER_ENTERPRISE_CONFIG"
URL = "GREENROOM_URL"
TOKEN_FILE = "GREENROOM_TOKEN_FILE"  # noqa: S105 - a variable's name
SOCKET = "GREENROOM_SOCKET"
POLL_INTERVAL = "SIMPLETUNER_JOB_POLL_INTERVAL"
APPROVAL_INTERVAL = "SIMPLETUNER_APPROVAL_CHECK_INTERVAL"


class Variable(NamedTuple):
    """``default`` and ``meaning`` are words for people; ``example`` is a value."""

    name: str
    default: str
    example: str
    meaning: str


VARIABLES = (
    Variable(
        HOME,
        "`state_dir` of the file, else `$XDG_STATE_HOME/greenroom`, else `~/.local/state/greenroom`",
        "/var/lib/greenroom",
        "The state directory. It overrides `state_dir`.",
    ),
    Variable(
        CONFIG,
        "the places listed above",
        "/etc/greenroom.yaml",
        "The configuration file. `--config` overrides it.",
    ),
    Variable(
        URL,
        "none",
        "https://gpu7.lab:8765",
        "The supervisor that commands ask, on another machine. `--url` and `--socket` override it.",
    ),
    Variable(
        TOKEN_FILE,
        "none",
        "~/.config/greenroom.token",
        "The file with the token for `--url` or `GREENROOM_URL`, which nobody else may read. `--token-file` "
        "overrides it.",
    ),
    Variable(
        SOCKET,
        "none",
        "/run/greenroom",
        "The supervisor that commands ask, by its Unix socket or the directory of it. `--url`, `--socket` and "
        "`GREENROOM_URL` override it; it overrides the state directory.",
    ),
    Variable(
        POLL_INTERVAL,
        "`background.job_status_polling.interval_seconds`",
        "45s",
        "How often remote providers are asked about jobs: a duration, or a number of seconds. It does not switch "
        "polling on. A wrong value is ignored with a WARNING.",
    ),
    Variable(
        APPROVAL_INTERVAL,
        "`background.approval_expiration.interval_seconds`",
        "2m",
        "How often expired approvals are looked for: a duration, or a number of seconds. A wrong value is ignored "
        "with a WARNING.",
    ),
    Variable("SIMPLETUNER_LOG_LEVEL", "INFO", "DEBUG", "The lowest level that is logged."),
    Variable("SIMPLETUNER_LOG_FORMAT", "json", "text", "The format of the log: `json` or `text`."),
    Variable(
        "SIMPLETUNER_LOG_FILE",
        "none",
        "/var/log/simpletuner/cloud.log",
        "A log file, in addition to standard output.",
    ),
    Variable(
        "SIMPLETUNER_HTTP_TIMEOUT",
        "30",
        "60s",
        "The time limit for connecting to a provider and for each read and write: a duration, or a number of seconds.",
    ),
    Variable(
        "SIMPLETUNER_CA_BUNDLE",
        "the certificate authorities of `certifi`",
        "/etc/ssl/lab.pem",
        "A file of certificate authorities for requests to providers.",
    ),
    Variable(
        "SIMPLETUNER_SSL_VERIFY",
        "true",
        "false",
        "Whether certificates of providers are checked: `true` or `false`. `false` causes a WARNING at each start.",
    ),
    Variable(
        "SLURM_CONF",
        "Slurm's own",
        "/etc/slurm/slurm.conf",
        "The `slurm.conf` of a provider `slurm` that has no `conf`. Slurm's commands get no other `SLURM_*` variable.",
    ),
    Variable(
        "REPLICATE_API_TOKEN",
        "none",
        "r8_...",
        "The token for Replicate, unless `api_token_env` of the provider names another variable.",
    ),
    Variable(
        "RAY_AUTH_TOKEN",
        "none",
        "...",
        "The token of a Ray cluster, unless `token_env` of the provider names another variable.",
    ),
    Variable(
        "XDG_STATE_HOME", "~/.local/state", "/data/state", "The directory that contains the default state directory."
    ),
    Variable(
        "XDG_CACHE_HOME",
        "~/.cache",
        "/data/cache",
        "Commands remember here which state directory belongs to a configuration file. It may be deleted.",
    ),
    Variable(
        "XDG_RUNTIME_DIR",
        "none",
        "/run/user/1000",
        "The Unix socket is here if its path in the state directory would be longer than 100 bytes.",
    ),
    Variable(
        "NOTIFY_SOCKET",
        "none",
        "/run/systemd/notify",
        "Set by systemd: the start, the end and watchdog messages are sent there. Jobs do not inherit it.",
    ),
    Variable(
        "WATCHDOG_USEC", "none", "60000000", "Set by systemd: the period of its watchdog. Jobs do not inherit it."
    ),
    Variable("WATCHDOG_PID", "none", "4711", "Set by systemd: the process that the watchdog is for."),
    Variable("NO_COLOR", "none", "1", "If it is set, tables have no colours."),
    Variable("TERM", "none", "dumb", "`dumb`: tables have no colours."),
    Variable("COLUMNS", "the width of the terminal", "120", "The width of tables."),
    Variable(
        "SUPERVISION_FAULT_SEED",
        "a new seed each time",
        "20260131",
        "The seed of fault plans in tests; a failing test prints the one that repeats it.",
    ),
    Variable("PYTEST_CURRENT_TEST", "none", "test_it (call)", "Set by pytest: a fault plan names the test to repeat."),
)
"""Every variable that the code reads for itself, those for people first."""
