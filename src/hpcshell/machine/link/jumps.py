"""Who is to blame where a connection that leads over other hosts fails.

All that the last ssh tells then is that nobody spoke to it: what the one for the jump host says is
lost where the connection is to persist. So each host on the way is asked by itself, in turn.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

from hpcshell.machine.link import process
from hpcshell.machine.link.contract import LinkDown
from hpcshell.machine.link.troubles import bare_host, link_down, nothing_sent

_PATIENCE: Final = 60.0
_SSH_FAILED: Final = 255
_NOT_LET_IN: Final = r"Permission denied|No supported authentication|Authentication failed"


def jumps(asked: Sequence[str]) -> list[str]:
    """The hosts on the way, by what `ssh -G` (these words) tells of the destination."""
    ended = process.run(asked, os.environ, patience=_PATIENCE)
    found = re.search(r"(?m)^proxyjump (\S+)$", ended.out.decode(errors="replace"))
    return found[1].split(",") if found and found[1] != "none" else []


def failing(
    hops: Sequence[str], usual: Sequence[str], options: Sequence[str], asking: bool
) -> LinkDown | None:
    """The error for the first host on the way that cannot be reached, if there is one. Where a
    person may be asked for a password (`asking`), one that lets no other in is passed over."""
    for number, hop in enumerate(hops):
        before = ("-J", ",".join(hops[:number])) if number else ()
        url = hop if hop.startswith("ssh://") else f"ssh://{hop}"
        own = ("-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPersist=no")
        argv = ("ssh", *own, *_configuration(options), *before, *usual, "--", url, "true")
        ended = process.run(argv, os.environ, patience=_PATIENCE)
        text = ended.err.decode(errors="replace") + ("" if ended.code is not None else ended.why)
        if asking and re.search(_NOT_LET_IN, text):
            continue
        if ended.code is None or (ended.code == _SSH_FAILED and nothing_sent(text)):
            return link_down(hop, text, hops[number - 1] if number else "")
    return None


def told_over(argv: Sequence[str]) -> str:
    """What all on the way complain of, by an ssh that does not persist; "": it works now."""
    ended = process.run(argv, os.environ, patience=_PATIENCE)
    return ended.err.decode(errors="replace") if ended.code == _SSH_FAILED else ""


def on_the_way(destination: str, down: LinkDown) -> LinkDown:
    """The error for a jump host, as one of the destination."""
    host = bare_host(destination)
    return LinkDown(f"The jump host on the way to {host} fails: {down.message}", hint=down.hint)


def _configuration(options: Sequence[str]) -> list[str]:
    """Of the words for ssh those that hold for the hosts on the way, too: which file it reads."""
    found: list[str] = []
    for word, value in zip(options, [*options[1:], ""], strict=True):
        if word == "-F":
            found += [word, value]
        elif word.startswith("-F"):
            found.append(word)
    return found
