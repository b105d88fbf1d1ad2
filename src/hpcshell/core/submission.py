"""What a client hands to the scheduler: one submission, fully parsed, before it has an id."""

from __future__ import annotations

from hpcshell.core.records import Gang, ModelAsk, Notify, Record, Request, Retry, WarnSignal


class Submission(Record, frozen=True, kw_only=True):
    """A request to run something. Values are parsed; only what needs the queue is still text.

    `script` holds the bytes of a submitted script (then `argv[0]` is its name), else `argv` is a
    command.
    `array` is index text with an optional `%throttle`; `dependency` the dependency expression as
    written (ids, names, `@`); `unique` asks that an identical live job be refused; `on_never` is
    `end` or `hold`; `guarded` and `rewrite_cuda` are as in `Launch`. `session` is `screen`, `tmux`,
    or `any` of them that is there.
    """

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    script: bytes | None = None
    umask: int = 0o022
    name: str = ""
    request: Request = Request()
    array: str = ""
    dependency: str = ""
    on_never: str = "end"
    priority: int | None = None
    nice: int = 0
    partition: str = ""
    account: str = ""
    qos: str = ""
    reservation: str = ""
    gang: Gang | None = None
    profile: str = ""
    tags: tuple[str, ...] = ()
    comment: str = ""
    hold: bool = False
    begin: float = 0.0
    deadline: float | None = None
    grace: float | None = None
    warn: WarnSignal | None = None
    checkpoint: WarnSignal | None = None
    requeue: bool = True
    retry: Retry = Retry()
    notify: Notify | None = None
    model: ModelAsk | None = None
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    append: bool = False
    session: str = ""
    unique: bool = False
    guarded: str = ""
    rewrite_cuda: bool = False
