"""A training script that knows nothing of us but two addresses runs as it is written."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.web import Server

AS_WRITTEN = """\
# train.py - runs on HPC node
import os
import requests

TRACKER_API = os.environ.get("TRACKER_API", "http://tracker.internal")
EXPERIMENT_ID = os.environ["EXPERIMENT_ID"]
SLURM_JOB_ID = os.environ.get("SLURM_JOB_ID")

def create_run():
    response = requests.post(
        f"{TRACKER_API}/experiments/{EXPERIMENT_ID}/runs",
        json={
            "slurm_job_id": SLURM_JOB_ID,
            "seed": args.seed,
            "config": vars(args)
        }
    )
    return response.json()["run_id"]

def log_metric(run_id, name, value, step):
    requests.post(
        f"{TRACKER_API}/runs/{run_id}/metrics",
        json={"name": name, "value": value, "step": step}
    )
"""
ITS_OWN = """
import argparse
import math

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--learning-rate", type=float, default=0.001)
parser.add_argument("--epochs", type=int, default=4)
args = parser.parse_args()
num_epochs, best_acc = args.epochs, 0.0
weights = [1.0]

def train_epoch():
    weights[0] *= 0.5
    return weights[0]

def validate():
    return 1 - weights[0]
"""
THE_LOOP = """
# Training loop
run_id = create_run()
for epoch in range(num_epochs):
    train_loss = train_epoch()
    val_acc = validate()

    log_metric(run_id, "train_loss", train_loss, epoch)
    log_metric(run_id, "val_accuracy", val_acc, epoch)

    # Save checkpoint to shared storage
    if val_acc > best_acc:
        best_acc = val_acc
"""


@pytest.mark.parametrize(
    ("job", "seed"), [("4711", 7), ("4711_3", 7), (None, None)], ids=["job", "element", "by-hand"]
)
def test_all_its_metrics_arrive_and_the_run_is_linked_to_its_job(
    server: Server, tmp_path: Path, job: str | None, seed: int | None
) -> None:
    script = tmp_path / "train.py"
    script.write_text(AS_WRITTEN + ITS_OWN + THE_LOOP)
    with server.client() as client:
        experiment = client.post("/experiments", json={"name": "exp-001"}).json()["id"]
        known = {
            "TRACKER_API": f"http://token:{server.token}@127.0.0.1:{server.port}",
            "EXPERIMENT_ID": str(experiment),
        }
        if job is not None:
            known["SLURM_JOB_ID"] = job
        seeded = [] if seed is None else ["--seed", str(seed)]
        done = subprocess.run(
            [sys.executable, str(script), *seeded, "--learning-rate", "0.01"],
            env=os.environ | known,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        (run,) = client.get(f"/experiments/{experiment}/runs").json()["rows"]
        loss, accuracy = (
            [point["value"] for point in client.get(path).json()["rows"]]
            for path in (
                f"/runs/{run['run_id']}/metrics/train_loss",
                f"/runs/{run['run_id']}/metrics/val_accuracy",
            )
        )
    assert run["config"] == {"seed": seed, "learning_rate": 0.01, "epochs": 4}
    assert run["seed"] == seed
    assert (run["job"] and (run["job"]["kind"], run["job"]["label"])) == (job and ("slurm", job))
    assert loss == [math.ldexp(1.0, -epoch) for epoch in range(1, 5)]
    assert accuracy == [1 - value for value in loss]
