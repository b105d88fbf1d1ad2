"""From layers of settings to one `Submission`, with notes and the meaning in words.

    built = build([*directives.layers, command_line], place, ("job.sh", "x"), script=content)
    built.submission
    built.notes      ("ignored: ...",)
    built.meaning    ("4 CPUs", "memory 8G", "time limit 30m 0s")

What layers are is said in `gather`; what the caller's environment becomes at `environment`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.core import dependencies
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.instants import format_instant
from hpcshell.core.options.gather import Gathered, Values, gather
from hpcshell.core.options.prelude import Prelude
from hpcshell.core.options.read import Place
from hpcshell.core.options.row import Setting
from hpcshell.core.options.sizing import size_by_model
from hpcshell.core.options.table import BY_NAME
from hpcshell.core.records import WHOLE, ModelAsk, Notify, Record, Request, Retry
from hpcshell.core.submission import Submission
from hpcshell.core.units import MOST, format_duration, format_gpus, format_size
from hpcshell.core.words import format_warn_signal, quote, safe, shortened

_JOB_VARIABLES: Final = (
    *("HPC_JOB_", "HPC_ARRAY_", "HPC_RUN_ID", "HPC_ATTEMPT", "HPC_CPUS", "HPC_MEMORY", "HPC_GPU"),
    *("HPC_RESTART_COUNT", "HPC_CHECKPOINT_FILE", "HPC_SESSION"),
    *("HPC_SUBMIT_DIR", "SLURM_JOB", "SLURM_ARRAY_", "SLURM_NODE", "SLURM_NNODES", "SLURM_NTASKS"),
    *("SLURM_NPROCS", "SLURM_CPUS_", "SLURM_MEM_", "SLURM_GPUS", "SLURM_TASK", "SLURM_STEP"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_GTIDS", "SLURM_SUBMIT_", "SLURM_RESTART_COUNT"),
    *("SLURM_PRIO_PROCESS", "SLURM_EXPORT_ENV", "SLURMD_NODENAME"),
)
"""What a job knows of itself, by how it begins: a job submitted by a job must not inherit it."""
_LEAST: Final[tuple[str, ...]] = (
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "HPCSHELL_HOME",
)
_PLAIN_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Built(Record, frozen=True, kw_only=True):
    """What a client hands over, and what it tells the person: notes, what was understood, and how
    its GPUs follow from a model (a sentence, then the lines of the arithmetic)."""

    submission: Submission
    notes: tuple[str, ...] = ()
    meaning: tuple[str, ...] = ()
    sizing: tuple[str, ...] = ()
    prelude: Prelude = Prelude()


def build(
    layers: Sequence[Iterable[Setting]],
    place: Place,
    argv: tuple[str, ...],
    *,
    script: bytes | None = None,
    profiles: Mapping[str, Mapping[str, str]] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> Built:
    """The submission. Raises `Wrong` at the first value that cannot be meant."""
    found = gather(layers, place, profiles, defaults)
    model, sizing = size_by_model(found, argv)
    submission = submission_of(found, argv, script, model)
    return Built(
        submission=submission,
        notes=tuple(dict.fromkeys(found.notes)),
        meaning=tuple(meaning(submission, place)),
        sizing=sizing,
        prelude=prelude_of(found.values),
    )


# ---------------------------------------------------------------------------------- submission


def submission_of(
    found: Gathered, argv: tuple[str, ...], script: bytes | None, model: ModelAsk | None
) -> Submission:
    """The submission, with what is worth a note added to the notes."""
    submission = replace(_submission(found, argv, script), model=model)
    _check_times(submission, found.place, found.notes)
    _check_retries(found.values, submission, found.notes)
    if submission.rewrite_cuda:
        _check_rewriting(submission, found.notes)
    return submission


def _submission(found: Gathered, argv: tuple[str, ...], script: bytes | None) -> Submission:
    values, place, notes = found.values, found.place, found.notes
    get = values.get
    array, output, error = _array(values), *_files(values)
    return Submission(
        argv=words_to_run(argv),
        cwd=_text(get("chdir", place.cwd), "the working directory"),
        env={**_told(values, place), **environment(get("export"), get("env", {}), place, notes)},
        script=script,
        umask=get("umask", place.umask),
        name=get("name", ""),
        request=_request(values),
        array=array,
        dependency=_dependency(get("dependency", ())),
        on_never=get("on_never", "end"),
        priority=get("priority"),
        nice=get("nice", 0),
        partition=get("partition", ""),
        account=get("account", ""),
        qos=get("qos", ""),
        reservation=get("reservation", ""),
        gang=get("gang"),
        profile=get("profile", ""),
        tags=tuple(dict.fromkeys(get("tag", ()))),
        comment=get("comment", ""),
        hold=get("hold", False),
        begin=get("begin", 0.0),
        deadline=get("deadline"),
        grace=get("grace"),
        warn=get("signal"),
        checkpoint=get("checkpoint"),
        requeue=get("requeue", True),
        retry=_retry(values),
        notify=_notify(values, place),
        stdin=get("input", ""),
        stdout=output,
        stderr=error,
        append=get("open_mode") == "append",
        session=get("screen", ""),
        unique=get("unique", False),
        rewrite_cuda=get("rewrite_cuda", False),
    )


def _nodes(values: Values) -> int:
    least, _ = values.get("nodes", (1, None))
    return int(least)


def _tasks(values: Values) -> int:
    return int(values.get("tasks") or values.get("tasks_per_node", 1) * _nodes(values))


def _told(values: Values, place: Place) -> dict[str, str]:
    """What the job is told of its submission: where it was made, if it runs elsewhere, and of how
    many tasks, if it asked for some; on a cluster, the site tells that."""
    told = {"HPC_SUBMIT_DIR": place.cwd} if "chdir" in values else {}
    if not place.site and ("tasks" in values or "tasks_per_node" in values):
        told |= dict.fromkeys(("SLURM_NTASKS", "SLURM_NPROCS"), str(_tasks(values)))
    return told


def _request(values: Values) -> Request:
    """What all nodes give together."""
    get = values.get
    nodes, tasks = _nodes(values), _tasks(values)
    gpus = get("gpus", get("gpus_per_node", 0) * nodes or get("gpus_per_task", 0) * tasks)
    cpus = get("cpus", 1) * tasks
    if "cpus" not in values and gpus:
        cpus = max(cpus, _for_gpus(get("cpus_per_gpu", 0), gpus))
    if cpus > MOST:
        raise Wrong(f"{cpus:,} CPUs are more than there can be", f"the most is {MOST:,}")
    memory = get("memory", 0) * nodes or get("memory_total", get("memory_per_cpu", 0) * cpus)
    memory = memory or _for_gpus(get("memory_per_gpu", 0), gpus)
    return Request(
        cpus=cpus,
        memory=memory or get("memory_limit", 0) * nodes,
        gpus=gpus // WHOLE,
        gpu_share=gpus % WHOLE,
        others=get("gres", {}) | get("resource", {}),
        exclusive=bool(get("exclusive")),
        time_limit=get("time_limit"),
        nodes=1 if nodes == 1 else 0,
        gpu_type=get("gpu_type") or get("gpu_model") or "",
        gpus_allowed=get("gpus_allowed", ()),
        gpu_mem=get("gpu_mem", 0),
    )


def prelude_of(values: Values) -> Prelude:
    """What is to be done in the shell before the job starts."""
    modules = [name for names in values.get("module", ()) for name in names]
    return Prelude(
        modules=tuple(dict.fromkeys(modules)),
        conda=values.get("conda", ""),
        venv=values.get("venv", ""),
        setup=tuple(values.get("setup", ())),
    )


def _for_gpus(each: int, hundredths: int) -> int:
    """What so many hundredths of a GPU ask for, rounded up, at so much for each GPU."""
    return -(-each * hundredths // WHOLE)


def _array(values: Values) -> str:
    array, most = values.get("array", ""), values.get("throttle")
    if most is None:
        return str(array)
    if not array:
        raise Wrong("--throttle limits an array, and there is none", "give --array as well")
    return f"{array.partition('%')[0]}%{most}"


def _files(values: Values) -> tuple[str, str]:
    """Output and error patterns; one file for both is said by an empty error pattern."""
    element = "%A_%a" if values.get("array") else "%j"
    output = _in_directory(values.get("output", ""), f"hpc-{element}.out")
    error = _in_directory(values.get("error", ""), f"hpc-{element}.err")
    join = values.get("join", "no")
    if join == "error" and error:
        return error, ""
    return output, "" if join != "no" or error == output else error


def _in_directory(pattern: str, name: str) -> str:
    return pattern + name if pattern.endswith("/") else pattern


def _dependency(parts: Sequence[str]) -> str:
    if not parts:
        return ""
    return dependencies.format_expression(dependencies.parse(",".join(parts)))


def _retry(values: Values) -> Retry:
    names = {
        "retries": "limit",
        "retry_on": "on",
        "retry_delay": "delay",
        "retry_factor": "factor",
        "retry_max_delay": "max_delay",
        "retry_jitter": "jitter",
        "retry_grow": "grow",
        "retry_cap": "cap",
    }
    return Retry(**{field: values[name] for name, field in names.items() if name in values})


def _notify(values: Values, place: Place) -> Notify | None:
    """Events without a receiver are mailed to the user, as in Slurm."""
    mail, webhook = values.get("mail_user", ""), values.get("webhook", "")
    desktop = values.get("notify") == "desktop"
    events = values.get("notify_on", ("end", "fail"))
    if "notify_on" in values and not (mail or webhook or desktop):
        from hpcshell.core.addresses import check_mail

        user = place.env.get("USER") or place.env.get("LOGNAME", "")
        mail = check_mail(user, "--mail-user") if user and events else ""
    if not events or not (mail or webhook or desktop):
        return None
    return Notify(on=events, mail=mail, webhook=webhook, desktop=desktop)


def words_to_run(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words. Raises `Wrong` for what no program can be given."""
    return tuple(_text(word, "the command") for word in argv)


