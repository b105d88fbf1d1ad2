"""Names, signals, and text for terminals."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.records import WarnSignal
from hpcshell.core.words import (
    SIGNALS,
    check_name,
    format_signal,
    format_warn_signal,
    nearest,
    quote,
    safe,
    safe_json,
    signal_number,
    warn_signal,
)
from tests.support.refusals import OBEYED, refusal

HOSTILE_NAMES = [
    *("../../x", "-rf", "$(id)", "`id`", "<script>", "%n", "=cmd|", "a b", "a/b", "..", "12", "@"),
    *("é", "名前", "👩\u200d💻", "x" * 255),
]


@given(st.text())
def test_safe_text_holds_nothing_that_a_terminal_obeys(text: str):
    assert not set(safe(text)) & OBEYED
    safe(text).encode()


@given(st.text().filter(str.isprintable))
def test_printable_text_stays_as_it_is(text: str):
    assert safe(text) == text


@given(st.text(), st.integers(1, 50))
def test_quoted_text_is_short_and_safe(text: str, longest: int):
    quoted = quote(text, longest)
    assert len(quoted) <= longest + 3
    assert not set(quoted) & OBEYED


def test_escapes_are_written_out():
    assert safe("a\x1b[2J\n") == r"a\x1b[2J\x0a"
    assert safe("\x1b]52;c;x\x07") == r"\x1b]52;c;x\x07"
    assert safe("\u202eabc") == r"\u202eabc"
    assert safe("\udcff") == r"\xff"


@pytest.mark.parametrize("letter", [*"\0\n\t\x1b\x7f\x85\x9b", "\u202e", "\u2066", "\udcff"])
def test_a_name_with_what_cannot_be_printed_is_refused(letter: str):
    assert refusal(check_name, f"a{letter}b", "--name")


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_can_be_printed_is_kept(name: str):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "\u3000", "x" * 256, "é" * 128, "x" * 1_000_000])
def test_a_name_of_nothing_or_too_much_is_refused(name: str):
    assert refusal(check_name, name, "--name")


@given(st.integers(1, 64))
def test_a_signals_name_reads_back_as_its_number(number: int):
    assert signal_number(format_signal(number)) == number


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_can_be_named_in_four_ways(name: str):
    number = SIGNALS[name]
    for text in (name, f"SIG{name}", name.lower(), str(number)):
        assert signal_number(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "USR3", "-1", "USR1 USR2", "RTMIN+99", "٣", "1e1"])
def test_what_is_no_signal(text: str):
    with pytest.raises(Wrong, match="no signal"):
        signal_number(text)


@given(st.integers(1, 31), st.integers(0, 65535), st.sampled_from(["leader", "all"]))
def test_a_warning_reads_back_as_the_same(number: int, before: int, to: str):
    warn = WarnSignal(number=number, before=float(before), to=to)
    assert warn_signal(format_warn_signal(warn)) == warn


def test_warnings_as_slurm_writes_them():
    assert warn_signal("USR1") == WarnSignal(number=10, before=60.0, to="all")
    assert warn_signal("B:USR2@90") == WarnSignal(number=12, before=90.0, to="leader")
    assert warn_signal("RB:10@30") == WarnSignal(number=10, before=30.0, to="leader")


@pytest.mark.parametrize("text", ["USR1@", "USR1@x", "USR1@-5", "USR1@99999", "X:USR1", "@60", ""])
def test_what_is_no_warning(text: str):
    with pytest.raises(Wrong):
        warn_signal(text)


def test_the_nearest_word_is_found():
    assert nearest("memroy", ["memory", "cpus"]) == "memory"
    assert nearest("zzz", ["memory", "cpus"]) is None


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab\x7f\x9b\u202e"), inner),
    )
)
def test_json_for_a_terminal_says_the_same_and_nothing_that_is_obeyed(value: object):
    shown = safe_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(shown) == value
    assert not OBEYED & set(shown) - {"\n"}
