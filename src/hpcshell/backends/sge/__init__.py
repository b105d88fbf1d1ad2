"""Grid Engine: 8.1 (Son of Grid Engine) and Univa's."""

from hpcshell.backends.sge.backend import SgeBackend as SgeBackend