def _text(text: str, what: str) -> str:
    """Refuse what the system could not be given again: NUL, and bytes that are not UTF-8."""
    if "\0" in text:
        raise Wrong(f"{what} holds a NUL byte: {quote(text)}", "leave it out")
    if not _is_utf8(text):
        raise Wrong(f"{what} is not UTF-8: {quote(text)}", "use another name")
    return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --------------------------------------------------------------------------------- environment


def environment(
    export: tuple[bool, Mapping[str, str | None]] | None,
    single: Mapping[str, str],
    place: Place,
    notes: list[str],
) -> dict[str, str]:
    """What the job finds: the caller's environment less what a surrounding job knows of itself.

    Without ALL only the login's own variables and a plain PATH, and what is named. Values that are
    not UTF-8 cannot be kept: they are left out, with a note.
    """
    whole, named = export if export is not None else (True, {})
    own = {
        key: value
        for key, value in place.env.items()
        if key and not key.startswith(_JOB_VARIABLES)  # a nameless one cannot even be unset
    }
    found = {key: own[key] for key in (own if whole else _LEAST) if key in own}
    if not whole:
        found["PATH"] = _PLAIN_PATH
    for key, value in named.items():
        if value is not None:
            found[key] = value
        elif key in place.env:
            found[key] = place.env[key]
        else:
            notes.append(f"--export: {quote(key)} is not set here")
    found.update(single)
    for key in [key for key, value in found.items() if not _is_utf8(key + value)]:
        notes.append(f"variable {quote(key)} is left out: it is not UTF-8")
        del found[key]
    return found


