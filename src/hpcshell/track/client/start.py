"""`track.run`: how a run begins.

Names of the environment: HPC_TRACK_URL (or TRACKER_API), HPC_TRACK_TOKEN, HPC_TRACK_DIR,
HPC_TRACK_RUN_ID, HPC_TRACK_FLUSH.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping
from typing import Any, Final, TypedDict, Unpack, cast

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.words import name_from, nearest
from hpcshell.machine.paths import Places, places
from hpcshell.track.client import addresses, current, endings, lines, say, surroundings
from hpcshell.track.client.active import ActiveRun
from hpcshell.track.client.courier import SpoolCourier
from hpcshell.track.client.spool import Nowhere, Spool, open_spool
from hpcshell.track.store import configs, texts

FLUSH: Final = 5.0
"""Seconds for which the end of a run waits for the server, unless it is said."""
LONGEST_FLUSH: Final = 3600.0


class RunOptions(TypedDict, total=False):
    """The keywords of `track.run`, each of them optional."""

    name: str
    config: Any
    """A mapping, or an object with attributes, as argparse has."""
    tags: Mapping[str, Any]
    seed: int | None
    parent: str | None
    """Id of the run that this is a part of; without it the run that this thread is within."""
    run_id: str | None
    """Join this run. Any text: the same text of the same experiment is the same run."""
    url: str | None
    """Of the server; `""`: none, whatever the environment says."""
    token: str | None
    dir: str | os.PathLike[str] | None
    """Directory of the spool file."""
    flush: float | None
    """Seconds for which its end waits for the server."""


_OPTIONS: Final = tuple(RunOptions.__annotations__)
_joined: Final[dict[str, int]] = {}
"""How often a run of the environment's was begun in this process."""


def run(experiment: str, **options: Unpack[RunOptions]) -> ActiveRun:
    """Begin a run; use it in a `with`, which ends it. Raises `Wrong` for an impossible name."""
    if not isinstance(experiment, str):
        raise Wrong(f"{experiment!r:.100} is no experiment", "name one: track.run('mnist')")
    texts.key(experiment, "experiment")
    options = _understood(options)
    here = _places()
    said = options.get("run_id") or os.environ.get("HPC_TRACK_RUN_ID")
    outer = current.enclosing()
    run_id = _run_id(experiment, said, bool(options.get("run_id")))
    rank = surroundings.rank_of(os.environ) if said else 0
    first = _sent_to(options) | _first_line(experiment, run_id, options, outer) | {"rank": rank}
    opening = _opening(run_id, first, options.get("dir"), here)
    known = configs.flat(first["config"])
    begun = ActiveRun(run_id, experiment, opening, rank=rank, params=known)
    begun.patience = _flush(options.get("flush"))
    begun.when_ended = _when_ended
    _send(begun, _target(options, here))
    current.begun(begun)
    endings.watch()
    return begun


def _understood(options: RunOptions) -> RunOptions:
    """Those that there are, texts as texts. What is none is said, with what is like it."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if name not in _OPTIONS:
            near = nearest(name, _OPTIONS)
            meant = f"did you mean {near}?" if near else f"there are {', '.join(_OPTIONS)}"
            say.once(f"option {name}", f"track.run: {name!r:.100} is no option; {meant}")
        elif name in ("url", "token", "dir") and not isinstance(value, str | os.PathLike | None):
            say.once(f"option {name}", f"track.run: {name} is a text, and no {say.shown(value)}")
        else:
            whose = name == "run_id" and value is not None
            found[name] = str(value) if whose else value
    return cast(RunOptions, found)


def _when_ended(run: ActiveRun) -> None:
    current.ended(run)
    endings.unwatch()


def _places() -> Places | None:
    try:
        return places(os.environ)
    except HpcError:
        return None


def _run_id(experiment: str, said: str | None, by_argument: bool) -> str:
    """A new id, or that of a run that others join, too: each of them finds the same."""
    if not said:
        return os.urandom(16).hex()
    times = 0
    if not by_argument:  # the environment's counts for each run of the script in turn
        times = _joined.get(said, 0)
        _joined[said] = times + 1
    if times == 0 and re.fullmatch("[0-9a-f]{32}", said):
        return said
    import hashlib

    # The user's: what another has called theirs cannot be in the way.
    text = "\0".join((said, experiment, str(times), surroundings.user(os.environ)))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def _first_line(
    experiment: str, run_id: str, options: RunOptions, outer: ActiveRun | None
) -> dict[str, Any]:
    return {
        "t": time.time(),
        "run_id": run_id,
        "experiment": experiment,
        "name": _name(options.get("name")),
        "config": _config(options.get("config")),
        "tags": _tags(options.get("tags")),
        "seed": _seed(options.get("seed")),
        "user": surroundings.user(os.environ),
        "host": surroundings.host(),
        "job": surroundings.job_of(os.environ),
        "parent": _parent(options.get("parent") or (outer.run_id if outer else None), run_id),
    }


def _sent_to(options: RunOptions) -> dict[str, str]:
    """The server that was named: another one that finds the file does not remove it."""
    url = addresses.find_url(options.get("url"), os.environ, None)
    with contextlib.suppress(HpcError):
        return {"to": addresses.parse(url).shown} if url else {}
    return {}


def _name(given: Any) -> str:
    return name_from(str(given or "")).encode()[:250].decode(errors="ignore")


def _config(given: Any) -> dict[str, Any]:
    """A configuration that the tracker keeps: as it is, or where that cannot be, as a text. A key
    that cannot be printed is left out."""
    found = {} if given is None else lines.fields("config", given)
    if found is None:
        return {"config": lines.text_of(given)}
    try:
        found = _printable(found, "")
        configs.encoded(found)
        configs.flat(found)
    except Wrong as error:
        say.once("config", f"the configuration is recorded as a text: {error.message}")
        return {"config": lines.text_of(lines.encode(found).decode())}
    return found


def _printable(config: Mapping[str, Any], front: str) -> dict[str, Any]:
    """It without the keys that no parameter may have. `front`: what it is within, and a dot."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if not lines.is_key(front + key):
            shown = f"{front}{key}"
            say.once(
                f"config {shown:.300}",
                f"{shown!r:.100} of the configuration is not recorded: a name is 1 to 250 bytes"
                " that can be printed",
            )
        else:
            within = isinstance(value, Mapping) and value
            found[key] = _printable(value, f"{front}{key}.") if within else value
    return found


