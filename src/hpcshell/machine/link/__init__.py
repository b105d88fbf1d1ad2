"""The way to a cluster's login node: here (`LocalLink`) or through the system's ssh (`SshLink`).

Most commands need the first of the two, and do not pay for the other.
"""

from hpcshell.machine.link.contract import Link as Link
from hpcshell.machine.link.contract import LinkDown as LinkDown
from hpcshell.machine.link.local import LocalLink as LocalLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcshell.machine.link.ssh import SshLink as SshLink


def __getattr__(name: str) -> object:
    if name != "SshLink":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hpcshell.machine.link import ssh

    return ssh.SshLink
