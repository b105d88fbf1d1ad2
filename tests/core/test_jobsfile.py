"""A file of jobs: what each line of it means."""

from __future__ import annotations

import csv
import io
import shlex
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.jobsfile import LONGEST, BadLine, JobLine, Lines, card_list, read_line

WORDS = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=12)
PATHS = st.from_regex(r"\A/[a-z/ ]{0,10}[a-z]\.py\Z")
BLANKS = st.text(" \t", max_size=3)


def read(content: bytes) -> list[JobLine | BadLine]:
    """All that a whole file means."""
    lines = Lines()
    found = [read_line(number, line) for number, line in lines.feed(content)]
    found.append(read_line(lines.number + 1, lines.rest))
    return [one for one in found if one is not None]


def job(line: str) -> JobLine:
    found = read_line(1, line.encode())
    assert isinstance(found, JobLine), found
    return found


def bad(line: str | bytes) -> str:
    found = read_line(7, line if isinstance(line, bytes) else line.encode())
    assert isinstance(found, BadLine), found
    assert found.number == 7
    return found.reason


# ------------------------------------------------------------------------------------------ laws


@given(st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_every_line_of_any_file_is_a_job_or_bad_or_means_nothing(content: bytes):
    for one in read(content):
        assert 1 <= one.number <= content.count(b"\n") + 1
        assert one.key
        assert "\n" not in getattr(one, "reason", "")


@given(content=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300)))
def test_it_does_not_matter_in_which_pieces_a_file_is_read(content: bytes, cuts: list[int]):
    lines, found = Lines(), list[tuple[int, bytes]]()
    places = sorted({0, *cuts, len(content)})
    for start, end in pairwise(places):
        found += lines.feed(content[start:end])
    assert [line for _, line in found] == content.split(b"\n")[:-1]
    assert lines.rest == content.split(b"\n")[-1]
    assert [number for number, _ in found] == list(range(1, len(found) + 1))


@given(
    priority=st.sampled_from("012"),
    script=PATHS,
    conda=st.sampled_from(["", "ml_env", "/opt/env s"]),
    words=st.lists(WORDS, max_size=4),
    cards=st.sampled_from(["", "0", "0-3", "1,3", "0-2,5"]),
)
def test_what_a_spreadsheet_writes_is_read_back(
    priority: str, script: str, conda: str, words: list[str], cards: str
):
    row = io.StringIO()
    csv.writer(row).writerow([priority, script, conda, shlex.join(words), cards])
    found = job(row.getvalue())
    assert (found.script, found.conda, found.cards) == (script, conda, cards)
    assert found.arguments == tuple(words)


@given(blanks=st.lists(BLANKS, min_size=5, max_size=5), quoted=st.lists(st.booleans(), min_size=5))
def test_blanks_and_quotes_that_mean_the_same_give_the_same_key(
    blanks: list[str], quoted: list[bool]
):
    fields = ["1", "/x/train.py", "ml", "--epochs 10  --lr 0.1", "0-1"]
    written = ",".join(
        f'{blank}"{field}"{blank}' if marks else f"{blank}{field}{blank}"
        for field, blank, marks in zip(fields, blanks, quoted, strict=False)
    )
    assert job(written).key == job("1,/x/train.py,ml,--epochs 10 --lr 0.1,0-1\r").key


@given(st.sets(st.integers(0, 1023), min_size=1, max_size=20))
def test_a_list_of_cards_is_in_order_and_read_back_as_the_same(numbers: set[int]):
    text = ",".join(map(str, numbers))
    written = card_list(text, "cards")
    assert card_list(written, "cards") == written
    spans = [part.partition("-") for part in written.split(",")]
    assert numbers == {
        each for first, _, last in spans for each in range(int(first), int(last or first) + 1)
    }


@given(
    arguments=st.lists(st.sampled_from(["--x", "foo", "--lr=0.1", "5", "2-3", "-1"]), max_size=3),
    cards=st.lists(st.sampled_from(["0", "7", "0-3", "4 - 5"]), min_size=2, max_size=4),
    blank=st.sampled_from(["", " "]),
)
def test_a_list_of_cards_in_no_quotes_is_read_as_a_whole_or_refused(
    arguments: list[str], cards: list[str], blank: str
):
    line = f",{blank}".join(["1", "a.py", "", " ".join(arguments), *cards])
    found = read_line(1, line.encode())
    if isinstance(found, JobLine):
        assert found.arguments == tuple(arguments)
        assert found.cards == card_list(",".join(cards), "cards")
    else:
        assert isinstance(found, BadLine)
        assert "may be either" in found.reason or "no list of cards" in found.reason


# ----------------------------------------------------------------------------------------- cases


