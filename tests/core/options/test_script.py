"""What can be run as a script, and what is refused before it is tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.options.script import LARGEST, check_program, check_script
from tests.support.refusals import refusal


def elf(machine: int, order: str = "little") -> bytes:
    mark = b"\x01" if order == "little" else b"\x02"
    return b"\x7fELF\x02" + mark + b"\x01" + b"\0" * 11 + machine.to_bytes(2, order) + b"\0" * 44  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        *(b"#!/bin/sh\ntrue\n", b"#!/bin/sh", b"#! /bin/sh -e\n", b"#!/usr/bin/env python3\n1\n"),
        "#!/bin/sh\necho é\n".encode(),
        b"#!/bin/sh\nprintf '\xff'\n",
    ],
)
def test_scripts(content: bytes):
    check_script(content, "job.sh", "x86_64")


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"", "job.sh is empty", "#!/bin/sh"),
        (b" \n\n", "job.sh is empty", "#!/bin/sh"),
        (b"echo hi\n", "job.sh does not begin with #! and an interpreter", "#!/bin/sh"),
        (b"\n#!/bin/sh\n", "job.sh does not begin with #! and an interpreter", "#!/bin/sh"),
        (b"#!/bin/sh\r\ntrue\r\n", "job.sh line 1 ends in CRLF", "sed -i 's/\\r$//' job.sh"),
        (b"#!/bin/sh\ntrue\r\n", "job.sh line 2 ends in CRLF", "sed"),
        (b"#!/bin/sh\r", "job.sh line 1 ends in CRLF", "sed"),
        (b"#!/bin/sh\n\0\n", "job.sh line 2 holds a NUL byte", None),
        (b"#!\n", "job.sh names the interpreter '', which is no absolute path", "#!/bin/sh"),
        (b"#!bash\n", "job.sh names the interpreter 'bash', which is no", "#!/bin/sh"),
        (b"#!/" + b"x" * 300 + b"\n", "job.sh: its first line has 303 bytes", "255"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "job.sh begins with a byte order mark", "without"),
        (b"\xff\xfe#\0!\0", "job.sh is text in UTF-16", None),
        (b"PK\x03\x04...", "job.sh is a zip file", None),
        (b"MZ\x90\0", "job.sh is a Windows program", "Linux"),
        (elf(62), "job.sh is a program, not a script", "use: hpc submit -- ./job.sh"),
        (elf(183), "job.sh is a program for aarch64, and this machine is x86_64", "build it here"),
        (elf(22, "big"), "job.sh is a program for s390x, and this machine is x86_64", "build"),
        (b"#!/bin/sh\n" + b"#" * LARGEST, "job.sh has 16,777,226 bytes", "16,777,216"),
    ],
)
def test_what_is_no_script(content: bytes, message: str, hint: str | None):
    error = refusal(check_script, content, "job.sh", "x86_64")
    assert error is not None
    assert error.message.startswith(message)
    assert (hint or "") in (error.hint or "")


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_content_under_any_name_is_taken_or_refused_in_a_short_line(content: bytes, name: str):
    refusal(check_script, content, name, "x86_64")
    refusal(check_script, b"#!" + content, name, "x86_64")
    refusal(check_program, content, name, "x86_64")


def test_programs_of_this_machine():
    check_program(elf(62), "./prog", "x86_64")
    check_program(elf(62), "./prog", "amd64")
    check_program(elf(3), "./prog", "x86_64")
    check_program(elf(183), "./prog", "arm64")
    check_program(elf(183), "./prog", "")
    check_program(b"#!/bin/sh\n", "./prog", "x86_64")
    assert refusal(check_program, elf(243), "./prog", "x86_64")
