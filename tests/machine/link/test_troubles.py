"""What ssh said, as the error that a person reads."""

from __future__ import annotations

import pytest

from hpcshell.machine.link.troubles import link_down, nobody_spoke


@pytest.mark.parametrize("text", ["", "\n", "kex_exchange_identification: Connection closed"])
def test_a_far_side_that_hung_up_before_a_word_closed_the_connection(text: str) -> None:
    assert "closed the connection" in link_down("ada@login", text).message
    assert nobody_spoke(text)


def test_what_is_in_no_table_is_passed_on() -> None:
    assert "(the moon is in the way)" in link_down("login", "the moon is in the way.").message
    assert not nobody_spoke("the moon is in the way.")