SEED = b"""\
# Priority, Script, Conda_Env, Arguments, Allowed_GPUs
0,/data3/experiments/evaluate.py,ml_env,--llm qwen2.5-3b-inst --mode test,0-3
1,/data3/experiments/train.py,ml_env,--llm qwen2.5-7b-inst --epochs 10,4-7
2,/data3/experiments/inference.py,,--model large --batch_size 32,
"""


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
def test_a_file_with_a_heading_three_priorities_and_an_empty_environment(ends: bytes, begin: bytes):
    first, second, third = read(begin + SEED.replace(b"\n", ends))
    assert first == JobLine(
        number=2,
        priority=750,
        script="/data3/experiments/evaluate.py",
        conda="ml_env",
        arguments=("--llm", "qwen2.5-3b-inst", "--mode", "test"),
        cards="0-3",
        key=first.key,
    )
    assert isinstance(second, JobLine)
    assert isinstance(third, JobLine)
    assert (second.number, second.priority, second.cards) == (3, 500, "4-7")
    assert (third.priority, third.conda, third.cards) == (250, "", "")


@pytest.mark.parametrize(
    "line", ["", "  ", "# a comment", "\t# one", "Priority, Script", "priority,script,conda_env"]
)
def test_blank_lines_comments_and_headings_mean_nothing(line: str):
    assert read_line(3, line.encode()) is None


@pytest.mark.parametrize(
    ("line", "arguments", "cards"),
    [
        ('1,a.py,,"--list 1,2 --x",0', ("--list", "1,2", "--x"), "0"),
        ("1,a.py,,--list a,b --x,0-1", ("--list", "a,b", "--x"), "0-1"),
        ("1,a.py,,--list a,b,", ("--list", "a,b"), ""),
        ('1,a.py,,--say "a, b" --x,"0,2"', ("--say", "a, b", "--x"), "0,2"),
        ('1,a.py,,"--say ""a, b""",', ("--say", "a, b"), ""),
        ('1,a.py,,,"2, 0-1"', (), "0-2"),
        ("1,a.py,,foo,0-3,6", ("foo",), "0-3,6"),
        ("1,a.py,,--x,0,2-3", ("--x",), "0,2-3"),
        ("1,a.py,,,4-5,7", (), "4-5,7"),
        ("   1 ,  a.py , , --indent  , 1-2,5", ("--indent",), "1-2,5"),
        ("1,a.py,,--say a, b --x,0", ("--say", "a,", "b", "--x"), "0"),
        ('1,a.py,,"--sizes 1",0-3,6', ("--sizes", "1"), "0-3,6"),
        ("1,a.py", (), ""),
        (",a.py,", (), ""),
    ],
)
def test_commas_quotes_and_missing_fields(line: str, arguments: tuple[str, ...], cards: str):
    found = job(line)
    assert (found.arguments, found.cards) == (arguments, cards)
    assert (found.priority, found.script) == (500, "a.py")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("3,a.py", "priority '3' is none of 0 (high), 1 (normal) and 2 (low)"),
        ("a.py", "priority 'a.py' is none of"),
        ("1,,env", "it names no script"),
        ("1,a.py,,--x,gpu0", "allowed_gpus: 'gpu0' is no list of cards"),
        ("1,a.py,,--x,3-1", "'3-1' names no cards"),
        ("1,a.py,,--x,0-9999", "'0-9999' names no cards"),
        ("1,a.py,,--list a,b,c", "it has 6 fields, and 'c' is no list of cards"),
        ("1,a.py,,--epochs 10,0,2", "arguments or cards: '0,2' may be either"),
        ("1,a.py,,--x,0,1,2", "arguments or cards: '1,2' may be either"),
        ("1,a.py,,--sizes 1,2-3,5", "arguments or cards: '2-3,5' may be either"),
        ("1,a.py,,--sizes=1,2-3,5", "arguments or cards: '2-3,5' may be either"),
        ("1,a.py,,--list a,b,0-3,6", "arguments or cards: '0-3,6' may be either"),
        ("1,a.py,,0-3,6,7", "arguments or cards: '6,7' may be either"),
        ('1,a.py,,"--x,0', "a double quote is not closed"),
        ("1,a.py,,it's,0", "arguments: they cannot be taken apart: no closing quotation"),
        ("1,a\x1b[2J.py", "holds"),
        (
            "1,a.py,,mac1\r1,a.py,,mac2",
            "it holds a carriage return; save the file with the line ends of Unix",
        ),
        ("# jobs\r1,a.py", "it holds a carriage return"),
        (b"1,a.py,,\xff,0", "byte 9 is not UTF-8"),
        (b"\x7fELF\0\0", "it holds a NUL byte"),
        (b"1,a.py,," + b"x" * LONGEST, "it is longer than 65,536 bytes"),
    ],
)
def test_a_bad_line_says_why(line: str | bytes, reason: str):
    assert reason in bad(line)


def test_a_line_without_end_is_held_in_bounds():
    lines = Lines()
    for _ in range(100):
        assert list(lines.feed(b"x" * LONGEST)) == []
    assert len(lines.rest) == LONGEST + 1
    assert [len(line) for _, line in lines.feed(b"\n1,a.py\n")] == [LONGEST + 1, 6]


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1,,2", "2-1", "0-1024", "1;2", "１"])
def test_what_is_no_list_of_cards_is_refused(text: str):
    with pytest.raises(Wrong):
        card_list(text, "--gpus")
