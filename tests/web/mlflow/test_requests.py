"""Requests as MLflow's client sends them, and as it never would: each has its answer."""

from __future__ import annotations

from typing import Any

import httpx

from hpcshell.machine import clock
from hpcshell.track.store.silence import lose
from hpcshell.track.store.store import Store

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


def said(answer: httpx.Response) -> tuple[int, str]:
    """The status, and the code that MLflow's client reads."""
    document = answer.json()
    assert document["message"]
    return answer.status_code, document["error_code"]


def begin(api: httpx.Client, **named: Any) -> str:
    answer = api.post(f"{API}/runs/create", json={"experiment_id": "0", **named})
    assert answer.status_code == 200, answer.text
    id: str = answer.json()["run"]["info"]["run_id"]
    return id


def log(api: httpx.Client, run_id: str, **batch: Any) -> httpx.Response:
    return api.post(f"{API}/runs/log-batch", json={"run_id": run_id, **batch})


# -------------------------------------------------------------------------------------- who may


def test_who_is_not_known_is_told_so_in_mlflows_words(api):
    del api.headers["Authorization"]
    answer = api.get(f"{API}/experiments/get", params={"experiment_id": "0"})
    assert said(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_viewer_reads_and_changes_nothing(api, new_token):
    run_id = begin(api)
    api.headers["Authorization"] = f"Bearer {new_token('viewer')}"
    assert api.get(f"{API}/runs/get", params={"run_id": run_id}).status_code == 200
    for path in ("runs/create", "runs/delete", "experiments/create", "logged-models"):
        assert said(api.post(f"{API}/{path}", json={})) == (403, "PERMISSION_DENIED")
    assert said(api.put(f"{FILES}/1/{run_id}/artifacts/a")) == (403, "PERMISSION_DENIED")


def test_a_run_is_its_owners(api, new_token):
    run_id = begin(api)
    model = api.post(f"{API}/logged-models", json={"experiment_id": "0"}).json()["model"]["info"]
    api.headers["Authorization"] = f"Bearer {new_token('user', user='bob')}"
    one = {"run_id": run_id, "key": "k", "value": "1"}
    for path in ("set-tag", "log-parameter", "log-metric", "log-batch", "delete", "update"):
        assert said(api.post(f"{API}/runs/{path}", json=one)) == (403, "PERMISSION_DENIED")
    file = f"{FILES}/1/{run_id}/artifacts/a"
    assert said(api.put(file, content=b"x")) == (403, "PERMISSION_DENIED")
    assert said(api.delete(file)) == (403, "PERMISSION_DENIED")
    its = f"{API}/logged-models/{model['model_id']}"
    assert said(api.delete(its)) == (403, "PERMISSION_DENIED")
    point = {"key": "acc", "value": 1, "timestamp": 1, "step": 1, "model_id": model["model_id"]}
    point["run_id"] = begin(api)
    assert said(api.post(f"{API}/runs/log-metric", json=point)) == (403, "PERMISSION_DENIED")


def test_an_experiment_is_its_owners(api, new_token):
    id = api.post(f"{API}/experiments/create", json={"name": "of ann"}).json()["experiment_id"]
    owner = api.headers["Authorization"]
    other = f"Bearer {new_token('user', user='bob')}"
    one = {"experiment_id": id, "new_name": "of bob", "key": "k", "value": "1"}
    api.headers["Authorization"] = other
    for verb in ("update", "delete", "set-experiment-tag", "delete-experiment-tag"):
        assert said(api.post(f"{API}/experiments/{verb}", json=one)) == (403, "PERMISSION_DENIED")
    api.headers["Authorization"] = owner
    assert api.post(f"{API}/experiments/delete", json=one).status_code == 200
    api.headers["Authorization"] = other
    assert said(api.post(f"{API}/experiments/restore", json=one)) == (403, "PERMISSION_DENIED")


def test_who_made_a_run_is_who_has_the_token_whatever_mlflow_says(api):
    run_id = begin(api, user_id="root", tags=[{"key": "mlflow.user", "value": "root"}])
    assert api.get(f"/api/v1/runs/{run_id}").json()["user"] == "tester"
    shown = api.get(f"{API}/runs/get", params={"run_id": run_id}).json()["run"]
    assert shown["info"]["user_id"] == "root"


# ------------------------------------------------------------------------------- what is not here


ABSENT = (
    ("GET", f"{API}/registered-models/search", (404, "FEATURE_DISABLED")),
    ("POST", "/api/3.0/mlflow/traces", (404, "FEATURE_DISABLED")),
    ("POST", "/v1/traces", (404, "FEATURE_DISABLED")),
    ("GET", f"{API}/marvels/get", (404, "ENDPOINT_NOT_FOUND")),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/1/x/artifacts", (501, "NOT_IMPLEMENTED")),
    ("GET", "/api/2.0/mlflow-artifacts/presigned/1/x/artifacts/a", (501, "NOT_IMPLEMENTED")),
)


def test_what_is_not_served_says_so(api):
    for method, path, wanted in ABSENT:
        assert said(api.request(method, path)) == wanted, path


def test_the_client_learns_that_a_file_is_to_be_sent_as_one(api):
    answer = api.post("/api/2.0/mlflow-artifacts/mpu/create/1/x/artifacts", json={"num_parts": 2})
    assert answer.json()["message"].startswith("Multipart upload is not supported")
    assert api.get("/api/3.0/mlflow/server-info").json()["multipart_uploads_enabled"] is False
    assert api.get("/version").text.startswith("3.")


def test_a_body_that_means_nothing_is_refused(api):
    headers = {"Content-Type": "application/json"}
    for body in (b"[]", b"{", b'{"run_id": 5}', b'{"metrics": [{"step": 1.5}]}', b'{"params": {}}'):
        answer = api.post(f"{API}/runs/log-batch", content=body, headers=headers)
        assert said(answer) == (400, "INVALID_PARAMETER_VALUE"), body


# ------------------------------------------------------------------------------------ what is kept


def test_a_batch_is_all_kept_or_not_at_all(api):
    run_id = begin(api)
    log(api, run_id, params=[{"key": "a", "value": "1"}])
    answer = log(
        api,
        run_id,
        metrics=[{"key": "m", "value": 1, "timestamp": 1, "step": 1}],
        params=[{"key": "b", "value": "1"}, {"key": "a", "value": "2"}],
        tags=[{"key": "t", "value": "1"}],
    )
    assert said(answer) == (400, "INVALID_PARAMETER_VALUE")
    data = api.get(f"{API}/runs/get", params={"run_id": run_id}).json()["run"]["data"]
    assert data["params"] == [{"key": "a", "value": "1"}]
    assert "metrics" not in data
    twice = [{"key": "c", "value": "1"}, {"key": "c", "value": "2"}]
    assert said(log(api, run_id, params=twice)) == (400, "INVALID_PARAMETER_VALUE")


def test_what_is_sent_again_since_no_answer_came_counts_once(api):
    run_id = begin(api)
    for step in (1, 1, 2, 1):
        log(api, run_id, metrics=[{"key": "m", "value": 1, "timestamp": 5, "step": step}])
    one = {"run_id": run_id, "key": "n", "value": 1, "timestamp": 5, "step": 1}
    for _ in range(2):
        api.post(f"{API}/runs/log-metric", json=one).raise_for_status()
    metrics = api.get(f"/api/v1/runs/{run_id}").json()["metrics"]
    assert (metrics["m"]["count"], metrics["n"]["count"]) == (2, 1)


def test_numbers_may_come_as_text_and_what_json_cannot_say_does(api):
    run_id = begin(api)
    one = {"run_uuid": run_id, "key": "m", "timestamp": "5000", "step": "7"}
    for value in ("NaN", "-Infinity", "2.5"):
        api.post(f"{API}/runs/log-metric", json={**one, "value": value}).raise_for_status()
    named = {"run_id": run_id, "metric_key": "m"}
    points = api.get(f"{API}/metrics/get-history", params=named).json()["metrics"]
    assert [point["value"] for point in points] == ["NaN", "-Infinity", 2.5]
    assert {(point["step"], point["timestamp"]) for point in points} == {(7, 5000)}


def test_a_history_is_read_page_by_page_and_of_many_runs_at_once(api):
    runs = [begin(api), begin(api)]
    for run_id in runs:
        points = [{"key": "m", "value": i, "timestamp": 1, "step": i} for i in range(10)]
        log(api, run_id, metrics=points).raise_for_status()
    named = {"run_id": runs[0], "metric_key": "m", "max_results": 4}
    steps: list[int] = []
    token = ""
    while True:
        page = api.get(f"{API}/metrics/get-history", params={**named, "page_token": token}).json()
        steps += [point["step"] for point in page["metrics"]]
        if not (token := page.get("next_page_token", "")):
            break
    assert steps == list(range(10))
    many = {"run_ids": runs, "metric_key": "m", "start_step": 8, "end_step": 9}
    found = api.get(f"{API}/metrics/get-history-bulk-interval", params=many).json()["metrics"]
    assert [(point["run_id"], point["step"]) for point in found] == [
        (run_id, step) for run_id in runs for step in (8, 9)
    ]


def test_files_are_listed_for_clients_that_ask_by_the_run(api):
    run_id = begin(api)
    for path in ("a.txt", "d/b.txt", "d/e/c.txt"):
        api.put(f"{FILES}/1/{run_id}/artifacts/{path}", content=b"x").raise_for_status()
    top = api.get(f"{API}/artifacts/list", params={"run_id": run_id}).json()
    below = api.get(f"{API}/artifacts/list", params={"run_id": run_id, "path": "d"}).json()
    assert top["root_uri"].endswith(f"{run_id}/artifacts")
    assert [(file["path"], file["is_dir"]) for file in top["files"]] == [
        ("a.txt", False),
        ("d", True),
    ]
    assert [file["path"] for file in below["files"]] == ["d/b.txt", "d/e"]


def test_a_file_may_be_of_any_kind_and_is_saved_not_shown(api):
    run_id = begin(api)
    file = f"{FILES}/1/{run_id}/artifacts/page.html"
    api.put(file, content=b"<script>", headers={"Content-Type": "text/html"}).raise_for_status()
    answer = api.get(file)
    assert answer.content == b"<script>"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "html" not in answer.headers["content-type"]


def test_a_file_cannot_leave_its_run(api):
    top = f"{FILES}/1/{begin(api)}/artifacts"
    for path in ("..%2f..%2fsecret", "a/..%2f..%2f..%2fb", "a//b", "%00", "a%0ab", ".", "%2fetc"):
        for answer in (api.put(f"{top}/{path}", content=b"x"), api.get(f"{top}/{path}")):
            assert said(answer) == (400, "INVALID_PARAMETER_VALUE"), path


def test_names_and_notes_are_fields_and_tags_at_once(api):
    run_id = begin(api, run_name="one")
    api.post(
        f"{API}/runs/set-tag", json={"run_id": run_id, "key": "mlflow.runName", "value": "two"}
    )
    note = {"run_id": run_id, "key": "mlflow.note.content", "value": "words"}
    api.post(f"{API}/runs/set-tag", json=note)
    ours = api.get(f"/api/v1/runs/{run_id}").json()
    assert (ours["name"], ours["note"]) == ("two", "words")
    assert not {"mlflow.runName", "mlflow.note.content"} & ours["tags"].keys()
    api.post(f"{API}/runs/delete-tag", json=note)
    assert api.get(f"/api/v1/runs/{run_id}").json()["note"] == ""


def test_models_of_older_clients_are_told_in_a_tag(api):
    run_id = begin(api)
    for model in ('{"a": 1}', '{"b": 2}'):
        said = {"run_id": run_id, "model_json": model}
        api.post(f"{API}/runs/log-model", json=said).raise_for_status()
    tags = api.get(f"/api/v1/runs/{run_id}").json()["tags"]
    assert tags["mlflow.log-model.history"] == '[{"a":1},{"b":2}]'


def test_experiments_are_found_page_by_page_in_order(api):
    for number in range(7):
        made = api.post(f"{API}/experiments/create", json={"name": f"e{number}"})
        made.raise_for_status()
    found: list[str] = []
    asked = {"max_results": 3, "order_by": ["name DESC"], "filter": "name LIKE 'e%'"}
    while True:
        page = api.post(f"{API}/experiments/search", json=asked).json()
        found += [each["name"] for each in page["experiments"]]
        if not (token := page.get("next_page_token")):
            break
        asked["page_token"] = token
    assert found == [f"e{number}" for number in reversed(range(7))]


def test_a_run_of_mlflow_is_not_lost_for_being_silent(api, store: Store):
    """Its client sends no heartbeats: an epoch may take hours."""
    run_id = begin(api)
    assert store.change(lambda connection: lose(connection, 1.0, clock.now() + 1e6)) == 0
    assert api.get(f"/api/v1/runs/{run_id}").json()["status"] == "RUNNING"


def test_a_deleted_run_is_refused_as_mlflow_does(api):
    run_id = begin(api)
    api.post(f"{API}/runs/delete", json={"run_id": run_id}).raise_for_status()
    one = {"run_id": run_id, "key": "k", "value": "1", "timestamp": 1}
    for path in ("set-tag", "log-parameter", "log-metric"):
        answer = api.post(f"{API}/runs/{path}", json=one)
        assert said(answer) == (400, "INVALID_PARAMETER_VALUE")
