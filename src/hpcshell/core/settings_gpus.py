"""The sections of the configuration about GPUs, and about what may be run."""

from __future__ import annotations

from typing import Annotated

from hpcshell.core.settings_section import Section, key

PROVIDERS = ("auto", "nvml", "amd", "fake", "none")


class GpuSettings(Section, frozen=True, kw_only=True):
    """[gpus]: where the cards are known from, and what is done about what they tell."""

    provider: Annotated[
        str,
        key(
            "choice",
            "who tells of the cards: the driver that is there (auto), a certain one, one that makes"
            " up cards to try things on (fake), or nobody (none: [resources] gpus counts)",
            choices=PROVIDERS,
        ),
    ] = "auto"
    count: Annotated[
        int | None,
        key(
            "count",
            "how many of the cards are used, the first ones; of made-up ones, 8",
            least=0,
            most=1024,
        ),
    ] = None
    memory: Annotated[int, key("size", "memory of each made-up card")] = 80 << 30
    model: Annotated[str, key("text", "model of the made-up cards")] = "fake"
    interval: Annotated[
        float, key("duration", "how often the cards are asked, once for all who want to know")
    ] = 5.0
    window: Annotated[
        float, key("duration", "over how long average and peak loads are worked out")
    ] = 60.0
    memory_threshold: Annotated[
        float,
        key(
            "number",
            "a card is avoided while strangers hold more than this part of its memory",
            bounds=(0.0, 1.0),
        ),
    ] = 0.8
    load_threshold: Annotated[
        float,
        key(
            "number",
            "a card is avoided while strangers keep it busier than this part of one",
            bounds=(0.0, 1.0),
        ),
    ] = 0.8
    overuse: Annotated[
        str,
        key(
            "choice",
            "what happens to a job that holds more memory of a card than its share: it is told (and"
            " the log, and `hpc show`), then ended; told only; or nothing",
            choices=("end", "warn", "off"),
        ),
    ] = "end"
    overuse_grace: Annotated[
        float, key("duration", "how long it may go on after it was told", zero=True)
    ] = 30.0
    names: Annotated[
        str,
        key(
            "choice",
            "what CUDA_VISIBLE_DEVICES holds: what a card is called whatever the order (uuid), or"
            " its number in the order of the bus",
            choices=("uuid", "number"),
        ),
    ] = "uuid"
    mps: Annotated[
        bool, key("switch", "whether shares are limited by CUDA MPS where its daemon runs")
    ] = True
    failures: Annotated[
        int,
        key("count", "after so many failures in a row a card is given no work for a while"),
    ] = 3
    failure_within: Annotated[
        float,
        key("duration", "a run that fails this soon after its start counts as a card's failure"),
    ] = 10.0
    retry_after: Annotated[
        float,
        key("duration", "after so long one job is tried on such a card; then twice as long"),
    ] = 300.0


class SecuritySettings(Section, frozen=True, kw_only=True):
    """[security]: what may be run. Never taken from a project's file."""

    allowed_script_paths: Annotated[
        tuple[str, ...],
        key(
            "words",
            "directories that scripts must lie in, links followed; empty: they may lie anywhere."
            " Of a plain command nobody knows what it runs",
        ),
    ] = ()
