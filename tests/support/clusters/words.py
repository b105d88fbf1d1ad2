"""Says a back end's words here, and lays a job's directory out as whoever submits does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from hpcshell.backends.contract import Answer, Backend, Order, Words
from hpcshell.backends.jobscript import environment_file


def said(words: Words, env: Mapping[str, str], *, prefix: Iterable[str] = ()) -> Answer:
    """The answer to one command; `prefix` is what stands in front of it (to be another user)."""
    try:
        done = subprocess.run(
            [*prefix, *words.argv],
            input=words.stdin,
            capture_output=True,
            env={"PATH": os.environ["PATH"], **env, **words.env},
            timeout=words.patience,
        )
    except FileNotFoundError as error:
        return Answer(code=None, err=str(error), missing=True)
    except subprocess.TimeoutExpired:
        return Answer(code=None)
    out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return Answer(code=done.returncode, out=out, err=err)


def lay_out(backend: Backend, order: Order) -> None:
    """The files of an order, in its directory."""
    home, spec = Path(order.directory), order.spec
    (home / "record").mkdir(parents=True)
    Path(order.job_script).write_text(backend.script(order))
    text, _ = environment_file(spec.named)
    (home / "env").write_text(text)
    if spec.submission.script is not None:
        (home / "script").write_bytes(spec.submission.script)
        (home / "script").chmod(0o755)
