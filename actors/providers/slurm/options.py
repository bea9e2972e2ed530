"""The settings of the provider `slurm`, with their defaults and checks."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs
from attrs.validators import gt

from actors.jobs.quantities import Seconds
from actors.providers.entry_points import EntryPoint
from actors.validation.values import ABSOLUTE, fits

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+,-]{0,99}")
"""Of a partition (or several, with commas), an account, a quality of service, a reservation."""

IS_NAME = fits(NAME.fullmatch, "must be a name of letters, digits and _ . + , -", with_value=True)
_NO_PATTERN = fits(lambda path: not set(path) & set("%\\\n"), "must not hold %, a backslash or a line end")


@attrs.frozen
class SlurmOptions:
    """A Slurm cluster.

    ``conf``: the path of its slurm.conf; None: the supervisor's SLURM_CONF, or Slurm's own default. ``path``: the
    directories with sbatch, squeue, scancel and scontrol, written like PATH; None: the supervisor's PATH.
    ``directory``: a directory for Greenroom on a file system that this machine and all nodes have under the same path;
    None: a directory below the state directory. ``absent_after``: the time between two looks. If neither of them shows
    a submission without an answer, it surely did not arrive. ``partition``, ``account``, ``qos``: the value for jobs
    that do not give one.
    """

    conf: str | None = attrs.field(default=None, validator=ABSOLUTE)
    path: str | None = None
    directory: str | None = attrs.field(default=None, validator=[ABSOLUTE, _NO_PATTERN])
    absent_after: Seconds = attrs.field(default=60.0, validator=gt(0))
    partition: str | None = attrs.field(default=None, validator=IS_NAME)
    account: str | None = attrs.field(default=None, validator=IS_NAME)
    qos: str | None = attrs.field(default=None, validator=IS_NAME)
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)
