"""`hpc` itself: which verbs there are, and what becomes of an error."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from hpcshell.cli import exits
from hpcshell.cli.group import NearGroup
from hpcshell.core.errors import HpcError

VERBS: Final[dict[str, dict[str, str]]] = {
    "Run": {
        "submit": "Put a script or a command into the queue.",
        "run": "Run a command through the queue and show its output.",
        "rerun": "Submit ended jobs again.",
    },
    "Look": {
        "queue": "List the jobs that wait and run.",
        "show": "Show all about jobs.",
        "logs": "Print what jobs have written.",
        "attach": "Join the session of a running job.",
        "fetch": "Bring back what jobs have written on clusters.",
        "explain": "Say why jobs wait, and when they are to start.",
        "whatif": "Say who would start when: as things stand, and after a change.",
        "priority": "Show what the order of the waiting jobs comes from.",
        "fairshare": "Show who may use how much and has used how much.",
        "history": "List the jobs that have ended.",
        "events": "Print what happens, as it happens.",
        "resources": "Show what the machine has, and who holds it.",
    },
    "Change": {
        "cancel": "Cancel jobs.",
        "hold": "Keep waiting jobs from starting.",
        "release": "Let held jobs start.",
        "suspend": "Let running jobs stand still.",
        "resume": "Let suspended jobs go on.",
        "requeue": "Stop running jobs and put them back into the queue.",
        "preempt": "Let running jobs make room for others.",
        "edit": "Change jobs that have not ended.",
        "wait": "Wait until jobs have ended.",
    },
    "Study": {
        "sweep": "Run one script with many parameters, and each of them once.",
        "simulate": "Run a recorded workload under scheduling policies.",
        "track": "Which run was which job, on what machine, at what cost, with which metrics.",
    },
    "The machine": {
        "gpu": "Run a box of GPUs that several people share.",
        "node": "Say whether the machine takes new work.",
        "reservation": "Set parts of the machine apart for a time.",
    },
    "Clusters": {
        "cluster": "Say which clusters there are, and how they answer.",
    },
    "Set up": {
        "web": "Serve the REST API and the experiment tracker.",
        "daemon": "Start, stop and look after the daemon.",
        "doctor": "Look for everything that can be wrong, and say how to mend it.",
        "config": "Show and check the configuration.",
        "completion": "Print the completion script of a shell.",
    },
}
"""The verbs as `hpc --help` groups them; each is `command` in the module of its name."""


class Verbs(NearGroup):
    """Loads a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for group in VERBS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if not any(cmd_name in group for group in VERBS.values()):
            return None
        command: click.Command = import_module(f"hpcshell.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, group in VERBS.items():
            with formatter.section(title):
                formatter.write_dl(list(group.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in exits.EXITS.items()])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from hpcshell import __version__

        sys.stdout.write(f"{ctx.info_name} {__version__}\n")
        ctx.exit()


hpc = Verbs(
    "hpc",
    help="A whole cluster in one command: a durable queue for the machine you are on.\n\n"
    "Ids may be ranges (12-20), elements (7_3, 7[3-5]), names (sweep, sweep_3), @ for your last "
    "job, or - to be read from stdin.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Print the version.",
        ),
        click.Option(
            ["--debug"], is_flag=True, expose_value=False, help="Show the traceback of a defect."
        ),
    ],
)


def main(name: str = "hpc") -> NoReturn:
    """The entry point of the installed command."""
    _open_missing_streams()
    _keep_warnings_to_ourselves()
    code = run(sys.argv[1:], name)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_left()
    except OSError as error:  # a full disk
        code = _verdict(error, name)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)  # to take all of Python apart first would be a tenth of a short command


def _open_missing_streams() -> None:
    """Streams that the caller closed are as good as /dev/null."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as we live


def _keep_warnings_to_ourselves() -> None:
    """PYTHONWARNINGS and PYTHONDEVMODE are set for programs that somebody writes, not for us."""
    if sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")


def run(words: list[str], name: str = "hpc") -> int:
    """Do what the words say and return the exit code; no error leaves here as a traceback. `name`:
    what the command was called by, `hpc` or `hsm`."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        command: click.Group = hpc if name == "hpc" else import_module("hpcshell.cli.hsm_names").hsm
        return command.main(words, prog_name=name, standalone_mode=False) or exits.OK
    except BrokenPipeError:
        return _reader_left()
    except BaseException as error:
        if "--debug" in words and not isinstance(error, (SystemExit, click.exceptions.Exit)):
            raise
        return _verdict(error, name)


def _verdict(error: BaseException, name: str) -> int:
    """Say what is wrong, for a person, and return the code for it."""
    match error:
        case HpcError():
            _complain(name, error.message, error.hint)
            return error.exit_code
        case click.exceptions.Exit():
            return error.exit_code
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return exits.USAGE
        case click.ClickException():
            _complain(name, *_usage(error, name))
            return exits.USAGE
        case click.Abort() | KeyboardInterrupt():
            return exits.INTERRUPTED
        case SystemExit():
            return error.code if isinstance(error.code, int) else exits.FAILED
        case MemoryError():
            _complain(name, "not enough memory", None)
        case OSError():
            told = f"{error.filename or 'the answer'}: {error.strerror or error}"
            _complain(name, told, None)
        case _:
            told = f"this is a defect of {name}: {type(error).__name__}: {error}"
            _complain(name, told, "--debug shows where it happened")
    return exits.FAILED


def _usage(error: click.ClickException, name: str) -> tuple[str, str | None]:
    """A usage error as message and hint."""
    message = " ".join(error.format_message().split())
    message = message.replace("integer range", "whole number").replace("float range", "number")
    if isinstance(error, click.NoSuchOption):
        message = f"there is no option {error.option_name}"
        if error.possibilities:
            message += f"; did you mean {error.possibilities[0]}?"
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context is not None else name
    return message[:1].lower() + message[1:].rstrip("."), f"see: {path} --help"


def _complain(name: str, message: str, hint: str | None) -> None:
    from hpcshell.cli.talk import under_name
    from hpcshell.core.words import safe

    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{name}: {safe(message)}\n")
        if hint:
            sys.stderr.write(f"  hint: {safe(under_name(hint, name))}\n")
        sys.stderr.flush()


def _reader_left() -> int:
    """Whoever read our output has gone: no fault of ours, and nothing more to say."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.OK
