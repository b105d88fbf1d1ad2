"""How much of the cards a job of the box gets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.options.row import Setting
from hpcshell.core.records import WHOLE
from hpcshell.core.settings import Settings
from hpcshell.core.settings_box import BoxSettings
from hpcshell.core.units import format_gpus
from hpcshell.gpu.sizing import sized
from hpcshell.predict.models.sizing import Cards

STEPS = st.integers(1, WHOLE)
SHARES = st.integers(1, 64 * WHOLE)


def got(said: int, step: int) -> int:
    """What a job gets, in hundredths of a card, that asks for so many."""
    settings = Settings(box=BoxSettings(precision=step / WHOLE))
    asked = Setting(option="gpus", text=format_gpus(said), origin="--share")
    prepared = sized(["true"], (), asked, settings, Cards())
    return prepared.submission.request.gpu_hundredths


@given(cards=st.integers(1, 64), step=STEPS)
def test_whole_cards_stay_whole_whatever_the_precision(cards: int, step: int):
    assert got(cards * WHOLE, step) == cards * WHOLE


@given(said=SHARES, step=STEPS)
def test_a_part_of_a_card_is_rounded_up_to_the_precision_or_to_the_whole_card(said: int, step: int):
    found = got(said, step)
    assert 0 <= found - said < step
    assert found % WHOLE % step == 0
    assert found <= -(-said // WHOLE) * WHOLE


def test_with_a_precision_that_is_no_part_of_a_card():
    assert [got(said, 30) for said in (10, 30, 31, 90, 95, 100, 110)] == [
        *(30, 30, 60, 90, 100, 100, 130)
    ]
