"""Stands for a training: goes on where it was, if it is started again."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--llm", required=True)
parser.add_argument("--epochs", type=int, default=1)
given = parser.parse_args()

done = Path(f"{given.llm}.epoch")
first = int(done.read_text()) if done.exists() else 0
for epoch in range(first, given.epochs):
    print(f"{given.llm}: epoch {epoch + 1} of {given.epochs}", flush=True)
    done.write_text(str(epoch + 1))
