"""What a back end is: words to say to a site's scheduler, and what its answers mean.

A back end runs nothing, keeps nothing and knows no clock: whoever holds it has its `Words` said
(here or through ssh) and gives it the `Answer`. So it is tested with text alone. A word of the
scheduler that it does not know is kept as said, and the state is UNKNOWN: never guessed. What a
scheduler does not mention is not finished.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from hpcshell.core.commands import Answer as Answer
from hpcshell.core.commands import Words as Words
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.core.sightings import ENDED as ENDED
from hpcshell.core.sightings import LIVE as LIVE
from hpcshell.core.sightings import UNKNOWN as UNKNOWN
from hpcshell.core.sightings import Parent as Parent
from hpcshell.core.sightings import Sighting as Sighting
from hpcshell.core.words import format_signal

Kind = Literal["wrong", "limit", "busy", "denied", "gone", "unset", "broken"]
"""`wrong`: will never be taken as it stands. `limit`: not now, the user has as many as allowed.
`busy`: the scheduler does not answer or asks to try again (transient). `denied`: not allowed to
this user. `gone`: it knows no such job. `unset`: its commands are not there, or do not know where
it is, as they are set up here, and have asked nobody. `broken`: anything else."""


class Trouble(Record, frozen=True, kw_only=True):
    """Why something was not done: the kind, the site's own sentence, and what to do about it."""

    kind: Kind
    message: str
    hint: str = ""


class Order(Record, frozen=True, kw_only=True):
    """A job, or a part of an array, that is to be submitted now.

    `key` is a word that no other submission has; the site's scheduler must show it again with the
    job (in its comment, name, or wherever there is room). `directory` is the job's own directory on
    the cluster, absolute: it holds `job.sh` (what `script` returns), `script` (the user's, where
    there is one), `env` (assignments for the shell) and `record/`. `indices` are those of this part
    of the array as index text ("" for a plain job), `throttle` how many may run at once (0: all).
    `offset` is what they are less than ours: the job script adds it to the index that it is given
    (an array that the site takes only in parts); then the job script opens the output files.
    `any`: one of the parents is enough. `now`: Unix seconds. `capture`: output goes to its files by
    the job script itself, so that it can be read as it is written and every pattern means the same
    everywhere; without it the scheduler is told of the files.
    """

    spec: JobSpec
    key: str
    directory: str
    indices: str = ""
    offset: int = 0
    throttle: int = 0
    parents: tuple[Parent, ...] = ()
    any: bool = False
    now: float = 0.0
    capture: bool = True

    @property
    def job_script(self) -> str:
        """Where the job script lies: one for each part of an array that was split."""
        part = self.key.removeprefix(self.directory.rpartition("/")[2]).lstrip(".")
        return f"{self.directory}/job{f'-{part}' if part else ''}.sh"


class Seen(Record, frozen=True, kw_only=True):
    """What an answer to a question about jobs says. `whole`: it can be believed in what it does not
    mention, too. Without it (no answer, half of one, another language) `trouble` says why, and
    nothing follows from what is missing. `absent`: ids that it says it does not know."""

    sightings: tuple[Sighting, ...] = ()
    whole: bool = True
    absent: tuple[str, ...] = ()
    trouble: Trouble | None = None


class Partition(Record, frozen=True, kw_only=True):
    """A queue of the site, and the most that an element may ask for in it (None: not told)."""

    name: str
    default: bool = False
    up: bool = True
    max_time: float | None = None
    default_time: float | None = None
    nodes: int | None = None
    cpus_per_node: int | None = None
    memory_per_node: int | None = None
    gpus_per_node: int | None = None
    gpu_types: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


class Site(Record, frozen=True, kw_only=True):
    """What a site told of itself. `most_elements`: of one array; `highest_index` inclusive.
    `identity`: what the cluster calls itself, by which another one is told from it ("": it does not
    say). `details`: what its back end alone wants to know again, in words of its own."""

    version: str = ""
    flavour: str = ""
    partitions: tuple[Partition, ...] = ()
    accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()
    most_elements: int | None = None
    highest_index: int | None = None
    accounting: bool = True
    identity: str = ""
    details: Mapping[str, str] = {}


class Estimate(Record, frozen=True, kw_only=True):
    """When the site expects a job to start (Unix seconds), and where; `trouble`: it would not be
    taken."""

    start: float | None = None
    nodes: tuple[str, ...] = ()
    partition: str = ""
    trouble: Trouble | None = None


class Change(Record, frozen=True, kw_only=True):
    """What an answer to a change says of each id: nothing went wrong with those not in
    `troubles`."""

    troubles: Mapping[str, Trouble] = {}


Edit = Literal["time_limit", "priority", "nice", "partition", "qos", "account", "name", "throttle"]
"""What of a waiting job can be changed."""


