"""The way to a cluster's login node: here (`LocalLink`) or through the system's ssh (`SshLink`)."""

from hpcshell.machine.link.contract import Link as Link
from hpcshell.machine.link.contract import LinkDown as LinkDown
from hpcshell.machine.link.local import LocalLink as LocalLink
from hpcshell.machine.link.ssh import SshLink as SshLink
