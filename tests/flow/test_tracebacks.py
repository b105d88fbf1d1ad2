"""Errors are known by their last frame, whatever the tongue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.tracebacks import LONGEST, last_frame, last_line, masked

PYTHON = """loading
Traceback (most recent call last):
  File "/home/u/project/train.py", line 30, in <module>
    main()
    ~~~~^^
  File "/home/u/project/train.py", line 12, in step
    raise ValueError(f"shapes {a} and {b} differ")
ValueError: shapes 12 and 0x7f3a00 differ
"""
CHAINED = """Traceback (most recent call last):
  File "a.py", line 2, in load
    open(path)
FileNotFoundError: [Errno 2] No such file or directory: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 9, in <module>
    load()
  File "a.py", line 4, in load
    raise RuntimeError("no data") from None
RuntimeError: no data
srun: error: node3: task 0: Exited with exit code 1
"""
RANKS = """[rank1]: Traceback (most recent call last):
[rank1]:   File "/x/t.py", line 5, in f
[rank1]:     g()
[rank1]: torch.distributed.DistBackendError: NCCL error 3
"""
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 3, in <module>
  |     raise ExceptionGroup("several", errors)
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "a.py", line 8, in f
    |     raise KeyError("k")
    | KeyError: 'k'
    +------------------------------------
"""
GPU = """Traceback (most recent call last):
  File "net.py", line 7, in forward
    return x @ w
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 79.1 GiB
"""
BAR = " 50%|###   | 5/10 [00:01<00:01, 4.9it/s]" + PYTHON.partition("\n")[2]
JAVA = """Exception in thread "main" java.lang.RuntimeException: bad input
\tat com.example.Main.run(Main.java:12)
\tat com.example.Main.main(Main.java:5)
Caused by: java.io.FileNotFoundException: /data/7.csv (No such file)
\tat java.base/java.io.FileInputStream.open0(Native Method)
\t... 2 more
"""
JULIA = """ERROR: LoadError: UndefVarError: `x` not defined
Stacktrace:
 [1] f(n::Int64)
   @ Main ~/work/a.jl:3
 [2] top-level scope
   @ ~/work/a.jl:6
in expression starting at /home/u/work/a.jl:6
"""
JULIA_SHORT = "ERROR: DomainError with -1.0:\nStacktrace:\n [1] g(x::Float64) at a.jl:2\n"
MATLAB = """Error using horzcat (line 3)
Dimensions of arrays being concatenated are not consistent.

Error in main (line 5)
"""
R = "Loading\nError in lm.fit(x, y) : NA/NaN/Inf in 'x'\nCalls: f -> lm\nExecution halted\n"
R_LONG = "Error in f(1) : \n  a long message\nExecution halted\n"
R_TOP = "Error: object 'x' not found\nExecution halted\n"
CPP = """terminate called after throwing an instance of 'std::out_of_range'
  what():  at 17
run.sh: line 3: 41 Aborted                 ./a
"""
NO_VARIABLE = "Unrecognized function or variable 'q'"
DIED = "/x/run.sh: line 3:  8123 Segmentation fault      ./a.out\n"
ASSERTION = "solver: src/solve.c:88: solve: Assertion `n > 0' failed.\nAborted (core dumped)\n"
RUST = "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds: the len is 3\nnote: run\n"
GO = "panic: no config\n\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/x/main.go:4 +0x39\n"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (PYTHON, "train.py:12 in step: ValueError: shapes # and # differ"),
        (CHAINED, "a.py:4 in load: RuntimeError: no data"),
        (RANKS, "t.py:5 in f: torch.distributed.DistBackendError: NCCL error #"),
        (GROUP, "a.py:8 in f: KeyError: 'k'"),
        (PYTHON + "Aborted (core dumped)\n",
         "train.py:12 in step: ValueError: shapes # and # differ"),
        (GPU, "net.py:7 in forward: CUDA out of memory"),
        (BAR, "train.py:12 in step: ValueError: shapes # and # differ"),
        (PYTHON.replace("\n", "\r\n"), "train.py:12 in step: ValueError: shapes # and # differ"),
        (PYTHON.replace("ValueError", "\x1b[31mValueError\x1b[0m"),
         "train.py:12 in step: ValueError: shapes # and # differ"),
        ('Traceback (most recent call last):\n  File "a.py", line 2, in f\n', "a.py:2 in f"),
        ('Traceback (most recent call last):\n  File "a.py", line 2, in f\n    f()\nKeyError\n',
         "a.py:2 in f: KeyError"),
        (JAVA, "Native Method in java.base/java.io.FileInputStream.open0: "
         "java.io.FileNotFoundException: /data/#.csv (No such file)"),
        (JULIA, "a.jl:3 in f: UndefVarError: `x` not defined"),
        (JULIA_SHORT, "a.jl:2 in g: DomainError: with -#:"),
        (MATLAB, "horzcat:3: MATLAB: Dimensions of arrays being concatenated are not consistent."),
        (f"{NO_VARIABLE}.\n", f"MATLAB: {NO_VARIABLE}"),
        (R, "lm.fit(x, y): R: NA/NaN/Inf in 'x'"),
        (R_LONG, "f(1): R: a long message"),
        (R_TOP, "R: object 'x' not found"),
        (CPP, "std::out_of_range: at #"),
        (ASSERTION, "solve.c:88 in solve: Assertion `n > #' failed."),
        (RUST, "src/main.rs:2: panic: index out of bounds: the len is #"),
        (GO, "main.go:4: panic: no config"),
        ("Fortran runtime error: End of file\n", "Fortran runtime error: End of file"),
        ("RuntimeError: CUDA out of memory. Tried 3 GiB\n", "CUDA out of memory"),
        ("Segmentation fault (core dumped)\n", "Segmentation fault"),
        (DIED, "run.sh:3: Segmentation fault"),
        ("/x/run.sh: line 3: foo: command not found\n", "run.sh:3: foo: command not found"),
        ("run.sh: 3: foo: not found\n", "run.sh:3: foo: not found"),
    ],
)  # fmt: skip
def test_the_last_frame_of_each_tongue(text: str, label: str) -> None:
    found = last_frame(text)
    assert found is not None
    assert found.label == label


