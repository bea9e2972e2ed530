from actors.simulation.cli import main

main(prog_name="python -m actors.simulation")
