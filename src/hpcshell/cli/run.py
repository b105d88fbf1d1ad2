"""`hpc run`: a command through the queue, its output here, its exit code ours."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import Any, Final

import click

from hpcshell.cli import exits
from hpcshell.cli.follow import Following, Row, Tail
from hpcshell.cli.reach import door
from hpcshell.cli.requests import WORDS, Requesting, job_options, take_settings, what_to_run
from hpcshell.cli.submit import present, say_sizing, say_understood
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb
from hpcshell.client.client import Client
from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.submission import Submission
from hpcshell.core.words import safe
from hpcshell.jobs.prepare import Prepared, prepare
from hpcshell.jobs.sizing import cards_behind

PATIENCE: Final = 2.0
"""Seconds of waiting after which a person is told why it does not begin."""

NEVER_BEGAN: Final = (None, 126, 127)
"""Exit codes of commands that could not be started, as shells have them."""

CAUGHT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@verb(
    "run",
    "hpc run make -j4 test",
    "hpc run --cpus 4 --memory 8G -- python train.py --epochs 3",
    "hpc run --time 10m ./job.sh",
    "hpc run --on mycluster --time 10m -- ./solve",
    changes=True,
    on=True,
    kind=Requesting,
    settings={"allow_interspersed_args": False},
)
@job_options()
@click.argument(WORDS, nargs=-1, metavar="COMMAND [ARGS]...")
def command(talk: Talk, words: tuple[str, ...], **chosen: Any) -> int:
    """Run a command through the queue and show its output.

    Exits with the command's own exit code (128 and the number of the signal that killed it).
    Ctrl-C cancels the job; a second Ctrl-C leaves at once. Output is also kept in files, which
    `hpc logs` prints again; they lie in the cache unless --output and --error say otherwise.
    Its standard input is ours, a pipe as it comes or a file from where it stands, unless --input
    names another; a terminal is not read. After a pipe, a failed command is not tried again.
    On a cluster (--on) it is read to its end first, 1 MiB at most, and goes along; the output lies
    where that of hpc submit does.
    """
    settings = take_settings(chosen)
    argv, script = what_to_run(words, "run")
    way = door()
    if not isinstance(way, Client):
        from hpcshell.cli.run_far import run
        from hpcshell.jobs.asking import prepare_for

        asked = prepare_for(way, argv, script, settings)
        say_sizing(talk, asked)
        return run(talk, way, asked, reads=words[0] != "-")
    prepared = _with_outputs(prepare(argv, script, settings, cards=cards_behind(way)))
    say_sizing(talk, prepared)
    if prepared.submission.array:
        raise Wrong("hpc run takes no array", "submit it, then follow it: hpc logs -f @")
    if talk.dry_run:
        answer = way.call("submit", submissions=[prepared.submission], dry_run=True)
        say_understood(talk, prepared)
        present(talk, answer["jobs"][0], prepared)
        return 0
    submission = prepared.submission
    if words[0] != "-" and not submission.stdin:
        submission = _with_input(talk, submission)
    return Foreground(talk, way).run(submission)


def _with_input(talk: Talk, submission: Submission) -> Submission:
    """Read from where we would. What can be read but once is not read by a second attempt."""
    from msgspec.structs import replace

    from hpcshell.core.records import Retry
    from hpcshell.machine.inputs import input_of

    try:
        found = input_of(sys.stdin.fileno())
    except (OSError, ValueError):  # no descriptor stands behind it
        return submission
    if found is None or found.lasting:
        return replace(submission, stdin=found.name if found else "")
    if submission.retry.limit:
        talk.warn("hpc: input from a pipe is read once: the job is not retried (see --input)")
    return replace(submission, stdin=found.name, requeue=False, retry=Retry())


def _with_outputs(prepared: Prepared) -> Prepared:
    """Where nothing else was said: both streams apart, in the cache, where nobody trips on them."""
    from msgspec.structs import replace

    from hpcshell.machine.paths import places

    asked = prepared.submission
    if asked.stdout or asked.stderr:
        return prepared
    directory = os.path.join(places(os.environ).cache, "run")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    _sweep(directory)
    stem = directory.replace("%", "%%")
    streams = replace(asked, stdout=f"{stem}/%j.out", stderr=f"{stem}/%j.err")
    return replace(prepared, submission=streams)


_KEPT: Final = 1000
"""Output files that stay in the cache; the oldest of more are deleted."""


def _sweep(directory: str) -> None:
    with contextlib.suppress(OSError):
        names = os.listdir(directory)
        if len(names) <= _KEPT + 200:
            return
        paths = [os.path.join(directory, name) for name in names]
        for path in sorted(paths, key=os.path.getmtime)[:-_KEPT]:
            os.unlink(path)


class Foreground:
    """One job shown as if it ran here."""

    def __init__(self, talk: Talk, daemon: Client) -> None:
        self.talk = talk
        self.daemon = daemon
        self.job = ""
        self.caught: list[int] = []
        self.following = Following(daemon, [], self._tails)

    def run(self, submission: Submission) -> int:
        """Submit it, follow it to its end and return its exit code.

        Signals are caught before there is a job: none may slip in between and leave it behind.
        """
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.following.wake, self.following.woken = reading, self._interrupted
        heard = [each for each in CAUGHT if signal.getsignal(each) != signal.SIG_IGN]  # nohup
        before = {number: signal.signal(number, self._catch) for number in heard}
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        try:
            answer = self.daemon.call("submit", submissions=[submission], dry_run=False)
            self.job = str(answer["jobs"][0]["id"])
            self.following.ids = [self.job]
            if not self.following.run(PATIENCE):
                self._say_why()
                self.following.run()
            return self._code()
        except BrokenPipeError:  # whoever read our output has left: end as a pipe's writer does
            self._cancel()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reading)
            os.close(writing)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self.caught.append(number)
        if len(self.caught) > 1:  # the first has been acted upon, or cannot be: leave now
            os._exit(128 + number)

    def _interrupted(self) -> None:
        if self.caught:
            self._cancel()
            self.talk.say(f"cancelling job {self.job}; Ctrl-C again leaves at once")

    def _cancel(self) -> None:
        with contextlib.suppress(HpcError):
            self.daemon.call("cancel", ids=[self.job], cause="hpc run was interrupted")

    def _say_why(self) -> None:
        if not sys.stderr.isatty() and not self.talk.json:
            return
        with contextlib.suppress(HpcError, LookupError):
            told = self.daemon.call("explain", ids=[self.job])["jobs"][0]
            if told["state"] == "PENDING":
                self.talk.say(f"job {self.job} waits: {safe(told['reason']['sentence'])}")

    def _tails(self, row: Row) -> list[Tail]:
        out, err = sys.stdout.buffer, sys.stderr.buffer
        tails = [Tail(row["stdout"], lambda chunk: _write(out, chunk))]
        if row["stderr"] != row["stdout"]:
            tails.append(Tail(row["stderr"], lambda chunk: _write(err, chunk)))
        return tails

    def _code(self) -> int:
        row = next(iter(self.following.rows.values()))
        state = row["state"]
        if self.talk.json:
            self.talk.document(self.daemon.call("show", ids=[self.job])["jobs"][0])
        if self.caught:
            return 128 + self.caught[0]
        if state not in ("COMPLETED", "FAILED") and row.get("reason"):
            self.talk.say(f"job {self.job} {state}: {safe(row['reason'])}")
        elif state == "FAILED" and not row["signal"] and row["exit_code"] in NEVER_BEGAN:
            self.talk.warn(f"hpc: job {self.job} failed: {safe(row.get('reason') or '')}")
        if state == "COMPLETED":
            return exits.OK
        if row["exit_code"] is None and not row["signal"]:
            return exits.CANCELLED if state == "CANCELLED" else exits.FAILED
        return exits.of_process(row["exit_code"], row["signal"]) or exits.FAILED


def _write(out: Any, chunk: bytes) -> None:
    out.write(chunk)
    out.flush()
