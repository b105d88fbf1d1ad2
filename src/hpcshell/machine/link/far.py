"""What is said to a far shell, and how its answer is found among everything else it prints.

The login shell there may be any (bash, csh, fish), and what it prints by itself is noise. So it is
given one constant line that all of them read alike, which starts `sh`; that reads its program from
standard input, where no `ps` sees it. The program prints a line with a word nobody else knows
before and after what each command says, on both streams. Where a start-up file has joined the two,
the errors of a command are kept until it has ended, and follow a line of their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from hpcshell.core.commands import Words
from hpcshell.machine.link.contract import NO_COMMAND

_PLAIN: Final = re.compile(r"(?a)[A-Za-z0-9_@%+=:,./-]+\Z")
_IDENTIFIER: Final = re.compile(r"(?a)[A-Za-z_][A-Za-z0-9_]*\Z")
_SHELLS_OWN: Final = re.compile(
    r"(?:_|SHLVL|PWD|OLDPWD|IFS|PS[1-4]|PPID|UID|EUID|GID|EGID|SHELLOPTS|BASHOPTS|BASH_.*"
    r"|LC_.*|LANG|LANGUAGE|TERM|SSH_.*|MAIL|HOST|HOSTTYPE|VENDOR|OSTYPE|MACHTYPE|GROUP)\Z"
)
"""Variables that a shell keeps for itself, or that belong to a terminal."""
_SECRET: Final = re.compile(r"(?i).*(?:TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY)")
_MOST_ENVIRONMENT: Final = 1 << 17
_FUNCTIONS: Final = r"""
hpc_joined=
if [ /dev/fd/1 -ef /dev/fd/2 ]; then
    hpc_joined=1
    exec 2>/dev/null
