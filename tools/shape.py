"""What has grown too large: functions, modules, classes, lists of parameters.

    python tools/shape.py             fails on what passes a hard limit without a named exception
    python tools/shape.py --advice    also lists what passes the habits (never fails for those)

An exception is a line of `[tool.shape.exceptions]` in pyproject.toml, with its reason:

    "src/hpcshell/core/options/table.py::Parser.read" = "one branch per kind of option"
    "src/hpcshell/core/options/table.py" = "the one option table"

An exception that is not needed (any more) fails, too.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDERS = ("src", "tools", "examples", "benchmarks", "tests")


class Limit(NamedTuple):
    """One measure: what it counts, the habit, and what must not be passed."""

    unit: str
    habit: int
    hard: int


FUNCTION = Limit("lines in a function", 20, 60)
MODULE = Limit("lines in a module", 400, 600)
CLASS = Limit("methods in a class", 15, 20)
PARAMETERS = Limit("parameters", 6, 8)


class Measure(NamedTuple):
    """How large one thing is. `name` is `path` or `path::Qualified.name`."""

    name: str
    line: int
    size: int
    limit: Limit

    def __str__(self) -> str:
        path, _, inner = self.name.partition("::")
        where = f"{path}:{self.line}" + (f" {inner}" if inner else "")
        return f"{where}: {self.size} {self.limit.unit}"


def measures(name: str, source: str) -> Iterator[Measure]:
    """Every measure of one module's text."""
    yield Measure(name, 1, len(source.splitlines()), MODULE)
    yield from _inside(ast.parse(source, name), f"{name}::", method=False)


def _inside(node: ast.AST, prefix: str, method: bool) -> Iterator[Measure]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = prefix + child.name
            length = (child.end_lineno or child.lineno) - child.lineno + 1
            yield Measure(name, child.lineno, length, FUNCTION)
            yield Measure(name, child.lineno, _parameters(child, method), PARAMETERS)
            yield from _inside(child, f"{name}.", method=False)
        elif isinstance(child, ast.ClassDef):
            yield Measure(prefix + child.name, child.lineno, _methods(child), CLASS)
            yield from _inside(child, f"{prefix}{child.name}.", method=True)
        else:
            yield from _inside(child, prefix, method)


def _methods(node: ast.ClassDef) -> int:
    return sum(isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) for child in node.body)


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef, method: bool) -> int:
    """Parameters a caller sees: `self` and `cls` are none."""
    spec = node.args
    named = len(spec.posonlyargs) + len(spec.args) + len(spec.kwonlyargs)
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    bound = method and not static
    return named + (spec.vararg is not None) + (spec.kwarg is not None) - bound


def project_measures(root: Path) -> list[Measure]:
    """Every measure of the project's Python, largest excess first."""
    found = [
        measure
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
        for measure in measures(path.relative_to(root).as_posix(), path.read_text("utf-8"))
    ]
    return sorted(found, key=lambda m: m.size / m.limit.hard, reverse=True)


def complaints(found: list[Measure], exceptions: dict[str, str]) -> list[str]:
    """What must be mended, one line each."""
    over = [measure for measure in found if measure.size > measure.limit.hard]
    needed = {measure.name for measure in over}
    wrong = [
        f"{measure} (at most {measure.limit.hard})"
        for measure in over
        if measure.name not in exceptions
    ]
    wrong += [
        f"exception without a reason: {n}" for n, why in exceptions.items() if not why.strip()
    ]
    wrong += [f"exception not needed: {name}" for name in exceptions if name not in needed]
    return wrong


def named_exceptions(root: Path) -> dict[str, str]:
    """Name -> reason, from pyproject.toml."""
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    exceptions: dict[str, str] = settings.get("tool", {}).get("shape", {}).get("exceptions", {})
    return exceptions


def main(words: list[str] | None = None) -> int:
    """Exit code 1 when something must be mended."""
    parser = argparse.ArgumentParser(description="Report what has grown too large.")
    parser.add_argument("--advice", action="store_true", help="also what passes the habits")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    chosen = parser.parse_args(words)
    found, exceptions = project_measures(chosen.root), named_exceptions(chosen.root)
    if chosen.advice:
        for measure in found:
            if measure.limit.habit < measure.size <= measure.limit.hard:
                print(f"advice: {measure} (habit: {measure.limit.habit})")
    wrong = complaints(found, exceptions)
    for line in wrong:
        print(line)
    if wrong:
        print("hint: part it, or name it with its reason under [tool.shape.exceptions]")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
