"""The policies of the simulator by name, and what they are in the numbers of the kernel.

A policy is how many promises are kept (backfill), the order of the line, the order in which those
behind the first in line may pass it, and what run times are expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.settings import Settings
from hpcshell.core.words import nearest, quote
from hpcshell.sim.kernel import scores
from hpcshell.sim.kernel.state import (
    ALL,
    CLAIRVOYANT,
    EASY,
    GREEDY,
    LAST_TWO,
    NONE,
    REQUEST,
    SHRUNK,
    Rules,
    plans,
)

ORDERS: Final[dict[str, int]] = scores.NUMBERS
"""The orders of a line."""

RATIO, MEDIAN = 4, 5
"""`Rules.predictor`, of what the kernel does not know."""

PREDICTORS: Final[dict[str, int]] = {
    "request": REQUEST,
    "last2": LAST_TWO,
    "shrunk": SHRUNK,
    "clairvoyant": CLAIRVOYANT,
    "ratio": RATIO,
    "median": MEDIAN,
}
"""What run time is expected of a job: what was asked for; the mean of its user's last two runs; the
part of their requests that its user's jobs use, those most like it first; the run time that it will
have; the largest part of their requests that its user's last jobs used; the median of its user's
jobs of the same request and size."""

VARIANTS: Final[dict[str, bool]] = {"instant": False, "sc15": True}
"""One decision for all events of an instant; one after each event, as in the published schedules.
"""

HYBRID: Final = "hybrid"
MOST_PROMISES: Final = 10**9


class Policy(Record, frozen=True, kw_only=True):
    """What `Rules` say, in words. `promises` is one of the kernel's numbers; `fill` "" is the order
    of the line. With `settings` it is what these configure, and the words only say so."""

    name: str
    promises: int = EASY
    order: str = "fifo"
    fill: str = ""
    predict: str = "request"
    variant: str = "instant"
    settings: Settings | None = None

    @property
    def label(self) -> str:
        """The name, and what is not as the name says: `easy, order wfp3`."""
        if self.settings is not None:
            return self.name
        own = _named(self.name) if self.name else self
        others = [
            f"{field} {getattr(self, field)}"
            for field in ("order", "fill", "predict")
            if getattr(self, field) != getattr(own, field)
        ]
        return ", ".join([self.name, *others])

    @property
    def fills(self) -> bool:
        """Whether those that pass the first in line have an order."""
        return self.promises not in (NONE, ALL)

    @property
    def slug(self) -> str:
        """The name as a part of the name of a file."""
        return self.name.replace(":", "-").replace("/", "--")

    def rules(self, machine: int) -> Rules:
        """The same for the kernel, on a machine of so many processors."""
        return Rules(
            total=machine,
            promises=self.promises,
            order=ORDERS[self.order],
            fill=ORDERS[self.fill or self.order],
            predictor=PREDICTORS[self.predict],
            stepwise=VARIANTS[self.variant],
        )


NAMED: Final[dict[str, Policy]] = {
    policy.name: policy
    for policy in (
        Policy(name="fcfs", promises=NONE),
        Policy(name="greedy", promises=GREEDY),
        Policy(name="easy"),
        Policy(name="easy-sjbf", fill="sjf"),
        Policy(name="easy++", fill="sjf", predict="last2"),
        Policy(name="conservative", promises=ALL),
        Policy(name="expansion", order="expansion", predict="shrunk"),
    )
}
"""The policies that have names, as `--compare all` takes them."""

ALIASES: Final[dict[str, str]] = {
    "best": "expansion",
    "none": "fcfs",
    "first-fit": "greedy",
    "sjbf": "easy-sjbf",
    "easypp": "easy++",
}


def policy_of(
    name: str,
    *,
    order: str | None = None,
    fill: str | None = None,
    predict: str | None = None,
    variant: str = "instant",
) -> Policy:
    """The policy of that name, with what is given instead of its own. Where nobody passes the
    first in line, or by promises alone, there is no order to `fill` by.

    Raises `Wrong`: a name that is not known, with the nearest that is.
    """
    known = _named(name.strip().lower())
    asked = _one_of(fill, ORDERS, "--fill") if known.fills else None
    return Policy(
        name=known.name,
        promises=known.promises,
        order=_one_of(order, ORDERS, "--order") or known.order,
        fill=asked or known.fill,
        predict=_one_of(predict, PREDICTORS, "--predict") or known.predict,
        variant=_one_of(variant, VARIANTS, "--variant") or "instant",
    )


def configured(name: str, settings: Settings, variant: str = "instant") -> Policy:
    """The policy that a configuration chooses, as the daemon would go by it."""
    own = settings.scheduler
    return Policy(
        name=name,
        order=own.order,
        fill="" if own.backfill_order == "same" else own.backfill_order,
        predict=own.predict,
        variant=_one_of(variant, VARIANTS, "--variant") or "instant",
        settings=settings,
    )


def policy_names(text: str) -> list[str]:
    """The names in a list such as `easy,conservative`; `all` stands for all that have one."""
    names: list[str] = []
    for word in text.split(","):
        if word.strip().lower() == "all":
            names += NAMED
        elif word.strip():
            names.append(word.strip())
    if not names:
        raise Wrong(f"--compare: {quote(text)} names no policy", f"write {', '.join(NAMED)} or all")
    return names


def _named(name: str) -> Policy:
    name = ALIASES.get(name, name)
    if name in NAMED:
        return NAMED[name]
    kind, colon, number = name.partition(":")
    if kind == HYBRID:
        return _hybrid(number if colon else "")
    known = [*NAMED, *ALIASES, f"{HYBRID}:N"]
    near = nearest(name, known)
    meant = f"; did you mean {near}?" if near else ""
    raise Wrong(f"there is no policy {quote(name)}{meant}", f"there are {', '.join(known)}")


def _hybrid(number: str) -> Policy:
    whole = number.isascii() and number.isdigit() and len(number) <= len(str(MOST_PROMISES))
    if not whole or not 1 <= int(number) <= MOST_PROMISES:
        raise Wrong(
            f"{quote(f'{HYBRID}:{number}')} does not say how many promises it keeps",
            f"write {HYBRID}:4 for the first four in line",
        )
    return Policy(name=f"{HYBRID}:{int(number)}", promises=int(number))


def _one_of(word: str | None, known: Iterable[str], option: str) -> str | None:
    if word is None or word in known:
        return word
    if word.strip().lower() in known:
        return word.strip().lower()
    near = nearest(word.lower(), known)
    meant = f"; did you mean {near}?" if near else ""
    raise Wrong(f"{option}: there is no {quote(word)}{meant}", f"there are {', '.join(known)}")


def replays(policy: Policy, machine: int) -> bool:
    """Whether the policy is more than the kernel knows."""
    return policy.settings is not None or needs_replay(policy.rules(machine))


def needs_replay(rules: Rules) -> bool:
    """Whether these rules are more than the kernel knows: it keeps more than one promise only
    first come, first served, and where nothing is held for longer than was expected."""
    if rules.predictor in (RATIO, MEDIAN):
        return True
    outlasted = rules.predictor in (LAST_TWO, SHRUNK)
    return plans(rules) and (outlasted or rules.order != scores.FIFO or rules.fill != rules.order)
