"""README and docs are run: every transcript prints what the page says it prints."""

import os
import sys
from pathlib import Path

import pytest

from hpcshell.sim.simulate import load_compiled
from tests.support.terminals import programs_needed
from tests.support.transcripts import Command, File, matches, run_page, steps

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "\n```console" in path.read_text("utf-8")
]

MACHINE = {
    "HPC_RESOURCES__CPUS": "4",
    "HPC_RESOURCES__MEMORY": "8G",
    "HPC_GPUS__PROVIDER": "none",
    "COLUMNS": "100",
    "LC_ALL": "C.UTF-8",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "TZ": "UTC",
}
"""The machine and the terminal that the pages were written on."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_page(page, home):
    text = page.read_text("utf-8")
    if "--screen" in text:
        programs_needed()
    if "hpc simulate" in text:
        load_compiled(_compiling)
    folder = home / "work"
    folder.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    wrong = run_page(text, folder, os.environ | MACHINE | {"PATH": path})
    if wrong:
        pytest.fail(f"{page.relative_to(ROOT)}, " + "\n".join(wrong), pytrace=False)


def _compiling() -> None:
    """Once for a checkout, and on a busy machine for longer than a command of a page may take."""


PAGE = """
Save this:

```sh title="a/x.sh"
echo x
```

1. Then

   ```console
   $ sh a/x.sh
   x
   $ cat <<END
   > one $HOME
   > END
   one ...
   ```
"""


def test_a_page_is_its_files_and_commands():
    assert list(steps(PAGE)) == [
        File(4, "a/x.sh", "echo x\n"),
        Command(11, "sh a/x.sh", ("x",)),
        Command(13, "cat <<END\none $HOME\nEND", ("one ...",)),
    ]


def test_a_page_runs_as_one_session(tmp_path):
    later = (
        "```console\n$ cd a; V=1\n$ echo $V ${PWD##*/}; false\n1 a\n$ read x; echo [$x]\n[]\n```\n"
    )
    assert run_page(PAGE + later, tmp_path, dict(os.environ)) == []


def test_what_is_printed_otherwise_is_told_with_its_line(tmp_path):
    wrong = run_page("```console\n$ echo one\ntwo\n```\n", tmp_path, dict(os.environ))
    assert wrong == ["line 2: $ echo one", "  the page: two", "  printed:  one"]


def test_a_session_that_ends_is_told(tmp_path):
    wrong = run_page("```console\n$ exit 3\n```\n", tmp_path, dict(os.environ))
    assert wrong[0] == "line 2: $ exit 3 (EOFError)"


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("", "", True),
        ("", "x\n", False),
        ("x", "x", True),
        ("x", "x   \n", True),
        ("x", "xy\n", False),
        ("job ... ended", "job 12 ended\n", True),
        ("job ... ended", "job 12\nended\n", False),
        ("a\n...\nb", "a\nb\n", True),
        ("a\n...\nb", "a\n1\n2\nb\n", True),
        ("a\n...", "a\n", True),
        ("...", "", True),
        ("a.b", "axb\n", False),
        ("a\n\nb", "a\n\nb\n", True),
        ("a\n\nb", "a\nb\n", False),
    ],
)
def test_dots_stand_for_anything(expected, printed, same):
    assert matches(tuple(expected.splitlines()), printed) is same