@pytest.mark.parametrize(
    "text", ["", "epoch 3\nloss=0.5\n", "Error rate: 0.3\n", "12:30: started\n"]
)
def test_plain_talk_is_no_error(text: str) -> None:
    assert last_frame(text) is None


def test_an_error_after_a_traceback_is_the_last() -> None:
    found = last_frame(PYTHON + "run.sh: line 9: plot: command not found\n")
    assert found is not None
    assert found.label == "run.sh:9: plot: command not found"


def test_a_death_long_after_an_error_is_the_last() -> None:
    found = last_frame(PYTHON + "going on\n" * 20 + "Killed\n")
    assert found is not None
    assert found.label == "Killed"


def test_the_lines_of_an_error_are_the_texts_own() -> None:
    found = last_frame(PYTHON)
    assert found is not None
    assert found.lines == tuple(PYTHON.splitlines()[1:])


@given(st.text())
def test_no_text_does_any_harm(text: str) -> None:
    for found in (last_frame(text), last_line(text)):
        assert found is None or all(len(line) <= LONGEST for line in found.lines)


@given(
    st.text(st.sampled_from("aF(): \n'[1]\t.=|+-")), st.sampled_from([PYTHON, JAVA, JULIA, R, GO])
)
def test_no_remains_of_an_error_do_any_harm(noise: str, text: str) -> None:
    for cut in (text[: len(noise) * 9] + noise, noise + text[len(noise) * 7 :]):
        last_frame(cut)


@given(st.integers(0), st.integers(0), st.floats(0, allow_nan=False, allow_infinity=False))
def test_messages_that_differ_in_numbers_only_are_the_same(a: int, b: int, x: float) -> None:
    message = "shapes {} and {:#x}: loss {!r} of cuda:{}"
    assert masked(message.format(a, b, x, a)) == "shapes # and #: loss # of cuda:#"


def test_names_keep_their_numbers() -> None:
    assert masked("no layer conv2d_1 in resnet50") == "no layer conv2d_1 in resnet50"
    assert (
        masked("point 00ab34cd56ef7890 and 1b4e28ba-2fa1-11d2-883f-0016d3cca427") == "point # and #"
    )


def test_the_last_line_stands_where_no_error_is_known() -> None:
    found = last_line("first\nfailed after 3.5 s\n\n")
    assert found is not None
    assert found.label == "failed after # s"
    assert last_line(" \n\n") is None
