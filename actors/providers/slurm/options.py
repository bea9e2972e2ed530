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

    ``conf``: its slurm.conf (None: the supervisor's SLURM_CONF, else Slurm's own default). ``path``: directories with
    sbatch, squeue, scancel and scontrol, as in PATH (None: the supervisor's PATH). ``directory``: a directory of ours
    on a file system that this machine and all nodes have under the same path (None: one below the state directory).
    ``absent_after``: seconds between the two looks after which a submission without an answer surely did not arrive.
    ``partition``, ``account``, ``qos``: what a job gets that names none itself.
    """

    conf: str | None = attrs.field(default=None, validator=ABSOLUTE)
    path: str | None = None
    directory: str | None = attrs.field(default=None, validator=[ABSOLUTE, _NO_PATTERN])
    absent_after: Seconds = attrs.field(default=60.0, validator=gt(0))
    partition: str | None = attrs.field(default=None, validator=IS_NAME)
    account: str | None = attrs.field(default=None, validator=IS_NAME)
    qos: str | None = attrs.field(default=None, validator=IS_NAME)
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)
