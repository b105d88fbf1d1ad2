"""What `hpc sweep run` and `resume` are asked for: a specification, places, and what points get."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import click
from msgspec.structs import replace

from hpcshell.cli.inputs import content
from hpcshell.cli.requests import job_options, take_settings
from hpcshell.cli.verb import ON
from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.options.row import Option
from hpcshell.core.options.table import BY_NAME
from hpcshell.core.records import Record
from hpcshell.core.words import quote
from hpcshell.flow.spec import Spec
from hpcshell.sweeps.face import LARGEST, load, understood
from hpcshell.sweeps.making import Source, with_care, with_snapshot
from hpcshell.sweeps.places import MODES
from hpcshell.sweeps.resources import keywords, over, site_of, sweep_options
from hpcshell.sweeps.wanted import Wanted, wanted

FILES: Final = ("sweep.yaml", "sweeps/sweep.yaml")
"""Where a specification is looked for, where none is named."""
_NOT_OURS: Final = frozenset(
    {"name", "tag", "array", "throttle", "dependency", "output", "error", "input", "open_mode"}
    | {"after", "afterok", "afternotok", "afterany", "on_never", "screen", "chdir", "export", "env"}
    | {"priority", "retries", "retry_on", "retry_delay", "retry_factor", "retry_max_delay"}
    | {"retry_jitter", "retry_grow", "retry_cap", "model", "mode", "dtype", "ctx", "batch"}
    | {"hold", "unique", "gang", "stage_in", "stage_out"}
)
"""Options of a job that a sweep sets itself, has by another name, or cannot have."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def placing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where points go and what each of them gets."""
    options: list[Decorator] = [
        click.option(
            "--mode",
            metavar="MODE",
            help=f"How points become jobs: {', '.join(MODES)}.  [default: auto]",
        ),
        click.option("--remote", metavar="NAME", help="As --mode remote --on NAME."),
        click.option("--walltime", metavar="TIME", help="The same as --time."),
        click.option(
            "--resources",
            metavar="TEXT",
            default="",
            help="What a point gets, in the words of PBS (select=2:ncpus=8:mem=32gb), of Slurm "
            "(--nodes=2 --mem=32G) or of hpc (cpus=4 memory=8G gpus=0.5).",
        ),
        click.option("--wait", "-W", is_flag=True, help="Return when it has ended."),
        job_options(_ours, letters=False),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _ours(row: Option) -> bool:
    return row.name not in _NOT_OURS


class Placed(Record, frozen=True, kw_only=True):
    """Where points go, by a mode and names, and the keywords of `hpcshell.submit` for them."""

    mode: str | None
    on: str | None
    options: dict[str, Any]
    wait: bool


def take_placing(chosen: dict[str, Any], spec: Spec, *, again: bool = False) -> Placed:
    """Take the options of `placing` out of what click found. What neither they nor the
    specification say is as HSM_HPC_SYSTEM and its like, or hsm_config.yaml, have it; or, where
    points go `again` and nobody says where, as it was."""
    mode, on = _place(chosen)
    as_it_was = again and mode is None and on is None
    usual = wanted(".", usual="")
    if on is None and mode != "local" and usual.system != "auto" and not as_it_was:
        on = usual.system
    site = "" if mode == "local" else site_of(on)
    options = _options(chosen, site)
    if not as_it_was:
        options = over(options, _usual(spec, usual, options, site))
    return Placed(mode=mode, on=on, options=options, wait=chosen.pop("wait"))


def _place(chosen: dict[str, Any]) -> tuple[str | None, str | None]:
    on, remote = click.get_current_context().meta.get(ON), chosen.pop("remote")
    mode = chosen.pop("mode")
    if remote is None:
        return mode, on
    if on not in (None, remote) or mode not in (None, "remote"):
        raise Wrong("--remote names where points go, and --on or --mode says otherwise", _ONE)
    return "remote", remote


_ONE: Final = "give one of them"


def _options(chosen: dict[str, Any], site: str) -> dict[str, Any]:
    walltime, text = chosen.pop("walltime"), chosen.pop("resources")
    if walltime is not None and chosen["time_limit"] is not None:
        raise Wrong("--walltime and --time say the same", _ONE)
    if walltime is not None:
        chosen["time_limit"] = walltime
    said = sweep_options(text, site, "--resources: ")
    own = keywords(take_settings(chosen), site)
    if both := [name for name in said if name in own and name != "native"]:
        raise Wrong(f"--resources and {BY_NAME[both[0]].flag} say the same", _ONE)
    return {**said, **own}


def _usual(spec: Spec, hsm: Wanted, options: Mapping[str, Any], site: str) -> dict[str, Any]:
    """What HSM_HPC_WALLTIME, HSM_HPC_RESOURCES and hsm_config.yaml say, where nobody else does."""
    said = over(options, over(spec.options, sweep_options(spec.resources)))
    found: dict[str, Any] = {}
    if not any(BY_NAME[name].panel == _RESOURCES for name in said if name in BY_NAME):
        found |= sweep_options(hsm.resources, site, "HSM_HPC_RESOURCES: ")
    if "time_limit" not in said and hsm.walltime:
        found["time_limit"] = hsm.walltime
    queue, account = {
        "pbs": (hsm.pbs.queue, hsm.pbs.account),
        "sbatch": (hsm.slurm.partition, hsm.slurm.account),
    }.get(site, ("", ""))
    found |= {"partition": queue} if queue and "partition" not in said else {}
    return found | ({"account": account} if account and "account" not in said else {})


_RESOURCES: Final = BY_NAME["cpus"].panel


# ------------------------------------------------------------------------------ the specification


def source_of(positional: str | None, config: str | None) -> Source:
    """The specification that is named, or that lies where one is looked for."""
    if positional and config:
        raise Wrong(f"{quote(positional)} and --config name two files", _ONE)
    named = positional or config
    if named:
        return _loaded(named)
    for path in FILES:
        if os.path.exists(path):
            return load(path)
    raise NotFound(
        f"there is no {' and no '.join(FILES)} here",
        "hpc sweep init writes one; another is named with --config",
    )


def _loaded(path: str) -> Source:
    """Also of a pipe, such as <(generate): it has no name that means anything the next time."""
    if os.path.exists(path) and not os.path.isfile(path):
        return understood(content(path, LARGEST), path)
    return load(path)


def changed(source: Source, chosen: dict[str, Any]) -> Source:
    """The specification with what the command line says otherwise."""
    spec = with_care(
        source.spec,
        **{
            name: chosen.pop(name)
            for name in ("max_failures", "same_error", "throttle", "priority", "retries")
        },
    )
    spec = with_snapshot(spec, chosen.pop("snapshot"))
    group = chosen.pop("group")
    if group:
        spec = replace(spec, tags=tuple(dict.fromkeys([*spec.tags, group])))
    return Source(spec, source.path, source.text)
