"""Earlier runs correct an estimate: as far as they go, and never to nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.predict.models.formula import estimate
from hpcshell.predict.models.measured import (
    FEWEST,
    HIGHEST,
    MARGIN,
    RECENT,
    Measured,
    corrected,
)
from hpcshell.predict.models.names import MODELS

GIB = 1 << 30
ESTIMATE = estimate(MODELS["qwen2.5-7b"])


def run(peak: int, predicted: int = 10 * GIB) -> Measured:
    return Measured(
        family="qwen2.5",
        mode="infer",
        dtype="bf16",
        ctx=4096,
        batch=1,
        cards=1,
        peak=peak,
        predicted=predicted,
    )


ratios = st.lists(st.floats(0.01, 50.0), min_size=1, max_size=40)
runs = ratios.map(lambda found: [run(max(1, int(ratio * 10 * GIB))) for ratio in found])


@given(runs)
def test_no_correction_goes_below_the_weights_or_beyond_all_measure(past):
    found = corrected(ESTIMATE, past)
    assert ESTIMATE.weights + ESTIMATE.overhead <= found.needed
    assert found.needed <= HIGHEST * ESTIMATE.computed + 1
    assert found.runs == min(len(past), RECENT)
    assert found == corrected(ESTIMATE, past)


@given(runs)
def test_a_job_that_does_as_nine_of_ten_did_has_enough(past):
    found = corrected(ESTIMATE, past)
    recent = [one.peak / one.predicted for one in past[-RECENT:]]
    enough = sum(found.needed >= min(ratio, HIGHEST) * ESTIMATE.computed for ratio in recent)
    assert enough >= 0.9 * len(recent)


@given(runs, st.integers(1, 3))
def test_runs_that_used_more_never_lower_it(past, times):
    more = [replace(one, peak=one.peak * times) for one in past]
    assert corrected(ESTIMATE, more).needed >= corrected(ESTIMATE, past).needed


def test_without_runs_the_formula_stands():
    assert corrected(ESTIMATE, []) == ESTIMATE
    assert ESTIMATE.needed == ESTIMATE.computed


def test_runs_of_another_family_mode_or_type_tell_nothing():
    others = [
        replace(run(90 * GIB), family="llama-3"),
        replace(run(90 * GIB), mode="lora"),
        replace(run(90 * GIB), dtype="fp16"),
        run(0),
        run(GIB, predicted=0),
    ]
    assert corrected(ESTIMATE, others) == ESTIMATE


def test_few_runs_raise_an_estimate_and_do_not_lower_it():
    assert corrected(ESTIMATE, [run(GIB)] * (FEWEST - 1)).needed == ESTIMATE.computed
    assert corrected(ESTIMATE, [run(9 * GIB)] * FEWEST).needed < ESTIMATE.computed
    assert corrected(ESTIMATE, [run(20 * GIB)]).needed == round(2 * MARGIN * ESTIMATE.computed)


def test_runs_that_used_next_to_nothing_leave_the_weights():
    found = corrected(ESTIMATE, [run(GIB // 10)] * RECENT)
    assert found.needed == ESTIMATE.weights + ESTIMATE.overhead


def test_one_wild_run_in_ten_is_left_out():
    calm = [run(10 * GIB)] * 9
    assert corrected(ESTIMATE, [run(30 * GIB), *calm]).needed == round(MARGIN * ESTIMATE.computed)
    assert corrected(ESTIMATE, [run(30 * GIB), *calm[1:]]).needed > 3 * ESTIMATE.computed


def test_old_runs_are_forgotten():
    past = [run(35 * GIB)] * 100 + [run(10 * GIB)] * RECENT
    assert corrected(ESTIMATE, past).needed == round(MARGIN * ESTIMATE.computed)
