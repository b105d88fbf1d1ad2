"""Pictures of simulated schedules, drawn by matplotlib without a screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator, PercentFormatter

from hpcshell.sim.report.gantt import bars, busiest
from hpcshell.sim.report.ink import COLOURS, DASHES, image, style
from hpcshell.sim.simulate import Simulation
from hpcshell.trace.measures import (
    Curve,
    bounded_slowdown,
    queue_over_time,
    utilization_over_time,
)

SIZE: Final = (7.5, 3.6)
"""Inches of one picture."""
POINTS: Final = 150
"""Spans of time over which curves are averaged."""
SHARES: Final = 500
"""Points of a distribution."""
CLOCK: Final = {
    1.0: "≤ 1 s",
    10.0: "10 s",
    60.0: "1 min",
    600.0: "10 min",
    3600.0: "1 h",
    86400.0: "1 d",
    864000.0: "10 d",
    8640000.0: "100 d",
}
DAYS_FROM: Final = 3 * 86400.0
"""From so many seconds on an axis of time counts days, below hours."""
Simulations = Sequence[Simulation]
Panel = Callable[[Axes, Simulations], None]


def draw(simulations: Simulations, path: str) -> list[str]:
    """Draw all pictures: into one file if the path has an ending, else each into a file of its own
    in that directory, which is made. The paths written. Raises `OSError`."""
    if os.path.splitext(path)[1] and not os.path.isdir(path):
        _write(path, overview(simulations))
        return [path]
    os.makedirs(path, exist_ok=True)
    written = []
    for name, figure in pictures(simulations):
        written.append(os.path.join(path, f"{name}.png"))
        _write(written[-1], figure)
    return written


def _write(path: str, figure: Figure) -> None:
    content = image(figure, os.path.splitext(path)[1][1:].lower())
    with open(path, "wb") as file:
        file.write(content)


def pictures(simulations: Simulations) -> Iterator[tuple[str, Figure]]:
    """Each picture with the name it goes by."""
    for name, panel in PANELS.items():
        yield name, _figure([panel], simulations, SIZE)
    window = busiest(simulations[0])
    for found in simulations:
        yield f"gantt-{found.policy.slug}", gantt(found, window)


def overview(simulations: Simulations) -> Figure:
    """All panels in one figure, which says what they are of."""
    figure = _figure(list(PANELS.values()), simulations, (2 * SIZE[0], 2 * SIZE[1]))
    work = simulations[0].workload
    name = work.name.encode("ascii", "backslashreplace").decode()
    figure.suptitle(f"{name}: {len(work):,} jobs, {work.machine:,} processors", parse_math=False)
    return figure


def _figure(panels: list[Panel], simulations: Simulations, size: tuple[float, float]) -> Figure:
    with style():
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(*((2, 2) if len(panels) > 1 else (1, 1)), squeeze=False)
        for place, panel in zip(axes.flat, panels, strict=True):
            panel(place, simulations)
    return figure


# ---------------------------------------------------------------------------------------- panels


def utilization(axes: Axes, simulations: Simulations) -> None:
    """The share of the machine that is busy, over time."""
    _curves(axes, simulations, utilization_over_time)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(title="Utilization", ylabel="processors busy (%)", ylim=(0, 1.02))


def queue(axes: Axes, simulations: Simulations) -> None:
    """How many jobs wait, over time."""
    _curves(axes, simulations, queue_over_time)
    axes.set(title="Queue", ylabel="jobs waiting")
    axes.set_ylim(bottom=0)


def _curves(axes: Axes, simulations: Simulations, of: Callable[[Any, int], Curve]) -> None:
    curves = [of(found.schedule, POINTS) for found in simulations]
    unit, name = _unit(max(float(curve.times[-1] - curve.times[0]) for curve in curves))
    for at, (found, curve) in enumerate(zip(simulations, curves, strict=True)):
        middles = (curve.times[1:] + curve.times[:-1]) / 2 / unit
        axes.plot(middles, curve.values, label=found.policy.label, **_line(at))
    axes.set_xlabel(f"time since the log began ({name})")
    axes.margins(x=0)
    _legend(axes, simulations)


def waits(axes: Axes, simulations: Simulations) -> None:
    """Of each wait the share of jobs that waited no longer."""
    shares = np.linspace(0, 1, SHARES + 1)
    longest = 60.0
    for at, found in enumerate(simulations):
        wait = found.schedule.wait
        if len(wait):
            marks = np.maximum(np.quantile(wait, shares), 1.0)
            longest = max(longest, float(marks[-1]))
            axes.plot(marks, shares, label=found.policy.label, **_line(at))
    axes.set_xscale("log")
    ticks = [second for second in CLOCK if second <= longest * 2]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([CLOCK[second] for second in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(title="Waits", xlabel="wait", ylabel="jobs that waited no longer (%)", ylim=(0, 1.02))
    _legend(axes, simulations, "lower right")


def slowdown(axes: Axes, simulations: Simulations) -> None:
    """The average bounded slowdown of small and of large jobs."""
    largest = int(simulations[0].workload.procs.max(initial=1))
    classes = range(largest.bit_length())
    width = 0.8 / len(simulations)
    for at, found in enumerate(simulations):
        schedule = found.schedule
        size = np.floor(np.log2(schedule.procs)).astype(np.int64)
        values = bounded_slowdown(schedule.delay, schedule.run)
        means = [values[size == of].mean() if (size == of).any() else np.nan for of in classes]
        places = np.array(classes) + (at + 0.5) * width - 0.4
        axes.bar(places, means, width, label=found.policy.label, color=COLOURS[at % len(COLOURS)])
    names = ["1", *(f"{1 << of}-{(2 << of) - 1}" for of in classes[1:-1])]
    names += [f"{1 << of} and more" for of in classes[1:][-1:]]
    axes.set_xticks(np.array(classes), names, rotation=30 if len(names) > 8 else 0)
    axes.set_yscale("log")
    axes.grid(axis="x", visible=False)
    axes.set_ylim(bottom=1)
    axes.set(title="Slowdown", xlabel="processors of a job", ylabel="average bounded slowdown")
    _legend(axes, simulations)


PANELS: Final[dict[str, Panel]] = {
    "utilization": utilization,
    "queue": queue,
    "waits": waits,
    "slowdown": slowdown,
}
"""The pictures that compare policies, by the names of their files."""


def gantt(found: Simulation, window: tuple[float, float]) -> Figure:
    """What ran where within a window; the processors are those of a drawing, the log names none."""
    with style():
        figure = Figure(figsize=(SIZE[0], SIZE[1] * 1.3), layout="constrained")
        axes = figure.subplots()
        unit, name = _unit(0.0 if window[1] < DAYS_FROM else DAYS_FROM)
        for bar in bars(found, window):
            colour = COLOURS[1] if found.backfilled[bar.row] else COLOURS[0]
            axes.add_patch(
                Rectangle(
                    (bar.start / unit, bar.low),
                    (bar.end - bar.start) / unit,
                    bar.high - bar.low,
                    facecolor=colour,
                    edgecolor="white",
                    linewidth=0.6,
                )
            )
        axes.set(
            title=f"Processors under {found.policy.label}, around the longest queue",
            xlabel=f"time since the log began ({name})",
            ylabel="processors",
            xlim=(window[0] / unit, window[1] / unit),
            ylim=(0, found.workload.machine),
        )
        axes.grid(visible=False)
        kinds = [Patch(color=COLOURS[0]), Patch(color=COLOURS[1])]
        figure.legend(kinds, ["in its turn", "backfilled"], loc="outside lower right", ncols=2)
    return figure


def _unit(span: float) -> tuple[float, str]:
    return (86400.0, "days") if span >= DAYS_FROM else (3600.0, "hours")


def _line(at: int) -> dict[str, Any]:
    return {
        "color": COLOURS[at % len(COLOURS)],
        "linestyle": DASHES[at % len(DASHES)],
        "linewidth": 1.3,
    }


def _legend(
    axes: Axes, simulations: Simulations, place: Literal["best", "lower right"] = "best"
) -> None:
    if len(simulations) > 1:
        axes.legend(loc=place, ncols=2 if len(simulations) > 4 else 1)
