"""`python -m kequn`."""

from kequn.cli import main

main()
