"""Four processes that log into the same run, whose id is the argument."""

from __future__ import annotations

import os
import sys

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

PROCESSES, BATCHES, POINTS, SINGLE = 4, 5, 1000, 20


def train(run_id: str, number: int) -> None:
    client = MlflowClient()
    for batch in range(BATCHES):
        first = batch * POINTS
        points = [Metric("shared", step, number, step) for step in range(first, first + POINTS)]
        client.log_batch(run_id, points, [Param(f"p{number}.{batch}", "1")])
    for step in range(SINGLE):
        client.log_metric(run_id, f"own {number}", step, step=step)


def main(run_id: str) -> int:
    children = []
    for number in range(PROCESSES):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                train(run_id, number)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