# --------------------------------------------------------------------------------------- checks


def _check_times(submission: Submission, place: Place, notes: list[str]) -> None:
    begin, deadline = submission.begin, submission.deadline
    limit = submission.request.time_limit
    if begin and begin < place.now - 1:
        notes.append(f"--begin {format_instant(begin, place.offset)} has passed")
    if submission.warn is not None and limit is None:
        notes.append("--signal comes ahead of a time limit, and there is none")
    if deadline is None:
        return
    shown = format_instant(deadline, place.offset)
    if deadline <= place.now:
        raise Wrong(f"--deadline {shown} has passed", "give a time to come")
    if deadline < max(begin, place.now) + (limit or 0):
        earliest = "it begins" if not limit else f"its {format_duration(limit)} can have passed"
        raise Wrong(f"--deadline {shown} comes before {earliest}", "allow more time")


def _check_retries(values: Values, submission: Submission, notes: list[str]) -> None:
    asked = [name for name in values if name.startswith("retry_")]
    if asked and not submission.retry.limit:
        notes.append(f"{BY_NAME[asked[0]].flag} says how to retry, and --retries is not given")


def _check_rewriting(submission: Submission, notes: list[str]) -> None:
    from hpcshell.core.cudawords import nothing_to_rewrite

    request = submission.request
    gpus = bool(request.gpu_hundredths or request.gpu_mem)
    if why := nothing_to_rewrite(submission.argv, gpus):
        notes.append(why)


