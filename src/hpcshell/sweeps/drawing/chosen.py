"""What is drawn: the points that have the metric, and the parameters that matter to it."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from hpcshell.core.errors import Refused
from hpcshell.core.words import nearest, quote
from hpcshell.flow.results.points import Point, measured
from hpcshell.flow.spec import Direction
from hpcshell.sweeps.drawing.scales import tame
from hpcshell.sweeps.reporting import Curve, Findings

BEST: Final = 0.2
"""Where not all are drawn: the share of those drawn that is kept for the best."""


class Drawn:
    """One study, as pictures need it. `params`: those that vary, what explains most first."""

    def __init__(self, findings: Findings, heat: tuple[str, str] | None = None) -> None:
        report = findings.report
        found = measured(findings.points, report.metric)
        self.direction: Direction = report.direction
        self.sign = 1.0 if report.direction == "minimize" else -1.0
        self.points = [point for point, _ in found]
        self.values = [tame(value) for _, value in found]
        self.metric = report.metric
        self.effects = {effect.param: effect for effect in report.effects}
        self.curves: tuple[Curve, ...] = findings.curves
        self.heat = self._pair(heat)

    @cached_property
    def params(self) -> list[str]:
        """Their names."""
        return list(self.effects)

    def some(self, most: int) -> tuple[list[Point], list[float]]:
        """The points and their values; of very many the best, and others taken evenly from the
        rest by their ranks."""
        order = sorted(range(len(self.points)), key=lambda at: self.sign * self.values[at])
        if len(order) > most:
            best = int(most * BEST)
            gap = (len(order) - best) / (most - best)
            order = order[:best] + [order[best + int(at * gap)] for at in range(most - best)]
        chosen = sorted(order)
        return [self.points[at] for at in chosen], [self.values[at] for at in chosen]

    def _pair(self, heat: tuple[str, str] | None) -> tuple[str, str] | None:
        for name in heat or ():
            if name not in self.effects:
                near = nearest(name, self.effects)
                hint = f"did you mean {near}?" if near else f"there are {', '.join(self.effects)}"
                raise Refused(f"no parameter {quote(name)} varies", hint)
        if heat:
            return heat
        return (self.params[0], self.params[1]) if len(self.params) > 1 else None
