"""MLflow's own client against a real server: what scripts do with it comes out right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.mlflow import ended, start
from tests.support.web import Server

BATCHES, POINTS, SINGLE, PROCESSES = 5, 1000, 20, 4


@pytest.fixture(scope="module")
def said(place: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended(start(place, "tracking.py")).splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def found(place: Server) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads(ended(start(place, "searching.py")))
    return answers


# ------------------------------------------------------------------------------------- scripts


def test_who_names_no_experiment_has_the_one_called_default(said):
    assert said["default"]["name"] == "Default"
    assert said["default"]["run"] == said["default"]["zero"]
    assert said["default"]["found"] == 1


def test_a_run_has_all_that_its_script_said(said):
    run = said["first"]
    assert run["info"]["run_name"] == "first"
    assert run["info"]["status"] == "FINISHED"
    assert run["info"]["start_time"] <= run["info"]["end_time"]
    assert run["data"]["params"] == {"lr": "0.1", "layers": "[1, 2]"}
    assert run["data"]["metrics"] == {"loss": "0.5", "acc": "0.9", "worst": "nan"}
    tags = run["data"]["tags"]
    assert (tags["team"], tags["k"], tags["mlflow.note.content"]) == ("a", "v", "words")
    assert "gone" not in tags
    data = run["inputs"]["dataset_inputs"]
    assert [(each["dataset"]["name"], len(each["tags"])) for each in data] == [("nums", 1)]


def test_no_number_is_lost_on_the_way(said):
    assert said["loss"] == [[0, "nan"], [1, "inf"], [2, "-inf"], [3, "0.5"]]


def test_the_same_parameter_again_is_fine_and_another_value_is_refused(said):
    assert said["same param"] == 0.1
    assert said["other param"] == said["other params"] == "INVALID_PARAMETER_VALUE"
    assert "new" not in said["first"]["data"]["params"]


def test_what_is_not_there_is_said_to_be_missing(said):
    assert said["no tag"] == "RESOURCE_DOES_NOT_EXIST"
    assert said["no metric"] == []
    assert said["by name"] is None
    assert said["no experiment"] == ["RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"]


def test_nested_runs_know_their_parent(said):
    assert said["child"]
    assert said["children"] == ["child"]


def test_a_run_ends_as_its_script_does_and_can_be_resumed(said):
    assert said["failed"] == "FAILED"
    assert said["resumed"] == "RUNNING"
    assert "system/cpu_utilization_percentage" in said["system"]


def test_an_experiment_is_made_once_renamed_and_tagged(said):
    assert said["twice"] == "RESOURCE_ALREADY_EXISTS"
    assert said["no name"] == "INVALID_PARAMETER_VALUE"
    assert said["renamed"] == ["renamed", {"c": "d"}]


def test_ten_thousand_points_at_once_are_all_kept(said):
    assert said["history"] == 10_000
    batch = said["batch"]
    assert batch["data"]["metrics"] == {"m": "4999.5", "backwards": "1.0", "later": "1.0"}
    assert batch["data"]["params"] == {"p": "q"}
    assert batch["data"]["tags"]["g"] == "h"
    assert (batch["info"]["status"], batch["info"]["run_name"]) == ("KILLED", "other name")
    assert batch["info"]["user_id"] == "ann"


def test_what_is_deleted_refuses_and_is_restored(said):
    assert said["deleted run"] == ["deleted", "INVALID_PARAMETER_VALUE", 0, 1]
    stage, run, again, names = said["deleted"]
    assert (stage, run, again) == ("deleted", "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    assert names == ["renamed"]
    assert said["restored"] == ["active", "RESOURCE_DOES_NOT_EXIST", "active"]


def test_names_that_cannot_be_are_refused(said):
    long, control, empty, unknown, no_id = said["names"]
    assert long == control == empty == "INVALID_PARAMETER_VALUE"
    assert unknown == "RESOURCE_DOES_NOT_EXIST"
    assert no_id == "INVALID_PARAMETER_VALUE"


def test_parts_of_mlflow_that_are_not_here_say_so(said):
    assert said["absent"] == ["FEATURE_DISABLED", "FEATURE_DISABLED"]


def test_models_are_logged_loaded_found_and_deleted(said):
    assert said["loaded"] == ["a"]
    assert said["outputs"] == 1
    assert said["model"] == ["mine", "READY", {"a": "b", "g": "h"}, {"e": "f"}, 0.7]
    assert said["models"] == [1, 1, 0]
    assert said["model files"] == ["w.bin"]
    assert said["no model"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_run_of_mlflow_is_a_run_like_others_and_knows_its_job(said, place):
    with place.client() as client:
        run = client.get(f"/api/v1/runs/{said['first']['info']['run_id']}").json()
        other = client.get(f"/api/v1/runs/{said['batch']['info']['run_id']}").json()
    assert (run["experiment"], run["source"], run["user"]) == ("digits", "mlflow", "ann")
    assert (run["name"], run["note"], run["params"]["lr"]) == ("first", "words", "0.1")
    assert run["metrics"]["loss"]["count"] == 4
    job = run["job"]
    assert (job["kind"], job["cluster"], job["id"], job["element"]) == ("slurm", "big", "77", 3)
    assert (other["job"]["kind"], other["job"]["id"]) == ("pbs", "12")
    assert said["bad job"] == "INVALID_PARAMETER_VALUE"


# ------------------------------------------------------------------------------------ searching


def numbers(names: list[str]) -> set[int]:
    return {int(name.removeprefix("run ")) for name in names}


def test_every_page_of_a_search_is_given_once(found):
    assert len(found["pages"]) == len(set(found["pages"])) == 120
    assert found["newest"] == ["run 119", "run 118"]


def test_runs_are_ordered_by_a_metric_and_those_without_a_number_come_last(found):
    nan = {7, 47, 87}
    assert found["by loss"] == found["pages"]
    assert numbers(found["by loss"][-3:]) == nan
    assert numbers(found["by loss"][:3]) == {0, 1, 2}
    assert found["by loss down"] == ["run 119", "run 118", "run 117"]
    assert found["by start"] == ["run 000", "run 001"]
    assert found["by two"] == ["run 119", "run 116"]


@pytest.mark.parametrize(
    ("filter", "wanted"),
    [
        ("metrics.loss < 0.35", {0, 1, 2, 3}),
        ('metrics.loss <= 0.3 and params.lr = "0"', {0, 3}),
        ("metrics.`val/acc@1` > 0.98", {0, 1, 2}),
        ("params.`model type` = 'wide' AND metrics.loss < 0.8", {1, 3, 5}),
        ("tags.team = 'a' and metrics.loss < 1", {0, 2, 4, 6, 8}),
        ("tags.team LIKE 'A%'", set()),
        ("tags.team ILIKE 'A%' and metrics.loss <= 0.2", {0, 2}),
        ("attributes.status = 'FINISHED'", {0, 30, 60, 90}),
        ("status != 'RUNNING' and status != 'FAILED'", {0, 20, 30, 50, 60, 80, 90, 110}),
        ("attributes.run_name = 'run 005'", {5}),
        ("run_name LIKE 'run 00%' and params.lr != '0'", {1, 2, 4, 5, 7, 8}),
        ("tags.mlflow.runName = 'run 011'", {11}),
        ("attributes.start_time < 1700000000003", {0, 1, 2}),
        ("params.lr IN ('1', '2') and metrics.loss < 0.5", {1, 2, 4}),
        ("user_id = 'nobody'", set()),
    ],
)
def test_a_filter_finds_what_it_says(found, filter, wanted):
    assert numbers(found["filters"][filter]) == wanted


def test_a_search_that_cannot_be_is_refused(found):
    assert found["wrong"] == ["INVALID_PARAMETER_VALUE"] * 3
    assert found["frame"] == 40


# ------------------------------------------------------------------------------------ artifacts


def test_directories_of_artifacts_come_back_byte_for_byte(found):
    assert found["same"]
    assert found["dict"] == {"x": [1, 2]}
    assert found["text"] == "hello"


def test_artifacts_are_listed_directory_by_directory(found):
    assert found["listed"][""] == [
        ["a.txt", False, 5],
        ["conf", True, None],
        ["many", True, None],
        ["t.txt", False, 5],
    ]
    assert found["listed"]["many"] == [["many/a.txt", False, 5], ["many/sub dir", True, None]]
    assert found["listed"]["many/sub dir"][0][0] == "many/sub dir/b ü.txt"
    assert found["listed"]["t.txt"] == found["listed"]["nothing"] == []


def test_artifacts_are_deleted_one_by_one_and_by_directory(found):
    assert found["left"] == ["a.txt", "conf", "many"]
    assert found["left in many"] == ["many/a.txt"]
    assert found["gone"] == "RESOURCE_DOES_NOT_EXIST"


def test_artifacts_of_mlflow_are_files_of_the_run(found, place):
    with place.client() as client:
        rows = client.get(f"/api/v1/runs/{found['run']}/artifacts").json()["rows"]
        text = client.get(f"/api/v1/runs/{found['run']}/artifacts/a.txt").text
    assert [row["path"] for row in rows] == ["a.txt", "conf/d.json", "many/a.txt"]
    assert text == "alpha"


# --------------------------------------------------------------------------- several at the time


def test_four_processes_log_into_one_run_and_nothing_is_lost(place):
    with place.client() as client:
        made = client.post("/api/2.0/mlflow/experiments/create", json={"name": "together"}).json()
        run = client.post("/api/2.0/mlflow/runs/create", json=made).json()["run"]["info"]["run_id"]
        ended(start(place, "training.py", run))
        row = client.get(f"/api/v1/runs/{run}").json()
    assert row["metrics"]["shared"]["count"] == PROCESSES * BATCHES * POINTS
    assert row["metrics"]["shared"]["last"] == BATCHES * POINTS - 1
    assert [row["metrics"][f"own {each}"]["count"] for each in range(4)] == [SINGLE] * PROCESSES
    assert len(row["params"]) == PROCESSES * BATCHES
