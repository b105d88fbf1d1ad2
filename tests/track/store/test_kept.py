"""What else is kept: files, tokens, answers; and what is deleted for good."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.track.records import File
from hpcshell.track.store import answers, experiments, files, models, retention, runs, seen, tokens
from hpcshell.track.store.answers import Answer
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.models import NewModel
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import chunks, series
from tests.track.store.made import NOW, experiment, measured, run, show


def noted(store: Store, run_id: str, path: str, **fields: Any) -> File:
    file = File(run_id=run_id, path=path, created_at=NOW, **fields)
    return store.change(lambda connection: files.put(connection, file, NOW))


# ----------------------------------------------------------------------------------------- files


def test_files_are_noted_and_listed_by_their_paths(store: Store) -> None:
    id = run(store, experiment(store)).run_id
    for path in ("b.txt", "ck/10.pt", "ck/9.pt", "ck.txt", "ckx/1"):
        noted(store, id, path, size=3)
    noted(store, id, "b.txt", size=4, step=7)

    with store.reading() as connection:
        page = files.page(connection, id, limit=3)
        rest = files.page(connection, id, limit=3, after=str(page.next))
        under = files.page(connection, id, under="ck/")
        found = files.show(connection, id, "b.txt")
    assert [file.path for file in page.rows + rest.rows] == [
        *("b.txt", "ck.txt", "ck/10.pt", "ck/9.pt", "ckx/1"),
    ]
    assert rest.next is None
    assert [file.path for file in under.rows] == ["ck/10.pt", "ck/9.pt"]
    assert (found.size, found.kind, found.uri, found.step) == (4, "artifact", None, 7)


def test_a_file_is_dropped_once(store: Store) -> None:
    id = run(store, experiment(store)).run_id
    noted(store, id, "a")
    store.change(lambda connection: files.drop(connection, id, "a", NOW))

    with pytest.raises(NotFound):
        store.change(lambda connection: files.drop(connection, id, "a", NOW))


@pytest.mark.parametrize(
    "path",
    [
        *("", "/etc/passwd", "..", "../x", "a/../b", "a//b", "./a", "a/", "a\\b", "..\\x"),
        *("a\x00b", "a\nb", "\u202ea", "x" * 1001, "\ud800", "a/" * 600 + "b"),
    ],
)
def test_a_path_that_leaves_the_run_is_refused(store: Store, path: str) -> None:
    id = run(store, experiment(store)).run_id

    with pytest.raises(Wrong) as told:
        noted(store, id, path)
    assert told.value.hint


@pytest.mark.parametrize("path", ["%2e%2e/x", "<b>.html", "a b.txt", "é.txt", "...", ".hidden"])
def test_any_other_path_is_a_name(store: Store, path: str) -> None:
    id = run(store, experiment(store)).run_id

    assert noted(store, id, path).path == path


# ---------------------------------------------------------------------------------------- tokens


def test_a_token_is_found_by_its_digest_and_never_kept(store: Store) -> None:
    text, made = store.change(
        lambda c: tokens.create(c, "ci", user="ann", role="user", scopes=["read"], now=NOW)
    )

    with store.reading() as connection:
        assert tokens.find(connection, tokens.digest_of(text)) == made
        assert tokens.find(connection, tokens.digest_of(text.swapcase())) is None
        assert tokens.find(connection, tokens.digest_of(text[:-1])) is None
        assert text not in str(connection.exec_driver_sql("SELECT * FROM tokens").all())
    assert text.startswith("hpc_")
    assert len(text) == 47
    assert (made.user, made.role, made.scopes) == ("ann", "user", ["read"])


def test_a_token_is_valid_until_it_expires_or_is_revoked(store: Store) -> None:
    _, made = store.change(
        lambda c: tokens.create(c, "ci", user="ann", role="user", expires_at=NOW + 10, now=NOW)
    )
    assert made.valid(NOW + 9)
    assert not made.valid(NOW + 10)

    revoked = store.change(lambda c: tokens.revoke(c, made.id, NOW + 1))
    assert not revoked.valid(NOW + 2)
    assert store.change(lambda c: tokens.revoke(c, made.id, NOW + 5)).revoked_at == NOW + 1


@pytest.mark.parametrize("number", [0, -1, 99, 2**63, 2**64])
def test_a_token_that_is_not_there_is_not_revoked(store: Store, number: int) -> None:
    with pytest.raises(NotFound):
        store.change(lambda connection: tokens.revoke(connection, number, NOW))


def test_sessions_are_listed_on_demand_alone(store: Store) -> None:
    store.change(lambda c: tokens.create(c, "one", user="a", role="user", now=NOW))
    store.change(lambda c: tokens.create(c, "two", user="a", role="user", session=True, now=NOW))
    store.change(lambda c: tokens.used(c, [1], NOW + 3))

    with store.reading() as connection:
        assert [(each.name, each.used_at) for each in tokens.listed(connection)] == [
            ("one", NOW + 3)
        ]
        assert len(tokens.listed(connection, sessions=True)) == 2


# --------------------------------------------------------------------------------------- answers


def test_an_answer_is_kept_once_and_found_by_whoever_asked(store: Store) -> None:
    key = answers.key_of("ann", "POST", "/experiments", "7b1c")
    given = Answer(201, b'{"id":1}')
    store.change(lambda connection: answers.keep(connection, key, given, NOW))

    with store.reading() as connection:
        assert answers.find(connection, key) == given
        for other in (("bob", "POST", "/experiments"), ("ann", "POST", "/runs")):
            assert answers.find(connection, answers.key_of(*other, "7b1c")) is None
    with pytest.raises(Exists):
        store.change(lambda connection: answers.keep(connection, key, given, NOW))


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\x00"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(Wrong):
        answers.key_of("ann", "POST", "/", key)


# ------------------------------------------------------------------------------- gone for good


def test_what_was_deleted_long_ago_goes_with_all_that_belongs_to_it(store: Store) -> None:
    number = experiment(store)
    gone, young, kept = (
        run(store, number, params={"a": "b"}, tags={"c": "d"}, job=JobRef("slurm", str(count)))
        for count in (1, 2, 3)
    )
    noted(store, gone.run_id, "a")
    store.change(lambda c: measured(c, gone.run_id, {"loss": 1.0}))
    store.change(lambda c: measured(c, kept.run_id, {"loss": 1.0}))
    point = {"number": 0, "count": 1, "points": b"x"}
    rows = [point | {"series_id": count} for count in (1, 2)]
    store.change(lambda c: c.execute(chunks.insert(), rows))
    store.change(lambda c: runs.delete(c, gone.run_id, NOW + 1))
    store.change(lambda c: runs.delete(c, young.run_id, NOW + 9))

    with store.reading() as connection:
        assert retention.due(connection, NOW + 5) == (1, 0)
    purged = store.change(lambda c: retention.purge(c, NOW + 5))

    assert (purged.runs, purged.experiments, purged.more) == ([gone.run_id], [], False)
    with pytest.raises(NotFound):
        show(store, gone.run_id)
    assert show(store, kept.run_id).params == {"a": "b"}
    with store.reading() as connection:
        assert connection.execute(series.select()).all()[0].run_id == kept.run_id
        for table, left in (("params", 2), ("tags", 2), ("files", 0), ("chunks", 1), ("jobs", 2)):
            found = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            assert (table, found) == (table, left)


def test_an_experiment_goes_slice_by_slice(store: Store) -> None:
    number = experiment(store)
    for _ in range(5):
        run(store, number)
    store.change(lambda c: experiments.delete(c, number, NOW + 1))

    slices = []
    while True:
        slices.append(store.change(lambda c: retention.purge(c, NOW + 2, 2)))
        if not slices[-1].more:
            break
    assert [len(each.runs) for each in slices] == [2, 2, 1]
    assert slices[-1].experiments == [number]
    with store.reading() as connection, pytest.raises(NotFound):
        experiments.show(connection, number)


def test_models_go_that_were_deleted_and_those_of_an_experiment_that_goes(store: Store) -> None:
    old, kept = experiment(store, "old"), experiment(store, "kept")

    def log(number: int) -> str:
        new = NewModel(experiment_id=number)
        return store.change(lambda c: models.create(c, new, NOW)).model_id

    within, deleted, young, there = log(old), log(kept), log(kept), log(kept)
    store.change(lambda c: models.delete(c, deleted, NOW + 1))
    store.change(lambda c: models.delete(c, young, NOW + 9))
    store.change(lambda c: experiments.delete(c, old, NOW + 1))

    purged = store.change(lambda c: retention.purge(c, NOW + 5))
    assert sorted(purged.models) == sorted(purged.owners) == sorted([within, deleted])
    with store.reading() as connection:
        assert models.show(connection, there).model_id == there
        assert connection.exec_driver_sql("SELECT count(*) FROM models").scalar() == 2


def test_an_event_comes_for_the_first_time_once(store: Store) -> None:
    def work(connection: Connection) -> list[bool]:
        return [seen.first(connection, event, NOW) for event in ("a", "a", "b")]

    assert store.change(work) == [True, False, True]
    assert store.change(work) == [False, False, False]


def test_answers_and_sessions_are_forgotten(store: Store) -> None:
    def work(connection: Connection) -> None:
        for count in range(3):
            key = answers.key_of("a", "POST", "/", str(count))
            answers.keep(connection, key, Answer(200, b""), NOW)
        for session in (True, False):
            tokens.create(
                connection, "x", user="a", role="user", session=session, expires_at=NOW, now=NOW
            )

    store.change(work)

    assert store.change(lambda c: retention.forget(c, NOW + 1, 2))
    assert not store.change(lambda c: retention.forget(c, NOW + 1, 2))
    with store.reading() as connection:
        assert len(tokens.listed(connection, sessions=True)) == 1
        assert connection.exec_driver_sql("SELECT count(*) FROM answers").scalar() == 0


def test_files_of_a_deleted_run_are_not_changed(store: Store) -> None:
    id = run(store, experiment(store)).run_id
    store.change(lambda c: runs.delete(c, id, NOW))

    with pytest.raises(Refused):
        noted(store, id, "a")
