"""The results of points are what they left, and nothing they left does any harm."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.results.points import Point
from hpcshell.sweeps.collecting import HEAD, LINES_TAIL, TAIL, collected, history, table
from hpcshell.sweeps.errors import errors
from hpcshell.sweeps.standing import MISSING, Standing
from tests.sweeps.made import leave, standing

content = st.none() | st.binary() | st.sampled_from([b'{"loss": 1}\n', b"loss=2\n", b"[]", b"{}"])


@given(content, content, content, content, st.sampled_from(["COMPLETED", "FAILED", "RUNNING"]))
def test_no_bytes_in_any_file_do_any_harm(
    json: bytes | None, jsonl: bytes | None, stdout: bytes | None, stderr: bytes | None, state: str
) -> None:
    files = {"json": json, "jsonl": jsonl, "stdout": stdout, "stderr": stderr}
    with TemporaryDirectory() as directory:
        there = {name: found for name, found in files.items() if found is not None}
        point = leave(standing(Path(directory), state=state), **there)
        assert len(table([point]).rows) == 1
        assert len(errors([point])) == (state == "FAILED")
        history(point, "loss")


def only(found: Standing) -> Point:
    """What is collected of this one point."""
    [point] = collected([found])
    return point


def test_a_document_comes_before_lines_and_lines_before_what_was_printed(tmp_path: Path) -> None:
    point = leave(standing(tmp_path), stdout="loss=3\n")
    assert only(point).metrics == {"loss": 3}
    leave(point, jsonl='{"step": 1, "loss": 9}\n{"step": 2, "loss": 2}\n')
    assert only(point).metrics == {"step": 2, "loss": 2}
    leave(point, json='{"loss": 1}')
    assert only(point).metrics == {"loss": 1}
    assert only(point).note == ""


def test_a_broken_document_is_noted_and_the_next_is_read(tmp_path: Path) -> None:
    point = only(leave(standing(tmp_path), json='{"loss": ', stdout="loss=3\n"))
    assert point.metrics == {"loss": 3}
    assert point.note == "metrics.json is not JSON"


def test_the_row_says_how_the_point_stands(tmp_path: Path) -> None:
    found = standing(tmp_path, index=4, start=10.0, end=12.5, job="7_4", on="slurm")
    row = dict(zip(table([found]).names, table([found]).rows[0], strict=True))
    assert row == {
        "index": 4, "id": f"{4:016x}", "state": "COMPLETED", "exit_code": 0, "seconds": 2.5,
        "job": "7_4", "on": "slurm", "lr": 0.5, "note": "",
    }  # fmt: skip


def test_a_point_whose_folder_is_gone_has_no_metrics(tmp_path: Path) -> None:
    gone = Standing(index=0, id="x", params={}, state="COMPLETED", directory=str(tmp_path / "no"))
    nowhere = Standing(index=1, id="y", params={}, state=MISSING)
    assert [point.metrics for point in collected([gone, nowhere])] == [{}, {}]


def test_links_pipes_and_folders_are_not_read_and_nothing_waits(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"password": "x"}')
    point = standing(tmp_path)
    folder = Path(point.directory)
    (folder / "metrics.json").symlink_to(secret)
    os.mkfifo(folder / "metrics.jsonl")
    (folder / "stdout").mkdir()
    found = only(point)
    assert found.metrics == {}
    assert found.note == (
        "metrics.json is a link: not read; metrics.jsonl is not a regular file: not read; "
        "stdout is not a regular file: not read"
    )


def test_what_cannot_be_read_is_noted() -> None:
    found = only(Standing(index=0, id="x", params={}, state="COMPLETED", directory="x" * 5000))
    assert found.note.startswith("metrics.json cannot be read: File name too long; ")


def test_a_huge_document_is_not_read(tmp_path: Path) -> None:
    point = leave(standing(tmp_path), stdout="loss=3\n")
    with open(f"{point.directory}/metrics.json", "wb") as file:
        file.truncate(100 << 20)
    found = only(point)
    assert found.metrics == {"loss": 3}
    assert found.note == "metrics.json is larger than 16 MiB: not read"


def test_of_very_many_lines_the_last_are_read(tmp_path: Path) -> None:
    line = '{"step": %9d, "loss": 0.25}\n'
    lines = "".join(line % step for step in range(LINES_TAIL // len(line % 0) + 100))
    found = only(leave(standing(tmp_path), jsonl=lines))
    assert found.metrics["loss"] == 0.25
    assert found.note == "metrics.jsonl is long: the last 4 MiB of it were read"


def test_of_a_long_output_both_ends_are_read(tmp_path: Path) -> None:
    middle = "x" * 99 + "\n"
    lines = (
        "lr=1\n" + middle * (HEAD // 100 + 2) + "mid=1\n" + middle * (TAIL // 100 + 2) + "loss=2\n"
    )
    assert only(leave(standing(tmp_path), stdout=lines)).metrics == {"lr": 1, "loss": 2}


def test_the_last_of_a_long_progress_bar_is_read(tmp_path: Path) -> None:
    bar = "".join(f"\r {at} loss={at}" for at in range(200_000))
    assert only(leave(standing(tmp_path), stdout=bar)).metrics == {"loss": 199_999}


def test_a_history_follows_the_lines_or_what_was_printed(tmp_path: Path) -> None:
    point = leave(standing(tmp_path), stdout="step=1 loss=5\nstep=2 loss=4\n")
    assert history(point, "loss") == [(1, 5), (2, 4)]
    leave(point, jsonl='{"epoch": 1, "loss": 3}\n{"epoch": 2, "loss": 2}\n')
    assert history(point, "loss") == [(1, 3), (2, 2)]
    assert history(point, "acc") == []


def test_run_times_are_told_to_the_millisecond(tmp_path: Path) -> None:
    [point] = collected([standing(tmp_path, start=1.6e9, end=1.6e9 + 0.18)])
    assert point.seconds == 0.18
