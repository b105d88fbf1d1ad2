"""Which arguments a script of Python takes, as its text says it. Nothing is imported or run.

Options of argparse, click, absl and their like are found where they are declared with plain values;
of Hydra's, the keys of the configuration that the script names.
"""

from __future__ import annotations

import ast
import os
import re
import stat
import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, Literal

from hpcshell.core.records import Record

MOST: Final = 200
"""Arguments of one script, or keys of its configuration, that are looked at."""
LARGEST: Final = 1 << 20
"""Bytes of a script: what is larger is no script that somebody wrote."""
DEEPEST: Final = 6
"""Levels of a configuration that are read."""
LARGEST_CONFIG: Final = 1 << 18

Style = Literal["flags", "keys", "none"]
"""`--name value`, `name=value` (Hydra and its like), or nobody knows."""


class Argument(Record, frozen=True, kw_only=True):
    """One that can vary. `flag`: as it is typed, "" for one that only has its place. `default` is
    None where none is said in plain values. `switch`: it takes no value, or several."""

    name: str
    flag: str = ""
    default: Any = None
    switch: bool = False
    required: bool = False
    choices: tuple[Any, ...] = ()
    help: str = ""


class Interface(Record, frozen=True, kw_only=True):
    """How a script is told what to do. `signs`: what in its text says that it is meant to be run.
    `shell`: the shell that it names, for one of a shell."""

    signs: tuple[str, ...] = ()
    style: Style = "none"
    arguments: tuple[Argument, ...] = ()
    hydra: bool = False
    shell: str = ""


_SIGNS: Final = {
    "argparse.ArgumentParser": "reads its arguments with argparse",
    "ArgumentParser": "reads its arguments with argparse",
    "HfArgumentParser": "reads its arguments with argparse",
    "click.command": "reads its arguments with click",
    "click.group": "reads its arguments with click",
    "hydra.main": "is configured by Hydra",
    "flags.DEFINE_": "reads its arguments with absl",
    "app.run": "reads its arguments with absl",
    "fire.Fire": "reads its arguments with fire",
    "Fire": "reads its arguments with fire",
    "typer.run": "reads its arguments with typer",
    "typer.Typer": "reads its arguments with typer",
    "tyro.cli": "reads its arguments with tyro",
    "sys.argv": "reads sys.argv",
}
_KEYS: Final = re.compile(r"""(?:partition|split)\(\s*["']=["']""")


def read_text(path: str, largest: int = LARGEST) -> str | None:
    """The text of a plain file; None for a link to nothing, a pipe, something large or binary."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
                return None
            content = file.read(largest + 1)
    except (OSError, ValueError):
        return None
    if b"\0" in content or len(content) > largest:
        return None
    return content.decode("utf-8", errors="replace")


def read_python(text: str, folder: str) -> Interface:
    """What the text of a script says about it, which lies in `folder`; nothing for what is no
    Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        found = _names(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Interface()
    signs = {_SIGNS[name]: None for name in found if name in _SIGNS}
    if any(name.startswith("flags.DEFINE_") for name in found):
        signs[_SIGNS["flags.DEFINE_"]] = None
    if any(map(_is_main_guard, tree.body)):
        signs["has a main part"] = None
    if "hydra.main" in found:
        arguments = tuple(_hydra(tree, folder))
        return Interface(signs=tuple(signs), style="keys", arguments=arguments, hydra=True)
    arguments = () if _has_commands(found) else tuple(islice(_declared(tree), MOST))
    style: Style = "flags" if arguments else "keys" if _splits_at_equals(found, text) else "none"
    return Interface(signs=tuple(signs), style=style, arguments=arguments)


def _names(tree: ast.Module) -> set[str]:
    """All dotted names in the text, `sys.argv`, and plain ones that are called."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(_dotted(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
    return found


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}" if isinstance(node.value, ast.Name) else ""
    return node.id if isinstance(node, ast.Name) else ""


def _is_main_guard(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`"""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    sides = [node.test.left, *node.test.comparators]
    return "__name__" in map(_dotted, sides) and "__main__" in map(_literal, sides)


def _has_commands(names: set[str]) -> bool:
    """Whether there are several commands, each with arguments of its own."""
    return "click.group" in names or any(name.endswith(".add_subparsers") for name in names)


def _splits_at_equals(names: set[str], text: str) -> bool:
    return "sys.argv" in names and _KEYS.search(text) is not None


# ------------------------------------------------------------------------- declared one by one


def _declared(tree: ast.Module) -> Iterator[Argument]:
    seen: set[str] = set()
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    commands = [each for each in functions.values() if _is_typers(each)]
    if len(commands) == 1:
        yield from _parameters(commands[0])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda each: (each.lineno, each.col_offset)):
        for argument in _of_call(call, functions):
            if argument.name not in seen:
                seen.add(argument.name)
                yield argument


def _is_typers(function: ast.FunctionDef) -> bool:
    """`@app.command()`, where `app` is none of click's."""
    made = [each.func for each in function.decorator_list if isinstance(each, ast.Call)]
    own = [each for each in map(_dotted, made) if each.endswith(".command")]
    return bool(own) and not any(name == "click.command" for name in own)


