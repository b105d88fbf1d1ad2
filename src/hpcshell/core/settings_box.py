"""The section of the configuration about the GPU box: what `hpc gpu` goes by."""

from __future__ import annotations

from typing import Annotated

from hpcshell.core.settings_section import Section, key


class BoxSettings(Section, frozen=True, kw_only=True):
    """[box]: how jobs come in through `hpc gpu`. Never taken from a project's file."""

    jobs_file: Annotated[
        str, key("text", "the file of jobs that `hpc gpu start` follows; empty: none")
    ] = ""
    jobs_interval: Annotated[float, key("duration", "how often the file of jobs is looked at")] = (
        5.0
    )
    llm_config: Annotated[
        str, key("text", "the table of models and the GPUs they need (JSON); empty: none")
    ] = ""
    state_file: Annotated[
        str,
        key(
            "text",
            "where it is kept which lines of box.jobs_file were submitted, without one of any file"
            " that is followed; empty: in the state directory",
        ),
    ] = ""
    log_file: Annotated[
        str, key("text", "the log of what becomes of the jobs; empty: in the state directory")
    ] = ""
    structured: Annotated[
        bool, key("switch", "whether that log is lines of JSON, or lines for people")
    ] = True
    metrics: Annotated[bool, key("switch", "whether `hpc gpu metrics` answers")] = True
    queue_limit: Annotated[
        int | None, key("count", "how many of these jobs may wait; one more is refused")
    ] = None
    attempts: Annotated[int, key("count", "how often a job is tried, at most", most=1000)] = 1
    retry_wait: Annotated[
        float, key("duration", "time before the second try; before each further one twice as long")
    ] = 5.0
    precision: Annotated[
        float,
        key(
            "number",
            "parts of a card are rounded up to a multiple of this; whole cards stay whole",
            bounds=(0.01, 1.0),
            hundredths=True,
        ),
    ] = 0.01
    stop_within: Annotated[
        float, key("duration", "how long `hpc gpu start` takes to stop, at most")
    ] = 30.0
