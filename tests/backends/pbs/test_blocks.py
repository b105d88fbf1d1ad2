"""What is read fast is read as if it were read slowly."""

from __future__ import annotations

import re
from itertools import compress, cycle

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.backends.pbs.blocks import Job, read_blocks, read_exactly
from tests.support.clusters.pbs_recordings import recordings

SHOWN = [
    recorded.out
    for recorded in recordings()
    if recorded.out.startswith("Job Id: ") and recorded.out.endswith("\n\n")
]
ODD = [
    *("    job_state = F\n", "    Exit_status = 0\n", "job_state = F\n", "\tjob_state = F\n"),
    *("    job\n\t_state = F\n", "    se\n\trver = x\n", "    job_s = F\n", "    server = y\n"),
    *("\n\tJob Id: 9.h\n", "Job Id: 9.h\n", "\nJob Id: 9.h\n", "\nJob Id: none\n", "\n", "\t\n"),
    *("    ctime = \n\tx\n", "    \n", "     queue = z\n", "    comment = a\n    comment = b\n"),
    *(
        "\n\t    job_state = F\n",
        "  \n\t  job_state = F\n",
        "    Job_Name = \tq\n",
        "    job = 1\n",
    ),
]
LONG = re.findall(r"    .*\n(?:\t.*\n)*", max(SHOWN, key=len).partition("\n\n")[0] + "\n")
"""The attributes of one job, folded as they were."""
lines = st.sampled_from([line for text in SHOWN for line in text.splitlines(True)[1:]])


def slowly(text: str) -> list[Job]:
    """A text as a whole, by the exact reading alone."""
    jobs: list[Job] = []
    for job in read_exactly(text.removeprefix("Job Id: ")):
        if job is not None:
            jobs.append(job)
        elif jobs:
            jobs[-1] = replace(jobs[-1], twice="an id")
    return jobs if text.endswith("\n\n") else jobs[:-1]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Jobs of a few kinds, often enough for their shapes to be known, and then odd ones of them."""
    kinds = draw(st.lists(st.sampled_from(SHOWN) | made(), min_size=1, max_size=3))
    odd = [spoiled(draw, draw(st.sampled_from(kinds))) for _ in range(draw(st.integers(1, 4)))]
    return "".join([*kinds * 4, *odd, *kinds])


@st.composite
def made(draw: st.DrawFn) -> str:
    return "Job Id: 7.h\n" + "".join(draw(st.lists(lines, max_size=12))) + "\n"


def spoiled(draw: st.DrawFn, text: str) -> str:
    parts = text.splitlines(True)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(parts)))
        parts[place : place + draw(st.integers(0, 1))] = [draw(st.sampled_from(ODD) | lines)]
    return "".join(parts)


def among_others(line: str, other: str) -> str:
    return SHOWN[0] * 5 + SHOWN[0].replace(line, other) + SHOWN[0]


@given(text=texts())
@example(text=among_others("    queue = ", "    job_state = R\n    queue = "))
@example(text=among_others("    server = ", "    stime = "))
@example(text=among_others("    server = pbshost", "    server = x\n\ty"))
@example(
    text="Job Id: 7.h\n    etime = x\n\n" * 5 + "Job Id: 7.h\n    estimated.start_time = x\n\n"
)
def test_a_job_of_a_known_shape_is_read_as_it_would_be_alone(text):
    text = text if text.startswith("Job Id: ") else f"Job Id: {text}"
    assert list(read_blocks(text)) == slowly(text)


@given(
    parts=st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=6, max_size=30),
    head=st.sampled_from(["7.h", "7[].h", "7[3].h", "8", "8[0]"]),
)
def test_jobs_that_show_some_attributes_and_lack_others_are_read_as_if_alone(parts, head):
    text = "".join(
        f"Job Id: {head}\n" + "".join(compress(LONG, cycle(part))) + "\n" for part in parts
    )
    assert list(read_blocks(text)) == slowly(text)


@given(orders=st.lists(st.permutations(LONG[:6]), min_size=6, max_size=20))
def test_in_whatever_order_they_show_them(orders):
    text = "".join(f"Job Id: 7.h\n{''.join(lines)}\n" for lines in orders)
    assert list(read_blocks(text)) == slowly(text)


@given(text=texts(), cut=st.integers(1, 4000))
def test_nor_does_a_cut_make_a_difference(text, cut):
    text = text if text.startswith("Job Id: ") else f"Job Id: {text}"
    cut_off = text[: max(len("Job Id: "), len(text) - cut)]
    assert list(read_blocks(cut_off)) == slowly(cut_off)
