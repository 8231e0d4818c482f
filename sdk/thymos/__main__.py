"""`python -m thymos`: the same as the program `thymos`."""

from thymos.cli import run

run()
