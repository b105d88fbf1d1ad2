"""What is refused here is what the kernel refuses, to the byte."""

from __future__ import annotations

import subprocess

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.core.handed import LONGEST, check_arguments, check_variables

LETTERS = ("x", "é")


def starts(*argv: str, env: dict[str, str]) -> bool:
    try:
        return subprocess.run(["/bin/true", *argv], env=env, check=True).returncode == 0
    except OSError:
        return False


def filled(letter: str, size: int) -> str:
    """So many bytes of text."""
    whole, rest = divmod(size, len(letter.encode()))
    return letter * whole + "." * rest


@pytest.mark.parametrize("letter", LETTERS)
def test_a_variable_may_be_as_long_as_the_kernel_takes_it(letter: str) -> None:
    longest = {"NAME": filled(letter, LONGEST - len("NAME="))}
    check_variables(longest)
    assert starts(env=longest)
    longer = {"NAME": longest["NAME"] + "."}
    assert not starts(env=longer)
    with pytest.raises(Wrong, match=r"variable 'NAME' has 131,072 bytes, .* 128 KiB") as wrong:
        check_variables({"FIRST": "1", **longer})
    assert wrong.value.hint


@pytest.mark.parametrize("letter", LETTERS)
def test_an_argument_may_be_as_long_as_the_kernel_takes_it(letter: str) -> None:
    longest = filled(letter, LONGEST)
    check_arguments(["true", longest])
    assert starts(longest, env={})
    assert not starts(longest + ".", env={})
    with pytest.raises(Wrong, match="128 KiB"):
        check_arguments(["true", longest + "."])


def test_all_together_may_not_be_too_long_either() -> None:
    some = filled("x", 100_000)
    with pytest.raises(Wrong, match="the environment has"):
        check_variables({f"NAME_{n}": some for n in range(50)})
    with pytest.raises(Wrong, match="6 MiB"):
        check_arguments([some] * 70)


@pytest.mark.parametrize("name", ["", "a=b", "a\0"])
def test_a_variable_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(Wrong, match="cannot exist"):
        check_variables({name: "x"})