def _tags(given: Any) -> dict[str, str]:
    found = lines.fields("tags", given or {}) or {}
    if odd := [key for key in found if not lines.is_key(key)]:
        say.once("tags", f"the tag {odd[0]!r:.100} is not recorded: its name cannot be printed")
    return {key: lines.text_of(value) for key, value in found.items() if key not in odd}


def _parent(given: Any, run_id: str) -> str | None:
    if given is None or given == run_id:
        return None
    try:
        return texts.run_id(str(given))
    except Wrong as error:
        say.once("parent", f"{error.message}: the run is recorded without a parent")
        return None


def _seed(seed: Any) -> int | None:
    found = None if seed is None else lines.step_of(seed)
    if seed is not None and found is None:
        say.once("seed", f"{seed!r:.100} is no seed: a whole number of 64 bits is")
    return found


def _opening(
    run_id: str, first: dict[str, Any], said: str | os.PathLike[str] | None, here: Places | None
) -> Any:
    """What opens the file of a process: ours now, that of a forked child when it logs."""
    nonce = os.urandom(6).hex()
    named = os.fspath(said) if said else os.environ.get("HPC_TRACK_DIR", "")
    chosen = [os.path.abspath(os.path.expanduser(named))] if named else []
    line = lines.line("run", **first)

    def opening() -> Spool:
        directories = list(chosen)
        if here is not None:
            with contextlib.suppress(HpcError):
                here.track.prepare_spool()
            directories.append(here.track.spool)
        return open_spool(directories, run_id, nonce, line)

    return opening


def _target(options: RunOptions, here: Places | None) -> addresses.Target | None:
    """The server, if there is one that we can speak to.

    A server of this user on this machine takes in the spool files by itself: where we have no token
    for it, nothing need be sent.
    """
    url = addresses.find_url(options.get("url"), os.environ, here)
    if not url:
        return None
    token = addresses.find_token(options.get("token"), os.environ, here)
    try:
        target = addresses.parse(url, token)
    except HpcError as error:
        say.once("url", f"{error.message}: what is logged stays here. {error.hint}")
        return None
    found = not addresses.find_url(options.get("url"), os.environ, None)
    return None if found and not target.authorization and target.scheme != "http+unix" else target


def _flush(said: float | None) -> float:
    for text in (said, os.environ.get("HPC_TRACK_FLUSH")):
        if text is None or text == "":
            continue
        with contextlib.suppress(TypeError, ValueError):
            seconds = float(text)
            if 0 <= seconds <= LONGEST_FLUSH:
                return seconds
        say.once("flush", f"{text!r:.50} is no time to wait: seconds up to {LONGEST_FLUSH:g} are")
    return FLUSH


def _send(run: ActiveRun, target: addresses.Target | None) -> None:
    spool = run.spool
    if isinstance(spool, Nowhere):
        return
    try:
        courier = SpoolCourier(spool, target)
        courier.start()
    except (OSError, RuntimeError) as error:  # no descriptor, no thread
        say.once("thread", f"nothing is sent ({error}): what is logged stays in {spool.path}")
        return
    run.courier = courier
