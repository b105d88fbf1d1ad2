"""What each place is told of the points that go there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from hpcshell.core.records import Record
from hpcshell.flow.care import causes
from hpcshell.flow.spec import Care, Snapshot, Spec
from hpcshell.jobs.doors import LOCAL
from hpcshell.sweeps import snapshots
from hpcshell.sweeps.folder import Manifest
from hpcshell.sweeps.ledger import Ledger, Target
from hpcshell.sweeps.places import check_mode, targets
from hpcshell.sweeps.resources import over, site_of, sweep_options


class Ask(Record, frozen=True, kw_only=True):
    """Where points are to go, as somebody says it: a mode, names of places, and options that win
    over those of the specification. Nothing said: where they went last."""

    mode: str | None = None
    on: tuple[str, ...] = ()
    options: Mapping[str, Any]


def aimed(manifest: Manifest, ledger: Ledger, ask: Ask, points: int) -> tuple[Target, ...]:
    """A target for each place."""
    if ask.mode is None and not ask.on and ledger.last is not None:
        kept = ledger.last.targets
        return tuple(replace(one, options=over(ask.options, one.options)) for one in kept)
    found = targets(check_mode(ask.mode or "auto"), ask.on, {}, points, manifest.code)
    return tuple(_complete(manifest, one, ask.options) for one in found)


def _complete(manifest: Manifest, target: Target, options: Mapping[str, Any]) -> Target:
    """With all that is asked for there, and with a copy of the project where it is needed."""
    spec, code = manifest.spec, target.code
    if target.staged and not code:
        code = snapshots.take(manifest.project, spec.snapshot or Snapshot(), manifest.source)
    return replace(target, options=options_at(spec, target, options), code=code)


def options_at(spec: Spec, target: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    """All that is asked for at a place, as `hpcshell.submit` takes it; `options` win."""
    said = sweep_options(spec.resources, site_of(target.on)) if spec.resources else {}
    return over(options, over(spec.options, {**_cared(spec.care, target), **said}))


def _cared(care: Care, target: Target) -> dict[str, Any]:
    """What a scheduler sees to by itself: the throttle of an array, and on this machine retries."""
    asked: dict[str, Any] = {}
    if care.throttle is not None and target.shape == "array":
        asked["throttle"] = care.throttle
    if care.priority is not None:
        asked["priority"] = care.priority
    if care.retries and target.on == LOCAL:
        asked["retries"] = care.retries
        more = {
            "retry_on": list(causes(care.retry_on)),
            "retry_grow": dict(care.retry_grow),
            "retry_cap": dict(care.retry_cap),
        }
        asked |= {name: value for name, value in more.items() if value}
    return asked
