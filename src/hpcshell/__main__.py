"""`python -m hpcshell` is `hpc`."""

from hpcshell.cli.entry import main

main()
