"""`python -m hpcshell` is `hpc`."""

from hpcshell.cli.main import main

main()
