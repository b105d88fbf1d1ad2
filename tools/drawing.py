"""Charts of schedules and of curves as SVG, on a card of its own that reads on any page.

The colours can be told apart by the colour-blind (Okabe, Ito, "Color universal design", 2008), and
every bar has its number, every line its name beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

from tools.policy_play import Bar, Example, Played

COLOURS: Final = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7"),
    *("#56b4e9", "#d55e00", "#f0e442", "#8c8c8c"),
)
DARK: Final = frozenset({"#0072b2", "#009e73", "#d55e00", "#8c8c8c"})
"""Colours that a white letter is read on."""
INK: Final = "#222"
FAINT: Final = "#767676"
WIDTH: Final = 760
LEFT: Final = 62
RIGHT: Final = 20
LANE: Final = 21
ROW: Final = 9


class Curve(NamedTuple):
    """A line through points, with its name; `dashed` to tell it from another."""

    name: str
    points: list[tuple[float, float]]
    colour: str
    dashed: bool = False


class Scale(NamedTuple):
    """From figures to places on the card."""

    first: float
    last: float
    low: float
    high: float

    def __call__(self, value: float) -> float:
        part = (value - self.first) / (self.last - self.first)
        return self.low + part * (self.high - self.low)


def colour_of(job: int) -> str:
    """Each job has its colour in all pictures."""
    return COLOURS[(job - 1) % len(COLOURS)]


def card(title: str, height: float, parts: Sequence[str]) -> str:
    """The whole picture."""
    width = LEFT + WIDTH + RIGHT
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
            'font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height:.0f}" rx="8" fill="#fff" stroke="#ccc"/>',
            text(16, 22, title, weight="bold", size=14),
            *parts,
            "</svg>",
        )
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    fill: str = INK,
    anchor: str = "start",
    weight: str = "",
    size: int = 0,
) -> str:
    """Words on the card."""
    more = f' text-anchor="{anchor}"' if anchor != "start" else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' font-size="{size}"' if size else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}"{more}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, stroke: str = FAINT, more: str = "") -> str:
    """A straight line."""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{stroke}"{more}/>'


# -- schedules -----------------------------------------------------------------------------------


def schedule(
    title: str,
    example: Example,
    played: Played,
    *,
    length: float,
    tick: int,
    note: str = "",
) -> str:
    """Which job is where, from minute 0 to `length`; above, when each comes; below, with a note,
    how long each waits."""
    across = Scale(0, length, LEFT, LEFT + WIDTH)
    top = 58
    bottom = top + example.cpus * LANE
    parts = [*_lanes(example, top, bottom), *_apart(example, across, top)]
    parts += _arrivals(example, across, top)
    parts += [part for bar in played.bars for part in _bar(bar, across, top)]
    parts += _axis(across, bottom, length, tick)
    parts += _promises(played, across, top, bottom)
    y = bottom + 34
    if note:
        parts += _waits(example, played, across, y)
        y += ROW * len(example.jobs) + 16
        parts.append(text(LEFT, y, note, fill=FAINT))
        y += 17
    return card(title, y - 4, parts)


def _lanes(example: Example, top: float, bottom: float) -> Iterator[str]:
    yield (
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{bottom - top}" '
        'fill="#f6f6f6" stroke="#bbb"/>'
    )
    for lane in range(example.cpus):
        yield text(LEFT - 8, top + lane * LANE + 15, f"CPU {lane}", fill=FAINT, anchor="end")


def _apart(example: Example, across: Scale, top: float) -> Iterator[str]:
    for one in example.reservations:
        low, high = (across(instant) for instant in example.minutes(one))
        cpus = one.request.cpus
        y = top + (example.cpus - cpus) * LANE
        yield (
            f'<rect x="{low:.1f}" y="{y}" width="{high - low:.1f}" height="{cpus * LANE}" '
            f'fill="#ddd" stroke="{INK}" stroke-dasharray="6 3"/>'
        )
        yield text(high + 6, y + cpus * LANE - 8, f"reservation {one.name}")


def _arrivals(example: Example, across: Scale, top: float) -> Iterator[str]:
    yield text(LEFT - 14, top - 9, "comes", fill=FAINT, anchor="end")
    beside: dict[int, int] = {}
    reach = -1.0
    for work in example.jobs:
        at = across(work.comes)
        x = max(at, reach)
        beside[work.id] = round(x)
        reach = x + 17
        fill = colour_of(work.id)
        yield f'<circle cx="{x:.1f}" cy="{top - 13}" r="8" fill="{fill}"/>'
        yield text(x, top - 9, str(work.id), fill=letter(fill), anchor="middle", weight="bold")
        yield line(at, top - 4, at, top + 2, stroke=INK)


def letter(fill: str) -> str:
    """The colour of letters on that colour."""
    return "#fff" if fill in DARK else INK


def _bar(bar: Bar, across: Scale, top: float) -> Iterator[str]:
    """One rectangle for each run of neighbouring CPUs, the largest with the number."""
    x, width = across(bar.start), across(bar.end) - across(bar.start) - 1
    fill = colour_of(bar.job)
    blocks = list(neighbours(bar.lanes))
    largest = max(blocks, key=len)
    for block in blocks:
        y, height = top + block[0] * LANE + 0.5, len(block) * LANE - 1
        dashes = "" if bar.whole else f' stroke="{INK}" stroke-dasharray="3 2"'
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(1.0, width):.1f}" height="{height}" '
            f'rx="3" fill="{fill}"{dashes}/>'
        )
        if block is largest:
            middle = y + height / 2 + 4.5
            yield text(
                x + width / 2,
                middle,
                str(bar.job),
                fill=letter(fill),
                anchor="middle",
                weight="bold",
                size=13,
            )


def neighbours(lanes: Sequence[int]) -> Iterator[list[int]]:
    """The unbroken runs of lanes."""
    block: list[int] = []
    for lane in sorted(lanes):
        if block and lane != block[-1] + 1:
            yield block
            block = []
        block.append(lane)
    if block:
        yield block


def _axis(across: Scale, bottom: float, length: float, tick: int) -> Iterator[str]:
    for minute in range(0, int(length) + 1, tick):
        x = across(minute)
        yield line(x, bottom, x, bottom + 5)
        words = f"{minute} min" if minute == 0 else str(minute)
        yield text(x, bottom + 18, words, fill=FAINT, anchor="middle")


def _promises(played: Played, across: Scale, top: float, bottom: float) -> Iterator[str]:
    """A flag where each start was promised, under the chart's upper edge."""
    taken: list[float] = []
    for job, at in sorted(played.promises.items(), key=lambda one: one[1]):
        x = across(at)
        y = top + 10.0 + 13 * sum(abs(x - other) < 40 for other in taken)
        taken.append(x)
        yield line(x, top, x, bottom, stroke=INK, more=' stroke-dasharray="2 3"')
        yield (
            f'<rect x="{x:.1f}" y="{y - 9}" width="36" height="12" rx="2" fill="#fff" '
            f'stroke="{INK}"/>'
        )
        yield text(x + 18, y + 0.5, f"{job} by", anchor="middle", size=10)


