"""What the tracker refuses besides what all of HPCShell does."""

from __future__ import annotations

from hpcshell.core.errors import Refused


class Exists(Refused):
    """There is one already, and it is another."""


class NotInstalled(Refused):
    """It takes a package that is not there."""
