"""What every test may use.

- ``home``: a private, empty HPCSHELL_HOME (a `Path`), set in the environment of the test. When the
  test ends the daemon is stopped, and the test fails if any process of that home is still alive.
- ``hpc``: runs the command line against ``home``: ``hpc("submit", "--quiet", "--", "true")`` is a
  `CompletedProcess` with text streams; ``check=True``: an exit code other than 0 fails the test.

A test that needs several homes, or its own order of events, takes `fresh_home` and its companions
from `tests.support.homes`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest

from tests.support.homes import HPC, clean_environment, fresh_home

# dev: quick and different each time.  ci: the same examples each time, so that a red run is
# somebody's change.  campaign: for hunting.   HYPOTHESIS_PROFILE=campaign pytest ...
# No failure is explained by the lines it ran: for that, while it shrinks one, Hypothesis keeps the
# trace of every run, hundreds of kB of a whole world each: gigabytes in all.
plain = hypothesis.settings(
    deadline=None, phases=[phase for phase in hypothesis.Phase if phase.name != "explain"]
)
hypothesis.settings.register_profile("dev", plain, max_examples=50)
hypothesis.settings.register_profile(
    "ci", plain, max_examples=100, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("campaign", plain, max_examples=5000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


class Hpc(Protocol):
    """The type of the ``hpc`` fixture."""

    def __call__(
        self,
        *words: str | Path | int,
        check: bool = False,
        input: str = "",
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``hpc WORDS...``; `env` is added to the test's environment."""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private HPCSHELL_HOME with nothing in it; verified to be empty of processes at the end."""
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    with fresh_home() as path:
        monkeypatch.setenv("HPCSHELL_HOME", str(path))
        yield path


@pytest.fixture
def hpc(home: Path) -> Hpc:
    """Run the installed ``hpc`` against the test's ``home``."""

    def run(
        *words: str | Path | int,
        check: bool = False,
        input: str = "",
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [HPC, *map(str, words)],
            input=input,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=os.environ | (env or {}),
            timeout=timeout,
        )
        if check and done.returncode != 0:
            pytest.fail(
                f"hpc {' '.join(map(str, words))}: exit code {done.returncode}\n"
                f"stdout: {done.stdout}\nstderr: {done.stderr}"
            )
        return done

    return run
