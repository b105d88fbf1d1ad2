"""Fair share: who has used less than a fair part of the machine goes before who has used more.

Accounts form a tree below the root; users are its leaves. Every account and user has shares, which
count against those of its siblings. What a run has used is charged to its user and to all accounts
above, and fades: it counts half as much after each half-life,

    U(t) = sum of cpu-seconds_i * 2^(-(t - t_i) / half_life)

Since all usage fades alike, no factor changes by the passing of time: only a charge changes one.

    shares = FairShare([Association(account="physics", shares=3.0),
                        Association(account="physics", user="ann")])
    shares.charge("ann", "physics", cpu_seconds=7200.0, at=now)
    shares.factor("ann", "physics")        0..1, the classic factor
    shares.fair_tree()                     {("physics", "ann"): 1.0}, ranks instead of magnitudes
    shares.state()                         a dict of floats; `restore` takes it back

A user who is in no account, or asks for one that they are not in, belongs to the root with one
share, and counts among its members from the first charge on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from math import exp2, inf, isfinite
from typing import Final, NamedTuple

from hpcshell.core.errors import Broken, Wrong
from hpcshell.core.records import Record
from hpcshell.core.units import LONGEST, WEEK
from hpcshell.core.words import check_name, nearest, quote
from hpcshell.policy.checks import MOST, check_number

ROOT: Final = "root"
DEEPEST: Final = 64
"""Accounts one below the other."""

Key = tuple[str, str]
"""(account, user); the user is "" for the account itself."""

_REBASE: Final = 64.0
"""Half-lives after which the reference of all sums moves on, before they grow out of range."""
INSTANT: Final = "instant"


class Association(Record, frozen=True, kw_only=True):
    """An account (`user` "") below `parent`, or a user in an account, with its shares.

    Raises `Wrong` for shares that are NaN, infinite or negative, and for names that cannot be
    printed. Without shares (0) it is only served when nobody else asks.
    """

    account: str
    user: str = ""
    parent: str = ROOT
    shares: float = 1.0

    def __post_init__(self) -> None:
        check_name(self.account, "account")
        if self.user:
            check_name(self.user, "user")
        check_number(f"shares of {self.user or self.account}", self.shares)


class Standing(NamedTuple):
    """How an account or a user stands. `part`: of the whole machine, by shares; `usage`:
    cpu-seconds that still count; `effective`: the part of all usage that is held against it;
    `factor`: 0..1."""

    account: str
    user: str
    shares: float
    part: float
    usage: float
    effective: float
    factor: float


class Member:
    """A place in the tree. `used` is in units of the common reference instant; `allotted` is the
    sum of the shares of those directly below."""

    __slots__ = ("account", "allotted", "below", "depth", "parent", "shares", "used", "user")

    def __init__(self, account: str, user: str, parent: Member | None, shares: float) -> None:
        self.account = account
        self.user = user
        self.parent = parent
        self.shares = shares
        self.used = 0.0
        self.allotted = 0.0
        self.below: list[Member] = []
        self.depth: int = 0 if parent is None else parent.depth + 1
        if parent is not None:
            parent.below.append(self)
            parent.allotted += shares

    @property
    def part(self) -> float:
        """The part of its parent's shares that is its own."""
        if self.parent is None:
            return 1.0
        return self.shares / self.parent.allotted if self.shares else 0.0

    @property
    def level(self) -> float:
        """Its part of the shares over its part of the usage, both among its siblings ("level
        fs")."""
        if self.parent is None or not self.used or not self.shares:
            return inf if self.shares else 0.0
        return self.part * self.parent.used / self.used


