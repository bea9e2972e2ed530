import signal
import sys

from actors.simulation.cli import main

signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # which ends the workers first
main(prog_name="python -m actors.simulation")
