"""Tries the behaviours on a back end, many at a time, and draws the matrix.

python -m tests.conformance.matrix            all back ends of the tests, into verdicts.json
python -m tests.conformance.matrix slurm      one of them
python -m tests.conformance.matrix mycluster  a cluster of one's own, as --on means it
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpcshell.core.errors import HpcError
from hpcshell.jobs.doors import Door, door
from tests.conformance.behaviours import ALONE, BEHAVIOURS, LONG
from tests.conformance.bench import Bench, Lacking, lacking
from tests.conformance.record import HOLDS, LACKS, Verdicts, record, table
from tests.conformance.sites import NAMES, Site, site

AT_ONCE = 8
ROOT = Path(__file__).resolve().parents[2]


def tried(way: Door, here: Site, behaviours: Iterable[str] = BEHAVIOURS) -> Verdicts:
    """What holds behind a door. What takes long is begun first."""
    chosen = list(behaviours)
    order = sorted(chosen, key=lambda name: (name not in LONG, chosen.index(name)))
    workers = 1 if ALONE.issuperset(chosen) else AT_ONCE
    with (
        tempfile.TemporaryDirectory(prefix="hpc-conformance-", ignore_cleanup_errors=True) as where,
        ThreadPoolExecutor(max_workers=workers) as pool,
    ):

        def one(name: str) -> str:
            return _one(Bench(way, Path(where) / name, here), name)

        found = dict(zip(order, pool.map(one, order), strict=True))
    return {name: found[name] for name in chosen}


def _one(bench: Bench, name: str) -> str:
    bench.directory.mkdir()
    begun = time.monotonic()
    verdict = _verdict(bench, name)
    if verdict != HOLDS:
        bench.tidy()
    if os.environ.get("CONFORMANCE_TIMES"):
        sys.stderr.write(f"{time.monotonic() - begun:7.1f} s  {name}\n")
    return verdict


def _verdict(bench: Bench, name: str) -> str:
    try:
        BEHAVIOURS[name](bench)
    except Lacking as lack:
        return f"{LACKS}{lack}"
    except HpcError as error:
        if error.exit_code not in (2, 4) or not error.hint:
            return _told(error)
        return f"{LACKS}{lacking(error)}"
    except (Exception, pytest.fail.Exception) as error:  # whatever it is: it does not hold
        return _told(error)
    return HOLDS


def _told(error: BaseException) -> str:
    """What went wrong, and in which line of the behaviour."""
    frames = traceback.extract_tb(error.__traceback__)
    line = [frame.line for frame in frames if "behaviours" in frame.filename][-1]
    return f"{type(error).__name__}: {str(error).strip()} ({line})"


def verdicts(name: str, behaviours: Sequence[str] = tuple(BEHAVIOURS)) -> Verdicts:
    """Of a back end of the tests, or of a cluster of one's own. What would disturb the others is
    tried beside them, from a process and a home of its own."""
    together = [each for each in behaviours if each not in ALONE]
    alone = [each for each in behaviours if each in ALONE]
    if not together or not alone:
        return _here(name, behaviours)
    with ThreadPoolExecutor(max_workers=1) as pool:
        beside = pool.submit(_elsewhere, name, alone, dict(os.environ))
        found = _here(name, together) | beside.result()
    return {each: found[each] for each in behaviours}


def _here(name: str, behaviours: Iterable[str]) -> Verdicts:
    if name in NAMES:
        with site(name) as here:
            return tried(door(name), here, behaviours)
    limits = json.loads(os.environ.get("CONFORMANCE_LIMITS", "{}"))
    return tried(door(name), Site(name=name, limits=limits), behaviours)


def _elsewhere(
    name: str, behaviours: Iterable[str] = (), env: Mapping[str, str] | None = None
) -> Verdicts:
    """What another process finds: a site of the tests is told of by the environment, of which
    there is one in each."""
    words = [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        "tests.conformance.matrix",
        "--json",
        name,
        *behaviours,
    ]
    done = subprocess.run(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    found: Verdicts = json.loads(done.stdout)
    return found


def of_all(names: Iterable[str] = NAMES) -> dict[str, Verdicts]:
    """Of all back ends of the tests, all at once: mostly they wait."""
    several = list(names)
    with ThreadPoolExecutor(max_workers=len(several)) as pool:
        return dict(zip(several, pool.map(_elsewhere, several), strict=True))


def main() -> int:
    words = sys.argv[1:]
    if words[:1] == ["--json"]:
        json.dump(verdicts(words[1], words[2:] or tuple(BEHAVIOURS)), sys.stdout)
        return 0
    name, behaviours = (words or [""])[0], tuple(words[1:]) or tuple(BEHAVIOURS)
    columns = {name: verdicts(name, behaviours)} if name else of_all()
    sys.stdout.write(table(columns))
    bad = [
        f"{each}: {behaviour}: {what}\n"
        for each, found in columns.items()
        for behaviour, what in found.items()
        if what != HOLDS and not what.startswith(LACKS)
    ]
    sys.stderr.write("".join(bad))
    if not name and not bad:
        record(columns)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
