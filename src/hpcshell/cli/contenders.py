"""The policies that `hpc simulate` compares: by their names, or as files configure them; no two
of them are called the same."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.words import safe
from hpcshell.machine.configfiles import policy_settings
from hpcshell.sim.policies import Policy, configured, policy_names, policy_of


def policies_of(chosen: Mapping[str, Any]) -> list[Policy]:
    """Those that were named, each once; EASY if none was."""
    names = list(chosen["policies"])
    if chosen["compare"] is not None:
        names += policy_names(chosen["compare"])
    how = {option: chosen[option] for option in ("order", "fill", "predict", "variant")}
    found: dict[tuple[str, str], Policy] = {}
    for name in names or ["easy"]:
        if is_file(name):
            found.setdefault(("file", os.path.realpath(name)), _of_file(name, how))
        else:
            policy = policy_of(name, **how)
            found.setdefault(("name", policy.name), policy)
    paths = [name if kind == "file" else "" for kind, name in found]
    return _told_apart(list(found.values()), paths)


def is_file(name: str) -> bool:
    """Whether that names a file, and no policy that has a name."""
    return "/" in name or name.endswith(".toml")


def _of_file(name: str, how: Mapping[str, Any]) -> Policy:
    given = next((option for option in ("order", "fill", "predict") if how[option]), None)
    if given is not None:
        raise Wrong(f"--{given} beside the policy file {safe(name)}", "say it in the file")
    return configured(_stem(name, 1), policy_settings(name), how["variant"])


def _stem(path: str, parts: int) -> str:
    """The last parts of a path, without the ending; as it is told."""
    return safe("/".join(path.split("/")[-parts:]).removesuffix(".toml"))


def _told_apart(policies: list[Policy], paths: list[str]) -> list[Policy]:
    """With as much of the path before a file's name as it takes: `a/p` and `b/p`."""
    for parts in range(2, max(path.count("/") for path in paths) + 2):
        files = Counter(policy.slug for policy in policies)
        policies = [
            replace(policy, name=_stem(path, parts)) if path and files[policy.slug] > 1 else policy
            for policy, path in zip(policies, paths, strict=True)
        ]
    return policies
