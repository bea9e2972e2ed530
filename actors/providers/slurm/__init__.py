"""A Slurm cluster as a provider, by the commands that every cluster has (docs/slurm.md)."""

from actors.providers.slurm.options import SlurmOptions
from actors.providers.slurm.provider import SlurmProvider

__all__ = ["SlurmOptions", "SlurmProvider"]