fi
set +x
cd
hpc_mark() {
    printf '\n%s %s\n' "$hpc_word" "$1"
    printf '\n%s %s\n' "$hpc_word" "$1" >&2
}
hpc_has() {
    case $1 in */*) [ -e "$1" ]; return ;; esac
    set -f
    IFS=:
    for hpc_each in $PATH; do
        if [ -f "${hpc_each:-.}/$1" ]; then return 0; fi
    done
    return 1
}
hpc_run() {
    if [ ! "$hpc_joined" ]; then ("$@"); return; fi
    exec 3>&1
    hpc_err=$( ("$@") 2>&1 >&3 3>&-; hpc_code=$?; echo .; exit $hpc_code)
    hpc_code=$?
    printf '\n%s %s errors\n%s' "$hpc_word" "$hpc_number" "${hpc_err%.}"
    return $hpc_code
}
hpc_exec() {
    exec "$@"
}
hpc_say() {
    hpc_mark "$hpc_number begin $$"
    if (hpc_has "$1"); then
        hpc_run hpc_exec "$@"
        hpc_code=$?
    else
        hpc_code=missing
    fi
    hpc_mark "$hpc_number end $hpc_code"
}
"""
_PLAINLY: Final = "unset -f cat dd find head mkdir mv rm sha256sum tail tar tr wc\n"
"""A bash by the name of sh takes over functions that a start-up file exports."""


class Said(NamedTuple):
    """What the answer tells of one command. `begun` is the far process group, 0 if it is not known
    to have been started; `code` is None without an end."""

    begun: int = 0
    code: int | None = None
    missing: bool = False
    out: bytes = b""
    err: bytes = b""


def new_word() -> str:
    """A word that nobody else says."""
    return f"hpc-{os.urandom(12).hex()}"


def first_line(length: int, word: str) -> str:
    """What the login shell is given, whichever it is: no quote, backslash, `!` or newline within
    the quotes. The program has `length` bytes."""
    return f"exec env LC_ALL=C sh -c 'eval \"$({exactly(length)})\"' {word}"


def exactly(length: int | str) -> str:
    """Copies so many bytes from a pipe and leaves what follows in it. (There are `head`s that read
    on.)"""
    return f"dd bs={length} count=1 iflag=fullblock 2>/dev/null"


def quoted(text: str) -> str:
    """One word for sh."""
    return text if _PLAIN.match(text) else "'" + text.replace("'", "'\\''") + "'"


def exports(env: Mapping[str, str]) -> str:
    return "".join(f"export {name}={quoted(value)}\n" for name, value in env.items())


def command_program(word: str, env: Mapping[str, str], many: Sequence[Words]) -> bytes:
    """Has these commands run one after the other. A single one inherits standard input."""
    silent = "" if len(many) == 1 else " </dev/null"
    parts = [f"hpc_word={word}\n", _FUNCTIONS, exports(env)]
    for number, words in enumerate(many):
        argv = " ".join(map(quoted, words.argv))
        own = exports({"LC_ALL": "C", **words.env})
        parts.append(f"(\n{own}hpc_number={number}\nhpc_say {argv}{silent}\n)\n")
    return os.fsencode("".join(parts))


def body_program(word: str, body: str) -> bytes:
    """Has lines of `sh` run, as if they were one command. They inherit standard input."""
    text = f"hpc_word={word}\nhpc_number=0\n{_FUNCTIONS}{_PLAINLY}hpc_body() {{\n{body}\n}}\n"
    return os.fsencode(text + 'hpc_mark "0 begin $$"\nhpc_run hpc_body\nhpc_mark "0 end $?"\n')


def heard(word: str, count: int, out: bytes, err: bytes) -> list[Said]:
    """What the answer to `command_program` tells of each of `count` commands."""
    return [_heard(word.encode(), number, out, err) for number in range(count)]


def _heard(word: bytes, number: int, out: bytes, err: bytes) -> Said:
    first = b"\n%s %d begin " % (word, number)
    _, found, rest = out.partition(first)
    begun, line_end, rest = rest.partition(b"\n")
    if not found or not line_end:
        return Said()
    last = b"\n%s %d end " % (word, number)
    said, ended, rest = rest.partition(last)
    code, whole, _ = rest.partition(b"\n")
    said, joined, errors = said.partition(b"\n%s %d errors\n" % (word, number))
    if not joined:
        errors = err.partition(first)[2].partition(b"\n")[2].partition(last)[0]
    if not ended or not whole:
        return Said(begun=int(begun), out=said, err=errors)
    if code == b"missing":
        return Said(int(begun), NO_COMMAND, True, said, errors)
    return Said(int(begun), int(code), False, said, errors)


# ---------------------------------------------------------------------------------- the greeting

GREETING: Final = (
    Words(argv=("env", "-0")),
    Words(argv=("id", "-un")),
    Words(argv=("rsync", "--version")),
    Words(
        argv=(
            "sh",
            "-c",
            "tell=\"exec sh -c 'set +x; echo; echo \\$0; env -0' $0\"; "
            'case $SHELL in *csh) exec "$SHELL" -c '
            '"if (-r /etc/csh.login) source /etc/csh.login; '
            'if (-r ~/.login) source ~/.login; $tell" ;; '
            '*) exec "$SHELL" -l -c "$tell" ;; esac',
            "WORD",
        )
    ),
)
"""Asks a far account who it is, and what its login shell would add to the environment: a command
that comes by ssh is run by no login shell, but it is there that many sites put their scheduler in
the PATH."""


class Greeted(NamedTuple):
    """What a far account is. `login` is what a login shell adds to the environment; `noisy`: it
    prints something whenever a command is run."""

    home: str = ""
    user: str = ""
    login: Mapping[str, str] = {}
    noisy: bool = False
    rsync: bool = False


def greeting(word: str) -> list[Words]:
    """`GREETING`, with the word that the login shell's answer begins after."""
    *first, last = GREETING
    return [*first, Words(argv=(*last.argv[:-1], word))]


def greeted(word: str, said: Sequence[Said], noisy: bool) -> Greeted:
    plain, user, rsync, login = said
    now = variables(plain.out)
    told = login.out.rpartition(b"\n%s\n" % word.encode())[2]
    then = variables(told) if login.code == 0 else {}
    added = {
        name: value for name, value in then.items() if now.get(name) != value and _carried(name)
    }
    if sum(map(len, added.values())) > _MOST_ENVIRONMENT:
        added = {name: added[name] for name in ("PATH",) if name in added}
    name = os.fsdecode(user.out).strip()
    return Greeted(now.get("HOME", ""), name, added, noisy, rsync=rsync.code == 0)


def _carried(name: str) -> bool:
    """Whether a variable goes with every command: none that looks like a secret does."""
    return bool(_IDENTIFIER.match(name) and not _SHELLS_OWN.match(name) and not _SECRET.match(name))


def packed(greeted: Greeted) -> bytes:
    """For a file; `unpacked` is its way back."""
    flags = f"{greeted.noisy:d}{greeted.rsync:d}"
    pairs = (f"{name}={value}" for name, value in greeted.login.items())
    return os.fsencode("\0".join([greeted.home, greeted.user, flags, *pairs, "", ""]))


def unpacked(content: bytes) -> Greeted | None:
    """None for half a file."""
    if not content.endswith(b"\0\0"):
        return None
    home, user, flags, *pairs = os.fsdecode(content[:-2]).split("\0")
    login = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
    return Greeted(home, user, login, noisy=flags[0] == "1", rsync=flags[1] == "1")


def variables(listing: bytes) -> dict[str, str]:
    """What `env -0` prints, by name."""
    pairs = (os.fsdecode(each).partition("=") for each in listing.split(b"\0"))
    return {name: value for name, found, value in pairs if found}
