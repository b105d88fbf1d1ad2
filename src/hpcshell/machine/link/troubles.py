"""What ssh itself complains of, in a sentence and with what to do about it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hpcshell.machine.link.contract import LinkDown


class _Row(NamedTuple):
    text: str
    sentence: str
    hint: str


_NO_WORD: Final = r"\A\s*\Z"
"""A far side that was gone before ssh's own first line could be written: ssh says nothing."""

_TABLE: Final = (
    _Row(
        r"stdio forwarding failed|administratively prohibited",
        "The jump host{jump} does not lead to {host}",
        "Is the name right, as the jump host knows it? The login node may be down; try later.",
    ),
    _Row(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "The host key of {host} is not the one that is known",
        "Ask the site whether its key has changed; then: ssh-keygen -R HOST, and ssh there once.",
    ),
    _Row(
        r"Host key verification failed|No \S+ host key is known",
        "The host key of {host} is not known here",
        "Run ssh there once by hand, compare the key with the one the site publishes, accept it.",
    ),
    _Row(
        r"Too many authentication failures",
        "{host} was offered too many keys",
        "Name the right key for this host in ~/.ssh/config: IdentityFile, IdentitiesOnly yes.",
    ),
    _Row(
        r"Permission denied|No supported authentication methods|Authentication failed",
        "{host} does not let you in",
        "Does `ssh` to it work by hand? Load your key (ssh-add), renew your ticket (kinit), or "
        "connect once on a terminal to be asked for a password or code.",
    ),
    _Row(
        r"Could not resolve hostname|Name or service not known|nodename nor servname",
        "There is no host {host}",
        "Is the name right, and are you online (or in the site's VPN)?",
    ),
    _Row(
        r"Connection refused",
        "{host} refuses the connection: no ssh server listens there",
        "Is the port right? The login node may be down; try again later.",
    ),
    _Row(
        r"timed out|No route to host|Network is unreachable|Host is down",
        "{host} does not answer",
        "Are you online (or in the site's VPN)? The login node may be down; try again later.",
    ),
    _Row(
        r"Bad owner or permissions|Bad configuration option|terminating, \d+ bad configuration"
        r"|keyword .* extra arguments|[Cc]an't open user config",
        "ssh does not accept its configuration",
        "Mend the line that it names in ~/.ssh/config or in the cluster's options.",
    ),
    _Row(
        r"[Cc]onnection closed by|Connection reset|kex_exchange_identification|Broken pipe"
        r"|Connection to UNKNOWN|Session open refused|Connection to \S+ closed|" + _NO_WORD,
        "{host} closed the connection",
        "It may be overloaded or in maintenance; try again later.",
    ),
)


_TELLING: Final = r"open failed: |connect to host "
"""What says more than the line that comes last."""


def bare_host(destination: str) -> str:
    return destination.removeprefix("ssh://").rpartition("@")[2] or destination


def link_down(destination: str, text: str, jump: str = "") -> LinkDown:
    """The error for what ssh said when it could not connect. `jump`: the last host on the way."""
    host = bare_host(destination)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = ([""] + lines + [line for line in lines if re.search(_TELLING, line)])[-1]
    told = f" ({last.rstrip('.')})" if last else ""
    for row in _TABLE:
        if re.search(row.text, text):
            return LinkDown(
                row.sentence.format(host=host, jump=f" {bare_host(jump)}" if jump else "")
                + told
                + ".",
                hint=row.hint,
            )
    return LinkDown(
        f"There is no connection to {host}{told}.", hint="Does `ssh` to it work by hand?"
    )


_NOTHING_SENT: Final = (
    r"Could not resolve|Connection refused|Connection timed out|No route to host|Permission denied"
    r"|Network is unreachable|Host key verification failed|Too many authentication"
    r"|kex_exchange_identification|banner exchange|Bad configuration|Bad owner or permissions"
)


def nothing_sent(text: str) -> bool:
    """Whether this is said only before any command is handed over."""
    return re.search(_NOTHING_SENT, text) is not None


_NOBODY: Final = (
    r"kex_exchange_identification|banner exchange|UNKNOWN port|stdio forward|timed out|" + _NO_WORD
)


def nobody_spoke(text: str) -> bool:
    """Whether this is all that is said where a host on the way is not reached, too."""
    return re.search(_NOBODY, text) is not None
