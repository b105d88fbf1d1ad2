"""Names, paths, comments and values that a shell would stumble over arrive as they were given."""

from __future__ import annotations

import pytest

from hpcshell.backends.contract import Order, Words
from hpcshell.core.errors import Wrong
from tests.backends.slurm.live.conftest import Jobs

ODD = (
    "two words",
    'a\'b"c"d',
    "$(touch owned) `touch owned` $HOME",
    "back\\slash \\n \\",
    "#no comment #SBATCH --hold",
    "a=b,c=d;e&f|g",
    "--hold",
    "-x y",
    "%j %% %",
    "é ü 名 👩‍🔬",
    "  blanks around  ",
    "*?[a-z]{1,2}~",
    "hpc:another key",
)
PRINT_ALL = "for name in ${!ODD_@}; do printf '%s=%s\\0' $name \"${!name}\"; done"
BROKEN = ("a\nb", "a\n#SBATCH --hold\n", "a\rb", "tab\there", "bell\x07", "gap\x1fgap", "null\0")


def test_names_and_comments_arrive_as_they_are(jobs: Jobs) -> None:
    numbers = {text: jobs.submit(name=text, comment=text, begin=4e9) for text in ODD}
    shown = {job.native: job for job in jobs.cluster.queue().sightings}
    for place, (text, number) in enumerate(numbers.items(), 1):
        job = shown[number]
        assert (job.name, job.key, job.held) == (text, f"{jobs.home.name}-{place}", False), text
    assert not (jobs.home / "owned").exists()


@pytest.mark.parametrize(
    "field", ["name", "comment", "partition", "qos", "account", "stdout", "cwd"]
)
@pytest.mark.parametrize("text", BROKEN)
def test_what_no_line_can_hold_is_refused(jobs: Jobs, field: str, text: str) -> None:
    with pytest.raises(Wrong):
        jobs.backend.script(jobs.order(**{field: text}))


@pytest.mark.parametrize("text", [text for text in ODD if text != "%j %% %"])
def test_directories_and_files_may_have_any_name(jobs: Jobs, text: str) -> None:
    cwd = jobs.home / f"in {text}"
    cwd.mkdir()
    number = jobs.submit("pwd", cwd=str(cwd), stdout=f"sub {text}/{text}.txt")
    assert jobs.ended(number).state == "COMPLETED"
    assert (cwd / f"sub {text}" / f"{text}.txt").read_text() == f"{cwd}\n"


@pytest.mark.parametrize(
    "name", [*ODD, "100%j", "%u x", "a%5jb", "50%", "%%", "%z%", "100%%j", "\\"]
)
def test_a_directory_to_run_in_is_no_pattern(jobs: Jobs, name: str) -> None:
    cwd = jobs.home / name
    cwd.mkdir()
    number = jobs.submit("pwd; pwd >&2", cwd=str(cwd), stdout="o-%j.txt", stderr="e-%j.txt")
    assert jobs.ended(number).state == "COMPLETED"
    assert {(cwd / f"{kind}-{number}.txt").read_text() for kind in "oe"} == {f"{cwd}\n"}


@pytest.mark.parametrize("name", ["100%j", "%u x", "a%5jb", "50%", "%%", "%z%", "100%%j"])
@pytest.mark.parametrize("part", ["", "sub %/"])
def test_a_directory_of_the_output_has_its_percent_signs(jobs: Jobs, name: str, part: str) -> None:
    where = jobs.home / name / part
    (jobs.home / name).mkdir()
    number = jobs.submit("pwd", stdout=f"{where}/".replace("%", "%%") + "o-%j.txt")
    assert jobs.ended(number).state == "COMPLETED"
    assert (where / f"o-{number}.txt").read_text() == f"{jobs.home}\n"


def test_a_pattern_that_slurm_has_not_is_opened_by_the_job(jobs: Jobs) -> None:
    number = jobs.submit("echo here", stdout="%x/%j-%r-%%.out", name="a/b", array="12")
    file = jobs.home / "a_b" / f"{number}_12-0-%.out"
    jobs.when(number, lambda job: job.state == "COMPLETED")
    assert file.read_text() == "here\n"


def test_the_callers_environment_arrives_as_it_is(jobs: Jobs) -> None:
    values = {f"ODD_{place}": text for place, text in enumerate((*ODD, "two\nlines"))}
    assert _run(jobs, jobs.order(PRINT_ALL), values) == values


def test_named_variables_arrive_as_they_are(jobs: Jobs) -> None:
    values = {f"ODD_{place}": text for place, text in enumerate((*ODD, "two\nlines"))}
    assert _run(jobs, jobs.order(PRINT_ALL, of_spec={"named": values}), {}) == values


def _run(jobs: Jobs, order: Order, env: dict[str, str]) -> dict[str, str]:
    """The variables that a job printed."""
    number = jobs.tried(order, **env)
    assert isinstance(number, str), number
    assert jobs.ended(number).state == "COMPLETED"
    text = (jobs.home / f"{order.spec.submission.name}-{number}.out").read_text()
    return dict(entry.split("=", 1) for entry in text.split("\0") if entry)


def test_jobs_of_others_with_any_name_spoil_nothing(jobs: Jobs) -> None:
    """Names that no job of ours can have, as plain sbatch takes them."""
    forged = "x\x1e\n999999999\x1f999999999\x1fN/A\x1fCOMPLETED\x1f0\x1f0\x1f"
    names = ("a\nb", "gap\x1fgap", "end\x1e\nend", forged, "bar|bar")
    numbers = []
    for name in names:
        argv = ("sbatch", "--parsable", "-H", "-J", name, "--comment", name, "--wrap", "true")
        answer = jobs.cluster.ask(Words(argv=argv))
        numbers.append(answer.out.strip())
    jobs.ids += numbers
    seen = jobs.cluster.queue()
    assert seen.whole
    shown = {job.native: job.state for job in seen.sightings}
    assert {shown[number] for number in numbers} == {"PENDING"}
    assert "999999999" not in shown
    past = jobs.cluster.history(*numbers)
    assert {job.native for job in past.sightings} <= set(numbers)


def test_variables_of_sbatch_do_not_overrule_what_was_asked(jobs: Jobs) -> None:
    order = jobs.order(partition="debug", name="mine", hold=True)
    env = {"SBATCH_PARTITION": "small", "SBATCH_JOB_NAME": "other", "SBATCH_TIMELIMIT": "1"}
    number = jobs.tried(order, **env)
    assert isinstance(number, str)
    job = jobs.one(number)
    assert (job.partition, job.name, job.time_limit) == ("debug", "mine", 600)
