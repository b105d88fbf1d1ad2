"""Types of what requests say, with all that a schema can state of them.

Little is checked here: what the store refuses is refused there, in words for people. This tells
programs beforehand.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

import msgspec

from hpcshell.track.store.jobs import KINDS
from hpcshell.track.store.texts import LARGEST, LONGEST_KEY, LONGEST_VALUE, MOST_KEYS
from hpcshell.track.words import WORDS

_HIDDEN: Final = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    r"\ufff9-\ufffb"
)
PRINTABLE: Final = rf"^[^{_HIDDEN}]*[^{_HIDDEN}\s][^{_HIDDEN}]*$"
"""One line, with something to be seen in it."""
JOB: Final = (
    r"^ *[0-9]{1,18}(_[0-9]{1,18}|\[[0-9]{1,18}\]|\[\])?"
    r"(\.([A-Za-z][A-Za-z0-9._:-]{0,200}|[0-9]{1,18}(\.[0-9]{1,18}){0,8}))? *$"
)
"""The id of a job, of an element of it, of a step; the name of a server may stand behind it."""
RUN: Final = "^[0-9a-f]{32}$"
ONE_LINE: Final = rf"^[^{_HIDDEN}]*$"
PATH: Final = rf"^$|^[^/\\{_HIDDEN}]+(/[^/\\{_HIDDEN}]+)*$"
"""A path within a run. That no part of it is . or .. is not said."""


def stated(**schema: Any) -> msgspec.Meta:
    """What JSON Schema says of a type."""
    return msgspec.Meta(extra_json_schema=schema)


def example(**fields: Any) -> dict[str, Any]:
    """The attribute `ALSO` of a struct: a body to begin with."""
    return {"examples": [fields]}


NAMES: Final[dict[str, Any]] = {
    "propertyNames": {"minLength": 1, "maxLength": LONGEST_KEY, "pattern": PRINTABLE},
    "maxProperties": MOST_KEYS,
}
"""Of an object whose names are kept."""
STATUSES: Final = sorted({*WORDS, *(word.lower() for word in WORDS)})

Name: TypeAlias = Annotated[str, stated(minLength=1, maxLength=LONGEST_KEY, pattern=PRINTABLE)]
Word: TypeAlias = Annotated[str, stated(maxLength=LONGEST_KEY, pattern=f"^$|{PRINTABLE}")]
"""The same, or nothing."""
Text: TypeAlias = Annotated[str, stated(maxLength=LONGEST_VALUE)]
Status: TypeAlias = Annotated[str, stated(enum=STATUSES)]
"""Ours, or what others say: FINISHED, killed, ..."""
Kind: TypeAlias = Annotated[str, stated(enum=list(KINDS))]
RunKey: TypeAlias = Annotated[str, stated(pattern=RUN)]
MaybeRunKey: TypeAlias = RunKey | Annotated[str, stated(maxLength=0)]
"""Empty, as scripts send what they do not have."""
Time: TypeAlias = Annotated[
    float, stated(minimum=-62_135_596_800, exclusiveMaximum=253_402_300_800)
]
Whole: TypeAlias = Annotated[int, stated(minimum=-LARGEST - 1, maximum=LARGEST)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
LARGEST_ELEMENT: Final = 10**18 - 1
Element: TypeAlias = Annotated[int, stated(minimum=0, maximum=LARGEST_ELEMENT)]
JobId: TypeAlias = (
    Annotated[int, stated(minimum=0, maximum=10**18 - 1)] | Annotated[str, stated(pattern=JOB)]
)
"""As the scheduler writes it: 12, "12_3", "12[3].server"."""
MaybeJobId: TypeAlias = JobId | Annotated[str, stated(maxLength=0)]
"""The same, or "": what a variable of a scheduler says outside of its jobs."""
Value: TypeAlias = (
    float
    | Annotated[
        str, stated(pattern=r"^ *[+-]?([Nn][Aa][Nn]|[Ii][Nn][Ff]([Ii][Nn][Ii][Tt][Yy])?) *$")
    ]
)
"""Of a metric."""
Code: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Pairs: TypeAlias = Annotated[dict[str, Any], stated(**NAMES)]
