"""What is read fast is read as if it were read slowly."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from hpcshell.backends.contract import Answer, Seen
from hpcshell.backends.sge import SgeBackend

USUAL = (
    "<JB_job_number>12</JB_job_number>",
    "<JAT_prio>0.50000</JAT_prio>",
    "<JB_name>run</JB_name>",
    "<JB_owner>alice</JB_owner>",
    "<state>hqw</state>",
    "<JB_submission_time>2026-11-21T20:50:55</JB_submission_time>",
    "<queue_name>all.q@vm</queue_name>",
    "<slots>2</slots>",
    "<tasks>4-10:2</tasks>",
    "<full_job_name>run</full_job_name>",
    '<requested_pe name="smp">2</requested_pe>',
    '<hard_request name="h_rt" resource_contribution="0.000000">600</hard_request>',
    '<hard_request name="gpu" resource_contribution="0.000000">1</hard_request>',
    "<predecessor_jobs_req>hpc=k.1</predecessor_jobs_req>",
    "<predecessor_jobs_req>11</predecessor_jobs_req>",
    "<predecessor_jobs>11</predecessor_jobs>",
    "<binding>NONE</binding>",
)
ODD = (
    *("<JB_job_number>x</JB_job_number>", "<JB_name></JB_name>", "<slots></slots>", "<tasks>3<"),
    *("<tasks>x</tasks>", "<full_job_name>a", "<state></state>", "<state>r</other>", "</job_list>"),
    *("<JAT_start_time>2026-11-21T20:59:60</JAT_start_time>", "<predecessor_jobs_req>hpc=", "text"),
    *("<hard_request name=a>1</hard_request>", '<hard_request name="h_vmem">1G</', "<", ">", "</"),
    *("<a><b>1</b></a>", "<ad_predecessor_jobs>9</ad_predecessor_jobs>", "</queue_info>"),
)  # fmt: skip


def read(*lines: str) -> Seen:
    """One job of these elements, after one of another kind."""
    job = "\n      ".join(lines)
    first = "".join(USUAL[:8])
    text = (
        "<?xml version='1.0'?>\n<job_info  xmlns:xsd=\"\">\n  <queue_info>\n"
        f'    <job_list state="running">\n      {first}\n    </job_list>\n  </queue_info>\n'
        f'  <job_info>\n    <job_list state="pending">\n      {job}\n    </job_list>\n'
        "  </job_info>\n</job_info>\n"
    )
    return SgeBackend().read_queue([Answer(code=0, out=text)])


@st.composite
def jobs(draw: st.DrawFn) -> list[str]:
    """Nearly as most are: some elements left out, odd ones put in."""
    left_out = draw(st.sets(st.integers(0, len(USUAL) - 1), max_size=6))
    lines = [line for place, line in enumerate(USUAL) if place not in left_out]
    for _ in range(draw(st.integers(0, 3))):
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(ODD + USUAL)))
    return lines


@given(jobs())
@example(list(USUAL))
@example([*USUAL[:8], *USUAL[9:], USUAL[8]])
@example([*USUAL[:10], *USUAL[11:]])
@example([*USUAL[:13], "<predecessor_jobs_req>10</predecessor_jobs_req>", *USUAL[13:]])
def test_an_element_never_heard_of_makes_no_difference(lines: list[str]) -> None:
    assert read("<future>1</future>", *lines) == read(*lines)


def test_the_usual_job_is_read_with_all_that_it_says() -> None:
    _, job = read(*USUAL).sightings
    assert (job.number, job.waiting, job.key, job.cpus) == ("12", "3-9:2", "k.1", 2)
    assert (job.time_limit, job.gpus, job.reason) == (600.0, 2, "waits for the end of 11")
