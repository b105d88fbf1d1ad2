"""A perceptron with one hidden layer learns two intertwined spirals; no package is needed.

It prints its loss at every tenth epoch, and what it has come to in the end, and keeps its weights
in the folder of its point.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
from pathlib import Path

Sample = tuple[float, float, int]


class Net:
    """Two numbers in, one probability out."""

    def __init__(self, width: int, chance: random.Random) -> None:
        self.into = [[chance.gauss(0, 1) for _ in range(3)] for _ in range(width)]
        self.out = [chance.gauss(0, 1 / math.sqrt(width)) for _ in range(width + 1)]

    def hidden(self, x: float, y: float) -> list[float]:
        return [math.tanh(a * x + b * y + c) for a, b, c in self.into]

    def probability(self, hidden: list[float]) -> float:
        total = self.out[-1] + sum(w * h for w, h in zip(self.out, hidden, strict=False))
        return 1 / (1 + math.exp(-max(-40.0, min(40.0, total))))

    def learn(self, sample: Sample, rate: float) -> float:
        """One step down the gradient; the loss before it."""
        x, y, label = sample
        hidden = self.hidden(x, y)
        found = self.probability(hidden)
        error = found - label
        for at, h in enumerate(hidden):
            back = rate * error * self.out[at] * (1 - h * h)
            self.out[at] -= rate * error * h
            for part, value in enumerate((x, y, 1.0)):
                self.into[at][part] -= back * value
        self.out[-1] -= rate * error
        return -math.log(max(1e-12, found if label else 1 - found))


def spirals(count: int, chance: random.Random) -> list[Sample]:
    """Points of two spirals, with some noise."""
    found = []
    for number in range(count):
        angle, label = 3 * math.pi * math.sqrt(number / count), number % 2
        x, y = (math.cos(angle + math.pi * label), math.sin(angle + math.pi * label))
        far = angle / 5
        found.append((far * x + chance.gauss(0, 0.05), far * y + chance.gauss(0, 0.05), label))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1, help="learning rate")
    parser.add_argument("--width", type=int, default=8, help="hidden units")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    samples = spirals(200, chance)
    net = Net(given.width, chance)
    for epoch in range(1, given.epochs + 1):
        chance.shuffle(samples)
        loss = sum(net.learn(sample, given.lr) for sample in samples) / len(samples)
        if epoch % 10 == 0:
            print(f"step={epoch} loss={loss:.4f}", flush=True)
    right = sum(
        (net.probability(net.hidden(x, y)) > 0.5) == (label == 1) for x, y, label in samples
    )
    print(f"accuracy={right / len(samples):.3f}")
    folder = Path(os.environ.get("HPC_SWEEP_DIR", "."))
    (folder / "weights.json").write_text(json.dumps({"into": net.into, "out": net.out}))


if __name__ == "__main__":
    main()
