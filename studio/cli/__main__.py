"""`python -m studio.cli` is `studio`."""

from studio.cli.app import main

main()