class FairShare:
    """See the module. `half_life` in seconds; None: usage never fades. `now` is the latest instant
    it has seen.

    Raises `Wrong` for associations that make no tree: twice the same, below an account that there
    is not, or below itself.
    """

    def __init__(
        self, associations: Iterable[Association] = (), half_life: float | None = WEEK
    ) -> None:
        if half_life is not None:
            check_number("half-life", half_life, least=1.0, most=LONGEST)
        self.half_life = half_life
        self.now = 0.0
        self._reference = 0.0
        self._root = Member(ROOT, "", None, 1.0)
        self._members: dict[Key, Member] = {(ROOT, ""): self._root}
        self._default: dict[str, Key] = {}
        self._plant(list(associations))

    # -- usage -----------------------------------------------------------------------------------

    def charge(self, user: str, account: str, cpu_seconds: float, at: float) -> None:
        """`user` has used `cpu_seconds` by the instant `at`; the order of charges does not matter.

        Account "": the first that the user is in. Raises `Wrong` for what is no amount or instant.
        """
        check_number("cpu-seconds", cpu_seconds)
        self.advance(at)
        key = self.key(user, account)
        member: Member | None = self._members.get(key)
        if member is None:
            member = self._members[key] = Member(*key, self._root, 1.0)
        used = cpu_seconds * self._faded(self._reference - at)
        while member is not None:
            member.used += used
            member = member.parent

    def advance(self, now: float) -> None:
        """Let time pass. A clock that goes back gives no faded usage back."""
        check_number("instant", now, least=-MOST)
        if now <= self.now:
            return
        self.now = now
        if self.half_life and now - self._reference > _REBASE * self.half_life:
            faded = self._faded(now - self._reference)
            for member in self._members.values():
                member.used *= faded
            self._reference = now

    def _faded(self, age: float) -> float:
        """What is left of one cpu-second after `age` seconds."""
        return exp2(max(-1e4, -age / self.half_life)) if self.half_life else 1.0

    # -- standing --------------------------------------------------------------------------------

    def key(self, user: str, account: str = "") -> Key:
        """Where `user` belongs who asks for `account`."""
        key = (account, user) if account else self._default.get(user, (ROOT, user))
        return key if key in self._members else (ROOT, user)

    def __iter__(self) -> Iterator[Key]:
        """All accounts and users, the root and those met by a charge among them."""
        return iter(self._members)

    root: Final[Key] = (ROOT, "")

    def walk(self) -> Iterator[tuple[int, Key]]:
        """All accounts and users with their depth below the root, each before what is below it."""
        left = [self._root]
        while left:
            member = left.pop()
            yield member.depth, (member.account, member.user)
            left += member.below[::-1]

    def factor(self, user: str, account: str = "") -> float:
        """From 1 (has used nothing) over 1/2 (just what the shares give) down to 0."""
        return self.standing(self.key(user, account)).factor

    def standing(self, key: Key) -> Standing:
        """Slurm's classic factor, F = 2^(-UE / S), and what it comes from.

        S is the product of the parts of the shares from the root down. UE is the effective usage:
        of those directly below the root UA, their part of all usage; below these UE = UA +
        (UE of the parent - UA) * shares / shares of all siblings, so that some of what an account
        has used is held against each of its users. (Slurm's manual, "Classic Fairshare Algorithm".)
        """
        member = self._members.get(key)
        if member is None:
            part = 1.0 / (self._root.allotted + 1.0)
            return Standing(*key, shares=1.0, part=part, usage=0.0, effective=0.0, factor=1.0)
        part, effective = self._effective(member)
        usage = member.used * self._faded(self.now - self._reference)
        factor = exp2(-effective / part) if part > 0 else 0.0
        return Standing(*key, member.shares, part, usage, effective, factor)

    def _effective(self, member: Member) -> tuple[float, float]:
        """S and UE of `member`."""
        own = member.used / self._root.used if self._root.used else 0.0
        parent = member.parent
        if parent is None or parent is self._root:
            return member.part, own
        part, effective = self._effective(parent)
        return part * member.part, own + (effective - own) * member.part

    def fair_tree(self) -> dict[Key, float]:
        """The factor of every user by the Fair Tree algorithm (Cox, Morrison, Slurm User Group
        2014): rank / number of users, the best has 1.

        At each level of the tree those go first whose part of the shares is the largest against
        their part of the usage, with all that is below them: no user of an account that has used
        little comes after one of an account that has used much. Accounts that are level are ranked
        as one, users that are level have the same rank. Who is not among them has used nothing,
        and has 1.
        """
        users = sum(1 for _, user in self._members if user)
        return {key: rank / users for key, rank in _ranked(self._root.below, users)}

    # -- kept --------------------------------------------------------------------------------------

    def state(self) -> dict[str, float]:
        """The cpu-seconds that still count of each user, by `account<tab>user`, and the instant."""
        faded = self._faded(self.now - self._reference)
        used = {
            f"{account}\t{user}": member.used * faded
            for (account, user), member in self._members.items()
            if user
        }
        return {INSTANT: self.now, **used}

    def restore(self, state: Mapping[str, float]) -> None:
        """Take back what `state` gave, into a tree without usage; the associations may be others.

        What was used in an account that there is no more is its user's own, below the root. Raises
        `Broken` for what `state` never gives, and changes nothing then.
        """
        for name, value in state.items():
            if not isfinite(value) or (name != INSTANT and (value < 0 or "\t" not in name)):
                raise Broken(
                    f"the stored usage has {value!r} for {quote(name)}",
                    "restore a copy of the database",
                )
        at = state.get(INSTANT, 0.0)
        for name, value in state.items():
            if name != INSTANT:
                account, user = name.split("\t", 1)
                self.charge(user, account, value, at)
        self.advance(at)

    # -- the tree ----------------------------------------------------------------------------------

    def _plant(self, associations: list[Association]) -> None:
        accounts = {row.account: row for row in associations if not row.user}
        if len(accounts) < sum(1 for row in associations if not row.user):
            raise Wrong("an account is given twice", "give each account once")
        if ROOT in accounts:
            raise Wrong(f"the account {ROOT} is always there", "give its accounts and users only")
        for row in accounts.values():
            self._grow(row, accounts)
        for row in associations:
            if row.user:
                self._seat(row)

    def _grow(self, row: Association, accounts: Mapping[str, Association]) -> None:
        """Put an account in its place, those above it first."""
        line = [row]
        while (line[-1].parent, "") not in self._members:
            above = accounts.get(line[-1].parent)
            if above is None:
                raise _no_account(line[-1].parent, f"account {line[-1].account}", accounts)
            if above in line:
                raise _misplaced(above.account, "is below itself")
            line.append(above)
        for above in reversed(line):
            key, parent = (above.account, ""), self._members[above.parent, ""]
            if parent.depth == DEEPEST:
                raise _misplaced(above.account, f"has {DEEPEST} accounts above it")
            if key not in self._members:
                self._members[key] = Member(*key, parent, above.shares)

    def _seat(self, row: Association) -> None:
        """Put a user into an account."""
        key = (row.account, row.user)
        account = self._members.get((row.account, ""))
        if account is None:
            known = [name for name, user in self._members if not user]
            raise _no_account(row.account, f"user {row.user}", known)
        if key in self._members:
            raise Wrong(f"the user {row.user} is twice in {row.account}", "give them once")
        self._members[key] = Member(*key, account, row.shares)
        self._default.setdefault(row.user, key)


def _misplaced(account: str, why: str) -> Wrong:
    return Wrong(f"the account {account} {why}", "give it another parent")


def _no_account(name: str, whose: str, known: Iterable[str]) -> Wrong:
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else "give the account, too"
    return Wrong(f"there is no account {quote(name)} for the {whose}", hint)


def _ranked(top: list[Member], users: int) -> Iterator[tuple[Key, int]]:
    """Users and their ranks, from `users` downwards; those that are level share the higher one."""
    rank = shared = users

    def descend(siblings: list[Member], tied: bool) -> Iterator[tuple[Key, int]]:
        nonlocal rank, shared
        for _, level in groupby(sorted(siblings, key=_fairness), key=_fairness):
            members = list(level)
            for member in members:
                if member.user:
                    shared = shared if tied else rank
                    yield (member.account, member.user), shared
                    rank, tied = rank - 1, True
            below = [user for member in members for user in member.below]
            yield from descend(below, tied) if below else ()
            tied = False

    return descend(top, False)


def _fairness(member: Member) -> float:
    return -member.level