class Backend(ABC):
    """One kind of scheduler. Objects are cheap and hold at most what the site told of itself.

    A method that says something returns `Words`, or several; the method of the same name with
    `read_` in front makes sense of the answers, given in the same order. None instead of words: the
    scheduler has no such thing, and `lacks` says so in a sentence.
    """

    name: str
    """`slurm`: as it stands after --on and in the configuration."""
    title: str
    """`Slurm`: as people write it."""
    dialect: str
    """Whose directives its scripts carry: one of `core.options.row.DIALECTS`."""
    programs: tuple[str, ...]
    """The commands that must be there."""
    lacks: Mapping[str, str] = {}
    """What it cannot do (a verb, a kind of dependency, an option), each with a sentence that says
    so and names the nearest thing."""
    carries_environment = False
    """Whether its submit command hands on the environment that it is run with."""
    waits_for_script = False
    """Whether its submit command reads the script from its input, asks for nothing before that, and
    takes no empty one: it can be begun before it is certain that it is wanted."""
    accounted_codes = 256
    """How many exit codes its accounting tells apart; of a greater one it tells what is left when
    it is divided by so many."""

    def __init__(self, site: Site | None = None) -> None:
        self.site = site or Site()

    # ------------------------------------------------------------------------------- who is there

    @abstractmethod
    def probe(self) -> Words:
        """A harmless question that only a living scheduler of this kind answers."""

    @abstractmethod
    def read_probe(self, answer: Answer) -> Site | Trouble:
        """Version and flavour, or why this is not such a scheduler (a wrapper over another)."""

    def ask_site(self) -> Sequence[Words]:
        """Questions about queues and limits."""
        return ()

    def read_site(self, answers: Sequence[Answer]) -> Site:
        return Site()

    # --------------------------------------------------------------------------------- submitting

    @abstractmethod
    def script(self, order: Order) -> str:
        """The job script. Raises `Wrong` for what the scheduler cannot be asked for."""

    @abstractmethod
    def submit(self, order: Order) -> Words:
        """The command that submits `order.job_script`, which is there by then, or reads the same
        text from its input."""

    @abstractmethod
    def read_submit(self, answer: Answer) -> str | Trouble:
        """The native id (of an array: of the whole), or why it was not taken. A `busy` trouble may
        hide a submission that was taken: the key must be looked for before another try."""

    def estimate(self, order: Order) -> Words | None:
        """Asks when it would start, without submitting it."""
        return None

    def read_estimate(self, answer: Answer) -> Estimate:
        return Estimate()

    # ----------------------------------------------------------------------------------- watching

    @abstractmethod
    def queue(self, user: str | None) -> Sequence[Words]:
        """Asks, in as few questions as can be, for all live jobs of a user (None: of all)."""

    def hear(self, piece: bytes) -> None:
        """A piece of the answer to `queue`, while the scheduler still speaks. Who reads ahead has
        less to do when the answer is whole; what it then says does not depend on it."""
        return None

    @abstractmethod
    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        """All of them, elements of arrays apart, and those that ended a short while ago if they are
        still shown."""

    def history(self, ids: Sequence[str], since: float) -> Sequence[Words]:
        """Asks the accounting for these jobs (native ids of whole jobs), none of which was
        submitted before `since`. No words: there is no accounting."""
        return ()

    def read_history(self, answers: Sequence[Answer]) -> Seen:
        return Seen(whole=False)

    # ----------------------------------------------------------------------------------- changing

    @abstractmethod
    def cancel(self, ids: Sequence[str]) -> Sequence[Words]:
        """Ends jobs (native ids; elements as well), many at a time."""

    @abstractmethod
    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        """What became of each id under a change: `cancel` and those that follow."""

    def signal(self, ids: Sequence[str], signal: str) -> Sequence[Words] | None:
        return None

    def hold(self, ids: Sequence[str]) -> Sequence[Words] | None:
        return None

    def release(self, ids: Sequence[str]) -> Sequence[Words] | None:
        return None

    def requeue(self, ids: Sequence[str]) -> Sequence[Words] | None:
        return None

    def suspend(self, ids: Sequence[str]) -> Sequence[Words] | None:
        return None

    def resume(self, ids: Sequence[str]) -> Sequence[Words] | None:
        return None

    def edit(self, ids: Sequence[str], changes: Mapping[Edit, object]) -> Sequence[Words] | None:
        """Changes waiting jobs: `time_limit` in seconds (None: none), `priority` 0 to 1000 around
        500, `nice`, names of a partition, QOS, account, `name`, and `throttle`. Raises `Refused`
        with a sentence for what the scheduler cannot change."""
        return None

    # -------------------------------------------------------------------------------------- names

    @abstractmethod
    def element_id(self, native: str, index: int) -> str:
        """The native id of an element of an array: `12_3`, `12[3].host`, `12.3`."""

    @abstractmethod
    def parse_id(self, native: str) -> tuple[str, int | None]:
        """`number` and index of a native id: ("12", 3). Raises `Wrong` for what is none."""


def first_lines(text: str, most: int = 3) -> str:
    """The site's own words, shortened: its first lines that are not blank."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(lines[:most])


def no_command(answer: Answer, title: str, how: str) -> Trouble | None:
    """The trouble of a command that is not there, by the word of the link or of a shell; `how` it
    comes to be found. None: it is there."""
    said = first_lines(answer.said)
    if not answer.missing and not (answer.code == 127 and "not found" in said):
        return None
    hint = f"is this a login node of it? then load its module, or {how}"
    return Trouble(kind="unset", message=said or f"{title}'s commands are not there", hint=hint)


def wordless(answer: Answer, title: str) -> Trouble:
    """The trouble of a command that came to nothing without a word, perhaps because somebody ended
    it."""
    code = answer.code or 0
    if 128 < code <= 192:
        ended = f"was ended by signal {format_signal(code - 128)}"
    else:
        ended = f"ended with {code}"
    hint = "say it by hand, or ask again: hpc cluster status"
    return Trouble(kind="broken", message=f"{title}'s command {ended} and said nothing", hint=hint)


def by_number(sightings: Iterable[Sighting]) -> dict[str, list[Sighting]]:
    """Sightings by the number that the elements of an array share."""
    found: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        found[sighting.number].append(sighting)
    return found
