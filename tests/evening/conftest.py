"""The terminal of tests/cli, for a whole evening."""

from tests.cli.conftest import job_file, terminal

__all__ = ["job_file", "terminal"]
