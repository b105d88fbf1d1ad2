"""What of the configuration must fit together: accounts make a tree, QOS preempt without a circle.

Raises `Wrong` with the place of the key that does not fit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.settings import Settings
from hpcshell.core.words import nearest, quote

ROOT: Final = "root"
DEEPEST: Final = 64
"""Accounts one below the other."""


def check_ties(settings: Settings, origins: Mapping[str, str]) -> None:
    """Check what several keys say together; `origins`: where each was said."""

    def at(key: str) -> str:
        return f"{origins.get(key, 'default')}: {key}"

    _check_accounts(settings, at("accounts.root") if ROOT in settings.accounts else "", origins)
    for name, qos in settings.qos.items():
        for other in qos.preempts:
            if other not in settings.qos:
                raise _unknown(at(f"qos.{name}.preempts"), "QOS", other, settings.qos)
        if name in _preempted(settings, name):
            raise Wrong(
                f"{at(f'qos.{name}.preempts')}: the QOS {name} would preempt itself",
                "let only one of two QOS preempt the other",
            )
    defaults = settings.defaults
    if settings.qos and defaults.qos and defaults.qos not in settings.qos:
        raise _unknown(at("defaults.qos"), "QOS", defaults.qos, settings.qos)
    if settings.accounts and defaults.account and defaults.account not in settings.accounts:
        raise _unknown(at("defaults.account"), "account", defaults.account, settings.accounts)
    order = settings.scheduler.order
    if settings.scheduler.preempt_gap is not None and order != "priority":
        raise Wrong(
            f"{at('scheduler.preempt_gap')} needs order priority, not {order}",
            "who preempts must go first: leave preempt_gap out, or choose order priority",
        )
    sliced = [name for name, one in settings.partitions.items() if one.time_sliced]
    if sliced and order != "priority":
        raise Wrong(
            f"{at(f'partitions.{sliced[0]}.time_sliced')} needs order priority, not {order}",
            "who takes turns must be equal but for that: leave it out, or choose order priority",
        )


def _check_accounts(settings: Settings, root: str, origins: Mapping[str, str]) -> None:
    if root:
        raise Wrong(f"{root} is always there", "give the accounts below it only")
    for name, account in settings.accounts.items():
        key = f"accounts.{name}.parent"
        line, above = [name], account.parent
        while above != ROOT:
            if above not in settings.accounts:
                place = origins.get(f"accounts.{line[-1]}.parent", "default")
                raise _unknown(
                    f"{place}: accounts.{line[-1]}.parent", "account", above, settings.accounts
                )
            if above in line or len(line) > DEEPEST:
                why = "is below itself" if above in line else f"is below {DEEPEST} others"
                place = origins.get(key, "default")
                raise Wrong(f"{place}: {key}: the account {above} {why}", "give another parent")
            line.append(above)
            above = settings.accounts[above].parent


def _preempted(settings: Settings, name: str) -> set[str]:
    """All QOS that `name` preempts, through others, too."""
    found: set[str] = set()
    left = list(settings.qos[name].preempts)
    while left:
        one = left.pop()
        if one not in found and one in settings.qos:
            found.add(one)
            left += settings.qos[one].preempts
    return found


def _unknown(place: str, what: str, word: str, known: Collection[str]) -> Wrong:
    near = nearest(word, known)
    hint = f"did you mean {near}?" if near else f"there are: {', '.join(sorted(known))}"[:180]
    return Wrong(f"{place}: there is no {what} {quote(word)}", hint)