def _of_call(call: ast.Call, functions: Mapping[str, ast.FunctionDef]) -> Iterable[Argument]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else _dotted(call.func)
    if name in ("add_argument", "option", "argument"):
        return filter(None, [_option(call)])
    if name.startswith("DEFINE_"):
        return filter(None, [_absl(call, name)])
    if name in ("Fire", "run") and call.args and isinstance(call.args[0], ast.Name):
        function = functions.get(call.args[0].id)
        return _parameters(function) if function is not None else ()
    return ()


def _option(call: ast.Call) -> Argument | None:
    """`add_argument("--lr", "-l", type=float, default=0.1)`, or click's `option` and `argument`."""
    names = [each for each in map(_literal, call.args) if isinstance(each, str) and each]
    said = {each.arg: each.value for each in call.keywords if each.arg}
    if not names:
        return None
    flag = next((each for each in names if each.startswith("--")), names[0])
    if flag in ("--help", "--version") or flag.startswith("--no-"):
        return None
    flag, _, switch = flag.partition("/")
    default = _literal(said.get("default"))
    action = _literal(said.get("action"))
    many = {"nargs", "is_flag", "multiple", "count"} & said.keys()
    placed = not flag.startswith("-")
    return Argument(
        name=flag.lstrip("-").replace("-", "_"),
        flag="" if placed else flag,
        default=default if isinstance(default, str | int | float) else None,
        switch=bool(switch or many or action not in (None, "store")),
        required=_literal(said.get("required")) is True or (placed and "default" not in said),
        choices=_choices(said),
        help=_text(said.get("help")),
    )


def _choices(said: Mapping[str, ast.expr]) -> tuple[Any, ...]:
    """`choices=[...]`, or click's `type=click.Choice([...])`."""
    node = said.get("choices")
    kind = said.get("type")
    if isinstance(kind, ast.Call) and _dotted(kind.func).endswith("Choice") and kind.args:
        node = kind.args[0]
    found = _literal(node)
    return tuple(found) if isinstance(found, list | tuple) else ()


def _absl(call: ast.Call, kind: str) -> Argument | None:
    """`flags.DEFINE_float("lr", 0.1, "Learning rate")`"""
    values = [_literal(each) for each in call.args]
    if len(values) < 2 or not isinstance(values[0], str) or not values[0]:
        return None
    default = values[1]
    return Argument(
        name=values[0],
        flag=f"--{values[0]}",
        default=default if isinstance(default, str | int | float) else None,
        switch=kind not in ("DEFINE_float", "DEFINE_integer", "DEFINE_string", "DEFINE_enum"),
        help=_text(call.args[-1]),
    )


def _parameters(function: ast.FunctionDef) -> Iterator[Argument]:
    """Those of the function that fire or typer makes a command."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    defaults = [None] * (len(arguments) - len(function.args.defaults)) + [*function.args.defaults]
    pairs = [*zip(arguments, defaults, strict=True)]
    pairs += zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    for argument, node in pairs:
        value = _literal(_within_option(node))
        yield Argument(
            name=argument.arg,
            flag="--" + argument.arg.replace("_", "-") if node is not None else "",
            default=value if isinstance(value, str | int | float) else None,
            switch=isinstance(value, bool),
            required=node is None,
        )


def _within_option(node: ast.expr | None) -> ast.expr | None:
    """The value of `typer.Option(0.1)`."""
    if isinstance(node, ast.Call) and node.args:
        return node.args[0]
    return node


def _literal(node: ast.expr | None) -> Any:
    """The plain value that an expression is; None for any other."""
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _text(node: ast.expr | None) -> str:
    found = _literal(node)
    return " ".join(found.split()) if isinstance(found, str) else ""


# --------------------------------------------------------------------------------------- Hydra


def _hydra(tree: ast.Module, folder: str) -> Iterator[Argument]:
    """The keys of the configuration that `@hydra.main` names, with their values."""
    said = _decorated(tree)
    below, name = said.get("config_path"), said.get("config_name")
    if not isinstance(name, str):
        return
    name = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
    document = _yaml(os.path.join(folder, below if isinstance(below, str) else "", name))
    if isinstance(document, Mapping):
        for key, value in islice(_keys_of(document, "", DEEPEST), MOST):
            if isinstance(value, str | int | float) and "${" not in str(value) and value != "???":
                yield Argument(name=key, default=value)


def _decorated(tree: ast.Module) -> dict[str, Any]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted(node.func) == "hydra.main":
            return {each.arg: _literal(each.value) for each in node.keywords if each.arg}
    return {}


def _yaml(path: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(read_text(path, LARGEST_CONFIG) or "")
    except (ValueError, yaml.YAMLError, RecursionError):
        return None


def _keys_of(document: Mapping[Any, Any], before: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Dotted keys with their values, those of sections among them; Hydra's own are left out."""
    for key, value in document.items():
        if isinstance(key, str) and (before or key not in ("defaults", "hydra")):
            yield f"{before}{key}", value
            if isinstance(value, Mapping) and depth:
                yield from _keys_of(value, f"{before}{key}.", depth - 1)
