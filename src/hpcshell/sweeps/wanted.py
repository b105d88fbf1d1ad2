"""What sweeps ask for where nothing was said: variables of the environment, then a YAML file.

hpc:
  default_walltime: "04:00:00"
  default_resources: "select=1:ncpus=4:mem=16gb"
  python_interpreter: "python"
  system: "auto"
  pbs: {queue: "normal", account: "my_project"}
  slurm: {partition: "compute", account: "my_account"}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.records import Record
from hpcshell.core.units import format_clock
from hpcshell.core.words import safe
from hpcshell.store.decoding import converted

DEFAULT_WALLTIME: Final = "04:00:00"
FILE: Final = "hsm_config.yaml"
VARIABLE: Final = "HSM_CONFIG"


class Pbs(Record, frozen=True, kw_only=True):
    """What only PBS is told."""

    queue: str = ""
    account: str = ""


class Slurm(Record, frozen=True, kw_only=True):
    """What only Slurm is told."""

    partition: str = ""
    account: str = ""


class Section(Record, frozen=True, kw_only=True):
    """The section `hpc` of the file. YAML takes 8:00:00 for a number of seconds."""

    default_walltime: str | int = ""
    default_resources: str = ""
    python_interpreter: str = "python"
    system: str = "auto"
    pbs: Pbs = Pbs()
    slurm: Slurm = Slurm()


class Wanted(Record, frozen=True, kw_only=True):
    """What counts, wherever it was said."""

    walltime: str
    resources: str
    python_path: str
    system: str
    pbs: Pbs
    slurm: Slurm


def wanted(
    project: str | os.PathLike[str],
    file: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] = os.environ,
    *,
    usual: str = DEFAULT_WALLTIME,
) -> Wanted:
    """Variables, over the file, over what is usual. `usual`: the time limit where nobody says
    one."""
    section = _section(project, file, env)
    walltime = section.default_walltime
    if isinstance(walltime, int):
        walltime = format_clock(float(walltime))
    return Wanted(
        walltime=env.get("HSM_HPC_WALLTIME") or walltime or usual,
        resources=env.get("HSM_HPC_RESOURCES") or section.default_resources,
        python_path=section.python_interpreter,
        system=env.get("HSM_HPC_SYSTEM") or section.system,
        pbs=section.pbs,
        slurm=section.slurm,
    )


def _section(
    project: str | os.PathLike[str], file: str | os.PathLike[str] | None, env: Mapping[str, str]
) -> Section:
    named = file or env.get(VARIABLE)
    path = Path(named or Path(project) / FILE)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        if named:
            raise NotFound(f"there is no file {safe(str(path))}", "look at the spelling") from None
        return Section()
    except OSError as error:
        raise Wrong(f"{safe(str(path))} cannot be read: {error.strerror}", "name a file") from None
    return _read(text, str(path))


def _read(text: bytes, path: str) -> Section:
    document = _yaml(text, path)
    section = document.get("hpc") if isinstance(document, dict) else None
    try:
        return converted(section or {}, Section)
    except msgspec.ValidationError as error:
        raise Wrong(f"{safe(path)}: hpc: {safe(str(error))}", "mend the file") from None


def _yaml(text: bytes, path: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = safe(" ".join(str(error).split())[:200])
        raise Wrong(f"{safe(path)} is no YAML: {told}", "mend the file") from None
