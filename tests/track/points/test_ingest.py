"""Lines of spool files are taken in once each, whatever comes twice, late, cut or wrong."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, Connection, select

from hpcshell.core.errors import HpcError, Refused, Wrong
from hpcshell.track.points.ingest import SHOWN, Gap, Taken, take_in
from hpcshell.track.points.reading import raw
from hpcshell.track.store import runs
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.silence import lose
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import files, sources
from tests.track.points.made import undone
from tests.track.points.spooled import END, RUN, SOURCE, WHOLE, first, line, metric

NOW = 1000.0


def taken(
    store: Store, lines: bytes, offset: int = 0, source: str = SOURCE, user: str | None = None
) -> Taken:
    return store.change(lambda c: take_in(c, source, offset, lines, NOW, user=user))


def steps(connection: Connection, key: str = "loss") -> list[int]:
    return [int(step) for step in raw(connection, RUN, key).points.steps]


def test_a_file_makes_a_run_with_all_that_it_says(store: Store) -> None:
    assert taken(store, WHOLE) == Taken(offset=len(WHOLE), lines=9)
    with store.reading() as connection:
        run = runs.show(connection, RUN)
        assert connection.execute(select(files.c.path, files.c.uri, files.c.step)).all() == [
            ("model.pt", "/shared/model.pt", 2)
        ]
        assert [row.value for row in raw(connection, RUN, "acc").rows()] == ["NaN", 1.0]
    assert (run.experiment, run.name, run.user, run.seed) == ("mnist", "one", "ann", 7)
    assert (run.status, run.started_at, run.ended_at) == ("COMPLETED", 100.0, 200.0)
    assert run.params == {"opt.lr": "0.1", "extra": "1"}
    assert run.tags == {"a": "b", "tag": "x"}
    assert (run.note, run.exit_code, run.source) == ("a note", 0, "client")
    assert run.metrics["loss"].last == 0.25


def test_the_whole_is_the_same_however_it_is_cut_and_repeated(store: Store) -> None:
    """Each batch begins at the end of a line that is known, and may end in the middle of one."""
    place = st.integers(0, len(WHOLE))

    @given(st.lists(st.tuples(place, place), max_size=12))
    def law(cuts: list[tuple[int, int]]) -> None:
        def check(connection: Connection) -> None:
            known = 0
            for begin, end in [*cuts, (len(WHOLE), len(WHOLE))]:
                offset = WHOLE.rfind(b"\n", 0, min(begin, known)) + 1
                answer = take_in(connection, SOURCE, offset, WHOLE[offset:end], NOW)
                assert answer.offset >= known
                assert (
                    WHOLE[: answer.offset] == b""
                    or WHOLE[answer.offset - 1 : answer.offset] == b"\n"
                )
                known = answer.offset
            assert known == len(WHOLE)
            assert steps(connection) == [1, 2]
            assert runs.show(connection, RUN).status == "COMPLETED"

        undone(store, check)

    law()


def test_after_a_gap_it_says_from_where_to_go_on(store: Store) -> None:
    begin = first()
    taken(store, begin)
    with pytest.raises(Gap) as gap:
        taken(store, metric(1, loss=1.0), len(begin) + 5)
    assert gap.value.wanted == len(begin)
    assert gap.value.hint
    with pytest.raises(Gap) as other:
        taken(store, metric(1, loss=1.0), 1, f"{RUN}-other")
    assert other.value.wanted == 0


def test_a_line_that_is_not_whole_is_left_for_later(store: Store) -> None:
    lines = first() + metric(1, loss=1.0)
    assert taken(store, lines + b'{"k":"m","t":1').offset == len(lines)
    assert taken(store, b'{"k":"m","t":1', len(lines)).offset == len(lines)
    assert taken(store, metric(2, loss=1.0), len(lines)).offset > len(lines)
    with store.reading() as connection:
        assert steps(connection) == [1, 2]


def test_two_processes_of_one_run_have_a_file_each(store: Store) -> None:
    for nonce in ("a", "b"):
        taken(store, first() + metric(1, loss=1.0), 0, f"{RUN}-{nonce}")
    with store.reading() as connection:
        assert steps(connection) == [1, 1]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"nothing\n"[:-1],
        b"[1]",
        b"{}",
        b'{"k":"new"}',
        b'{"k":"m","t":1,"s":1,"v":{"loss":"high"}}',
        b'{"k":"m","t":1,"s":1,"v":{"loss":null}}',
        b'{"k":"m","t":1,"s":1,"v":{"loss":1e400}}',
        b'{"k":"m","t":1,"s":9223372036854775808,"v":{"loss":1}}',
        b'{"k":"m","t":NaN,"s":1,"v":{"loss":1}}',
        b'{"k":"m","t":1,"s":1,"v":{"a\\u0000b":1}}',
        b'{"k":"m","t":1,"s":1,"v":{"\\ud800":1}}',
        b'{"k":"p","v":{"lr":1}}',
        b'{"k":"p","v":{"lr":"\\u0000"}}',
        b'{"k":"f","path":"x","uri":"/x","kind":"virus"}',
        b'{"k":"end","status":"GREAT"}',
        b'{"k":"run","run_id":"' + b"0" * 32 + b'","experiment":"other"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"k":"n","v":"' + b"x" * 70_000 + b'"}',
    ],
)
def test_a_bad_line_is_counted_and_the_rest_goes_on(store: Store, bad: bytes) -> None:
    begin = first()
    lines = begin + bad + b"\n" + metric(1, loss=0.5)
    answer = taken(store, lines)
    assert answer.offset == len(lines)
    with store.reading() as connection:
        assert steps(connection) == [1]
        kept = connection.execute(select(sources.c.bad, sources.c.trouble)).one()
    if bad:
        assert answer.passed == 1
        assert [one.offset for one in answer.bad] == [len(begin)]
        assert tuple(kept) == (1, answer.bad[0].message)
        assert len(answer.bad[0].message) < 500


def test_of_a_line_with_one_bad_value_the_others_are_kept(store: Store) -> None:
    answer = taken(store, first() + metric(1, loss=0.5, **{"a\nb": 1.0}))
    assert answer.passed == 1
    with store.reading() as connection:
        assert steps(connection) == [1]


def test_of_many_bad_lines_the_first_are_named_and_all_counted(store: Store) -> None:
    answer = taken(store, first() + b"x\n" * 1000)
    assert answer.passed == 1000
    assert len(answer.bad) == SHOWN


@pytest.mark.parametrize(
    "fields",
    [
        {"config": {"a": json.loads("[" * 200 + "]" * 200)}},
        {"tags": {"": "x"}},
        {"tags": 5},
        {"seed": 1 << 70},
        {"name": "a\nb"},
        {"job": {"kind": "l s d", "id": "1"}},
        {"job": "7"},
        {"parent": "x"},
        {"user": 7},
    ],
)
def test_a_run_is_made_though_a_part_of_its_line_is_wrong(store: Store, fields: dict) -> None:
    answer = taken(store, first(**fields) + metric(1, loss=0.5))
    assert answer.passed == 1
    with store.reading() as connection:
        assert runs.show(connection, RUN).experiment == "mnist"
        assert steps(connection) == [1]


@pytest.mark.parametrize("experiment", ["", "a\0b", "x" * 300, None, 7, "\u202e"])
def test_a_run_whose_experiment_has_no_name_is_in_that_of_the_nameless(
    store: Store, experiment: object
) -> None:
    taken(store, first(experiment=experiment) + metric(1, loss=0.5))
    with store.reading() as connection:
        assert runs.show(connection, RUN).experiment == "Default"


def test_a_job_is_linked_however_its_id_is_written(store: Store) -> None:
    job = {"kind": "slurm", "id": 12, "cluster": None, "element": 3}
    assert taken(store, first(job=job)).passed == 0
    with store.reading() as connection:
        found = runs.show(connection, RUN).job
    assert found is not None
    assert (found.kind, found.id, found.element) == ("slurm", "12", 3)


def test_without_its_first_line_a_run_is_not_known(store: Store) -> None:
    lines = metric(1, loss=0.5) + b"garbage\n"
    assert taken(store, lines).passed == 2
    assert taken(store, first() + metric(2, loss=0.5), len(lines)).passed == 0
    with store.reading() as connection:
        assert steps(connection) == [2]


def test_clocks_that_are_wrong_do_not_lose_what_was_logged(store: Store) -> None:
    lines = first(t=-1e300) + metric(1, -1e18, loss=0.5) + metric(2, 1e300, loss=0.5)
    assert taken(store, lines + line("end", t=1e300, status="FAILED")).passed == 0
    with store.reading() as connection:
        run = runs.show(connection, RUN)
        assert steps(connection) == [1, 2]
    assert (run.status, run.started_at, run.ended_at) == ("FAILED", NOW, NOW)


def test_a_run_that_goes_on_in_another_process_runs_again(store: Store) -> None:
    taken(store, first(t=1.0) + line("end", t=2.0, status="FAILED"), source=f"{RUN}-a")
    taken(store, first(t=3.0), source=f"{RUN}-b")
    with store.reading() as connection:
        assert runs.show(connection, RUN).status == "RUNNING"


DAY = 86_400.0


def test_a_run_that_ended_by_a_clock_that_is_ahead_still_runs_again(store: Store) -> None:
    ended = first(t=NOW + DAY) + line("end", t=NOW + DAY + 1, status="FAILED")
    taken(store, ended, source=f"{RUN}-a")
    taken(store, first(t=NOW - 1), source=f"{RUN}-b")
    with store.reading() as connection:
        assert runs.show(connection, RUN).status == "RUNNING"


@pytest.mark.parametrize("off", [-DAY, DAY, -1e300, 1e300])
def test_a_sign_of_life_counts_when_it_comes_whatever_its_clock_says(
    store: Store, off: float
) -> None:
    begun = first(t=NOW + off)
    taken(store, begun)
    beat = line("h", t=NOW + 1000 + off)
    store.change(lambda connection: take_in(connection, SOURCE, len(begun), beat, NOW + 1000))
    assert store.change(lambda connection: lose(connection, 300.0, NOW + 1299)) == 0
    assert store.change(lambda connection: lose(connection, 300.0, NOW + 1301)) == 1
    with store.reading() as connection:
        run = runs.show(connection, RUN)
    assert (run.status, run.ended_at) == ("LOST", None)


def test_what_comes_late_of_before_the_end_does_not_bring_a_run_back(store: Store) -> None:
    taken(store, first(t=3.0) + line("end", t=4.0, status="COMPLETED"), source=f"{RUN}-b")
    late = first(t=1.0) + line("end", t=2.0, status="FAILED")
    taken(store, late, source=f"{RUN}-a")
    with store.reading() as connection:
        run = runs.show(connection, RUN)
    assert (run.status, run.ended_at) == ("COMPLETED", 4.0)


def test_somebody_elses_run_is_not_logged_to(store: Store) -> None:
    begin = first(user="ann")
    taken(store, begin)
    with pytest.raises(Refused):
        taken(store, metric(1, loss=0.5), len(begin), user="eve")
    with pytest.raises(Refused):
        taken(store, begin + END, 0, f"{RUN}-eve", user="eve")
    assert taken(store, metric(1, loss=0.5), len(begin), user="ann").passed == 0


def test_a_run_is_of_who_says_so_not_of_whom_it_names(store: Store) -> None:
    taken(store, first(user="root"), user="eve")
    with store.reading() as connection:
        assert runs.show(connection, RUN).user == "eve"


def test_what_a_deleted_run_logs_waits_until_it_is_restored(store: Store) -> None:
    begin = first()
    taken(store, begin)
    store.change(lambda c: runs.delete(c, RUN, NOW))
    with pytest.raises(Refused):
        taken(store, metric(1, loss=0.5), len(begin))
    store.change(lambda c: runs.restore(c, RUN, NOW))
    taken(store, metric(1, loss=0.5), len(begin))
    with store.reading() as connection:
        assert steps(connection) == [1]


@pytest.mark.parametrize(
    "source", ["", "x", "../" + RUN, f"{RUN}-", f"{RUN}-../x", f"{RUN}-{'x' * 40}", f"{RUN}\n"]
)
def test_a_source_is_called_by_its_run(store: Store, source: str) -> None:
    with pytest.raises(Wrong) as error:
        taken(store, WHOLE, source=source)
    assert error.value.hint


def test_other_lines_than_were_taken_are_refused(store: Store) -> None:
    taken(store, first())
    with pytest.raises(HpcError) as error:
        taken(store, b"x" * 500 + b"\n")
    assert error.value.hint


def test_two_servers_that_take_in_the_same_file_count_each_line_once(
    url: URL, store: Store
) -> None:
    lines = [first(), *(metric(step, loss=0.5) for step in range(60))]
    offsets = [sum(map(len, lines[:at])) for at in range(len(lines))]

    def bring(server: Store) -> list[Taken]:
        return [taken(server, line, at) for at, line in zip(offsets, lines, strict=True)]

    with open_store(url) as other, ThreadPoolExecutor(2) as threads:
        found = [threads.submit(bring, server) for server in (store, other)]
        answers = [one.result() for one in found]
    assert sum(one.lines for answer in answers for one in answer) == len(lines)
    with store.reading() as connection:
        assert steps(connection) == list(range(60))
