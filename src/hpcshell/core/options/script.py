"""What a script must be before it is accepted.

check_script(content, "job.sh")           raises `Wrong` for what could never be run
check_program(first_bytes, "./prog", "x86_64")    the same for a program named on the command
line
"""

from __future__ import annotations

from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote, safe

LARGEST: Final = 16 << 20
"""Bytes of a script."""
LONGEST_FIRST_LINE: Final = 255
"""Bytes of the first line that the kernel reads."""

_ELF: Final = b"\x7fELF"
_MACHINES: Final = {
    3: "i386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}
_ALSO: Final = {"amd64": "x86_64", "arm64": "aarch64", "ppc64le": "ppc64", "i686": "i386"}
_OTHER_SYSTEMS: Final = (
    (b"MZ", "a Windows program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a macOS program or a Java class"),
)
_PACKED: Final = (
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF file"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
_PLAIN: Final = "a script is plain text in UTF-8 that begins with #!/bin/sh or the like"


def check_script(content: bytes, name: str, architecture: str = "") -> None:
    """Refuse what is empty, no text, made for DOS, or names no interpreter."""
    shown = safe(name[-200:])
    if not content.strip():
        raise Wrong(f"{shown} is empty", "write a script that begins with #!/bin/sh")
    if len(content) > LARGEST:
        raise Wrong(f"{shown} has {len(content):,} bytes", f"a script has at most {LARGEST:,}")
    check_program(content, name, architecture)
    if content.startswith(_ELF):
        run = shown if "/" in shown else f"./{shown}"
        raise Wrong(f"{shown} is a program, not a script", f"use: hpc submit -- {run}")
    for start, what in _PACKED:
        if content.startswith(start):
            raise Wrong(f"{shown} is {what}, not a script", _PLAIN)
    if content.startswith(b"\xef\xbb\xbf"):
        raise Wrong(f"{shown} begins with a byte order mark", "save it as UTF-8 without one")
    _check_lines(content, shown)


def _check_lines(content: bytes, shown: str) -> None:
    first, _, _ = content.partition(b"\n")
    if b"\r\n" in content or first.endswith(b"\r"):
        line = content[: content.index(b"\r")].count(b"\n") + 1
        raise Wrong(
            f"{shown} line {line} ends in CRLF, as on DOS; the interpreter would not be found",
            f"convert it: sed -i 's/\\r$//' {shown}",
        )
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise Wrong(f"{shown} line {line} holds a NUL byte: it is no script", _PLAIN)
    if not first.startswith(b"#!"):
        raise Wrong(
            f"{shown} does not begin with #! and an interpreter",
            "make its first line #!/bin/sh or #!/usr/bin/env python3",
        )
    interpreter = first[2:].strip().split(b" ")[0].decode(errors="replace")
    if not interpreter.startswith("/"):
        raise Wrong(
            f"{shown} names the interpreter {quote(interpreter)}, which is no absolute path",
            "write #!/bin/sh or #!/usr/bin/env python3",
        )
    if len(first) > LONGEST_FIRST_LINE:
        raise Wrong(
            f"{shown}: its first line has {len(first):,} bytes",
            f"the kernel reads {LONGEST_FIRST_LINE}",
        )


def check_program(start: bytes, name: str, architecture: str = "") -> None:
    """Refuse a program of another machine or system, by its first bytes."""
    shown = safe(name[-200:])
    for magic, what in _OTHER_SYSTEMS:
        if start.startswith(magic):
            raise Wrong(f"{shown} is {what}", "this machine runs Linux programs and scripts")
    if not start.startswith(_ELF) or len(start) < 20 or not architecture:
        return
    order = "little" if start[5] == 1 else "big"
    number = int.from_bytes(start[18:20], "little" if order == "little" else "big")
    machine = _MACHINES.get(number, f"machine {number}")
    here = _ALSO.get(architecture, architecture)
    if machine != here and (machine, here) not in (("i386", "x86_64"), ("arm", "aarch64")):
        raise Wrong(
            f"{shown} is a program for {machine}, and this machine is {safe(architecture)}",
            "build it here, or submit it where it runs",
        )
