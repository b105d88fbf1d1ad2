"""Errors: kinds, exit codes of the documented table, and how they read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hpcshell
from hpcshell.core import errors
from hpcshell.core.errors import KINDS, HpcError, NotFound, Wrong


def test_every_class_is_known_by_its_kind():
    classes = [
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, HpcError) and cls is not HpcError
    ]
    assert sorted(KINDS.values(), key=str) == sorted(classes, key=str)
    assert all(KINDS[cls.kind] is cls for cls in classes)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("broken", 1),
        ("wrong", 2),
        ("not_found", 3),
        ("refused", 4),
        ("unreachable", 5),
        ("wait_timed_out", 6),
        ("not_yet", 75),
    ],
)
def test_exit_codes(kind: str, code: int):
    assert KINDS[kind].exit_code == code


def test_an_error_reads_as_what_is_wrong_and_then_what_to_do():
    assert str(Wrong("--cpus: 0 is too small", "the least is 1")) == (
        "--cpus: 0 is too small\n  hint: the least is 1"
    )
    assert str(NotFound("there is no job 12")) == "there is no job 12"


def raised(tree: ast.AST) -> Iterator[ast.Call]:
    """The places where an error for a person is made."""
    names = {cls.__name__ for cls in KINDS.values()}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in names:
                yield node


def test_every_error_says_what_to_do():
    package = Path(hpcshell.__file__).parent
    silent = [
        f"{path.relative_to(package)}:{call.lineno}"
        for path in sorted(package.rglob("*.py"))
        if "runner" not in path.parts  # the daemon is told, not a person
        for call in raised(ast.parse(path.read_text(encoding="utf-8")))
        if len(call.args) < 2 and not call.keywords
    ]
    assert silent == []
