"""`python -m agents …` is `undercurrent …`."""

from agents.cli import main

main(prog_name="undercurrent")
