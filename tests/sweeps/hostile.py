"""Studies that would break a picture or a page."""

from __future__ import annotations

from pathlib import Path

from hpcshell.flow.spec import Spec
from hpcshell.sweeps.reporting import Findings, findings
from tests.sweeps.made import leave, standing

SCRIPT = "<script>alert(1)</script>"
WORDS = (
    SCRIPT, "$\\frac{$", "$x$", "</svg><img src=x onerror=alert(1)>", "--><b>", "]]>",
    "\" onload='x'", "&lt;", "javascript:alert(1)", "\x1b[2J\x00\u202e", "a\nb",
    "{%}", "ü語🙂", "x" * 500, "",
)  # fmt: skip


def hostile(directory: Path) -> Findings:
    """Every word as a parameter, as its values, as the name of the metric and in errors."""
    found = [
        leave(
            standing(
                directory,
                at,
                params={
                    f"{WORDS[at % 3]}{name}": WORDS[(at + shift) % len(WORDS)]
                    for shift, name in enumerate(WORDS[:9])
                },
            ),
            jsonl=f'{{"step": 1, "{SCRIPT}": 2}}\n{{"step": 2, "{SCRIPT}": {at}}}\n',
        )
        for at in range(20)
    ]
    found += [
        leave(
            standing(directory, 20 + at, state="FAILED", exit_code=1, params={SCRIPT: at}),
            stderr=word,
        )
        for at, word in enumerate(WORDS)
    ]
    return findings(Spec(name=SCRIPT, metric=SCRIPT), found)


def plain(directory: Path, count: int = 60, long: str = "") -> Findings:
    """A study as it should be; `long` is added to every name and word."""
    found = [
        leave(
            standing(
                directory,
                at,
                params={
                    f"lr{long}": 10.0 ** -(1 + at % 4),
                    f"opt{long}": ("adam", "sgd", "rmsprop")[at % 3] + long,
                    f"model.depth{long}": 2 + at % 5,
                    f"momentum{long}": 0.01 * at,
                },
                start=0.0,
                end=60.0 + at,
            ),
            jsonl="".join(
                f'{{"step": {step}, "loss": {1 + at % 7 + 9 / (step + 1)}}}\n' for step in range(5)
            ),
        )
        for at in range(count)
    ]
    return findings(Spec(name="study", metric="loss"), found)
