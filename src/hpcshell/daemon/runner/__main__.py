"""`python -m hpcshell.daemon.runner`."""

import sys

from hpcshell.daemon.runner.process import main

sys.exit(main(sys.argv[1:]))