def _waits(example: Example, played: Played, across: Scale, y: float) -> Iterator[str]:
    yield text(LEFT - 8, y + ROW * len(example.jobs) / 2 + 4, "waits", fill=FAINT, anchor="end")
    for row, work in enumerate(example.jobs):
        at = y + row * ROW + 4
        start = played.starts[work.id]
        first, last = across(work.comes), across(start)
        fill = colour_of(work.id)
        yield f'<rect x="{first:.1f}" y="{at - 3}" width="{max(2.0, last - first):.1f}" ' + (
            f'height="6" fill="{fill}"/>'
        )
        wait = f"{played.waits[work.id]:.0f}"
        yield text(max(last, first + 2) + 4, at + 3.5, f"{work.id}: {wait}", fill=FAINT, size=9)


# -- curves --------------------------------------------------------------------------------------


def curves(
    title: str,
    lines: Sequence[Curve],
    *,
    across: tuple[float, float, str],
    up: tuple[float, float, str],
    ticks: tuple[Sequence[float], Sequence[float]],
    notes: Sequence[str] = (),
    shown: Callable[[float], str] = lambda value: f"{value:g}",
) -> str:
    """Lines over an axis: `across` and `up` are first, last and what they count; names beside."""
    top, bottom, right = 54, 274, LEFT + WIDTH - 120
    x_of = Scale(across[0], across[1], LEFT, right)
    y_of = Scale(up[0], up[1], bottom, top)
    parts = [
        f'<rect x="{LEFT}" y="{top}" width="{right - LEFT}" height="{bottom - top}" '
        'fill="#f6f6f6" stroke="#bbb"/>'
    ]
    for value in ticks[0]:
        parts.append(line(x_of(value), bottom, x_of(value), bottom + 5))
        parts.append(text(x_of(value), bottom + 18, shown(value), fill=FAINT, anchor="middle"))
    for value in ticks[1]:
        parts.append(line(LEFT, y_of(value), right, y_of(value), stroke="#ddd"))
        parts.append(text(LEFT - 8, y_of(value) + 4, shown(value), fill=FAINT, anchor="end"))
    parts.append(text((LEFT + right) / 2, bottom + 36, across[2], fill=FAINT, anchor="middle"))
    parts.append(text(LEFT, top - 5, up[2], fill=FAINT))
    parts += _curves(lines, x_of, y_of, right)
    y = bottom + 58
    for note in notes:
        parts.append(text(LEFT, y, note, fill=FAINT))
        y += 17
    return card(title, y - 4, parts)


def _curves(lines: Sequence[Curve], x_of: Scale, y_of: Scale, right: float) -> Iterator[str]:
    named: list[float] = []
    for curve in sorted(lines, key=lambda curve: y_of(curve.points[-1][1])):
        path = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in curve.points)
        dashes = ' stroke-dasharray="7 4"' if curve.dashed else ""
        yield (
            f'<path d="M{path}" fill="none" stroke="{curve.colour}" stroke-width="2.5"'
            f'{dashes} stroke-linejoin="round"/>'
        )
        y = y_of(curve.points[-1][1]) + 4
        if named and y < named[-1] + 15:
            y = named[-1] + 15
        named.append(y)
        yield line(
            right + 4, y - 4, right + 14, y - 4, stroke=curve.colour, more=' stroke-width="3"'
        )
        yield text(right + 18, y, curve.name)
