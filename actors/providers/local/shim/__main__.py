"""Starts the shim, run as a file: a folder would load runpy. Its parent goes last on the path, to hide no module."""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 - pathlib costs 5 ms

from shim.job import main  # type: ignore[import-not-found]  # noqa: E402 - found only on the path set above

main(sys.argv)
