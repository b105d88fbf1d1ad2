"""`python -m hpcshell.daemon.messenger`."""

from hpcshell.daemon.messenger.process import main

main()