# -------------------------------------------------------------------------------------- meaning


def meaning(submission: Submission, place: Place) -> list[str]:
    """What was understood, a few words each: `4 CPUs`, `memory 8G`, `time limit 30m 0s`."""
    return [*asked(submission.request), *conditions(submission, place)]


def asked(request: Request) -> list[str]:
    """What was understood of the resources."""
    found = [many(request.cpus, "CPU")]
    if request.memory:
        found.append(f"memory {format_size(request.memory)}")
    if gpus := request.gpu_hundredths:
        found.append(f"{format_gpus(gpus)} GPU{'' if gpus == WHOLE else 's'}")
    if request.gpu_mem:
        found.append(f"{format_size(request.gpu_mem)} of GPU memory")
    if request.gpu_type:
        found.append(f"model {safe(request.gpu_type)}")
    if request.gpus_allowed:
        found.append(f"cards {IndexSet.of(request.gpus_allowed)}")
    found += [f"{number} {name}" for name, number in request.others.items()]
    if request.exclusive:
        found.append("the whole machine")
    return found


def conditions(submission: Submission, place: Place) -> list[str]:
    """What was understood of everything but the resources."""
    request, found = submission.request, list[str]()
    if request.time_limit is not None:
        found.append(f"time limit {format_duration(request.time_limit)}")
    if submission.array:
        indices, _, most = submission.array.partition("%")
        at_once = f", {most} at once" if most else ""
        found.append(many(len(IndexSet.parse(indices)), "element") + at_once)
    if submission.begin > place.now:
        found.append(f"not before {format_instant(submission.begin, place.offset)}")
    if submission.deadline is not None:
        found.append(f"ended by {format_instant(submission.deadline, place.offset)}")
    if submission.dependency:
        found.append(f"waits for {shortened(submission.dependency)}")
    if submission.warn is not None:
        found.append(f"signal {format_warn_signal(submission.warn)}")
    if submission.checkpoint is not None:
        found.append(f"checkpoint signal {format_warn_signal(submission.checkpoint)}")
    if submission.reservation:
        found.append(f"in reservation {safe(submission.reservation)}")
    if submission.session:
        program = "screen or tmux" if submission.session == "any" else submission.session
        found.append(f"in a session of {program}")
    if (gang := submission.gang) is not None:
        found.append(f"starts together with {many(gang.size - 1, 'other', 'others')}")
    if submission.retry.limit:
        found.append(many(submission.retry.limit, "retry", "retries"))
    return found


def many(number: int, one: str, several: str = "") -> str:
    """`1 CPU`, `1,000 CPUs`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"
