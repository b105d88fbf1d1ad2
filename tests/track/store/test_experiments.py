"""Experiments: made, found, changed, deleted and brought back, over both databases."""

from __future__ import annotations

import pytest

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.track.store import experiments
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.paging import Wanted
from hpcshell.track.store.store import Store
from tests.track.store.made import NOW, experiment, run, show


def test_one_that_is_made_can_be_shown_and_found_by_its_name(store: Store) -> None:
    made = store.change(
        lambda connection: experiments.create(
            connection, "mnist", description="digits", owner="ann", tags={"team": "a"}, now=NOW
        )
    )

    with store.reading() as connection:
        assert experiments.show(connection, made.id) == made
        assert experiments.named(connection, "mnist") == made
        assert experiments.named(connection, "MNIST") is None
    assert (made.description, made.owner, made.tags) == ("digits", "ann", {"team": "a"})


def test_a_name_is_given_once(store: Store) -> None:
    experiment(store, "mnist")

    with pytest.raises(Exists, match="'mnist' already"):
        experiment(store, "mnist")


def test_what_is_ensured_is_made_once(store: Store) -> None:
    first, second = (
        store.change(lambda connection: experiments.ensure(connection, "mnist", now=NOW))
        for _ in range(2)
    )

    assert first == second


def test_it_counts_the_runs_that_are_not_deleted(store: Store) -> None:
    one, other = experiment(store, "one"), experiment(store, "other")
    for number in (one, one, other):
        run(store, number)

    with store.reading() as connection:
        page = experiments.page(connection, Wanted(sort="name"))

    assert [(row.name, row.runs) for row in page.rows] == [("one", 2), ("other", 1)]


def test_fields_and_tags_change(store: Store) -> None:
    number = experiment(store)
    later = NOW + 9

    store.change(lambda c: experiments.update(c, number, name="new", description="d", now=later))
    store.change(lambda c: experiments.set_tag(c, number, "team", "a", later))
    store.change(lambda c: experiments.set_tag(c, number, "team", "b", later))
    store.change(lambda c: experiments.set_tag(c, number, "other", "b", later))
    store.change(lambda c: experiments.drop_tag(c, number, "other", later))

    with store.reading() as connection:
        found = experiments.show(connection, number)
    assert (found.name, found.description, found.tags) == ("new", "d", {"team": "b"})
    assert found.updated_at == later


def test_a_tag_that_is_not_there_cannot_be_dropped(store: Store) -> None:
    number = experiment(store)

    with pytest.raises(NotFound, match="no tag 'team'"):
        store.change(lambda connection: experiments.drop_tag(connection, number, "team", NOW))


def test_it_cannot_take_the_name_of_another(store: Store) -> None:
    experiment(store, "one")
    other = experiment(store, "other")

    with pytest.raises(Exists):
        store.change(lambda connection: experiments.update(connection, other, name="one", now=NOW))
    store.change(lambda connection: experiments.update(connection, other, name="other", now=NOW))


def test_it_is_deleted_with_its_runs_and_brought_back_with_those(store: Store) -> None:
    number = experiment(store)
    before, after = run(store, number), run(store, number)
    store.change(lambda connection: experiments.delete(connection, number, NOW + 1))

    with store.reading() as connection:
        assert experiments.page(connection, Wanted()).rows == []
        assert [row.id for row in experiments.page(connection, Wanted(deleted="deleted")).rows] == [
            number
        ]
    assert show(store, before.run_id).deleted_at == NOW + 1

    store.change(lambda connection: experiments.restore(connection, number, NOW + 2))
    assert show(store, before.run_id).deleted_at is None
    assert show(store, after.run_id).deleted_at is None


def test_a_run_that_was_deleted_before_stays_deleted(store: Store) -> None:
    from hpcshell.track.store import runs

    number = experiment(store)
    gone = run(store, number).run_id
    store.change(lambda connection: runs.delete(connection, gone, NOW + 1))
    store.change(lambda connection: experiments.delete(connection, number, NOW + 2))
    store.change(lambda connection: experiments.restore(connection, number, NOW + 3))

    assert show(store, gone).deleted_at == NOW + 1


def test_what_is_deleted_is_not_changed(store: Store) -> None:
    number = experiment(store)
    store.change(lambda connection: experiments.delete(connection, number, NOW))

    with pytest.raises(Refused, match="is deleted"):
        run(store, number)
    with pytest.raises(Refused, match="is deleted"):
        store.change(lambda c: experiments.set_tag(c, number, "a", "b", NOW))


def test_the_name_of_a_deleted_one_is_free_and_then_it_cannot_come_back(store: Store) -> None:
    number = experiment(store)
    store.change(lambda connection: experiments.delete(connection, number, NOW))
    experiment(store)

    with pytest.raises(Exists):
        store.change(lambda connection: experiments.restore(connection, number, NOW))


@pytest.mark.parametrize("number", [0, -1, 12, 2**63, -(2**63), 2**200])
def test_a_number_that_nothing_has_is_not_found(store: Store, number: int) -> None:
    with store.reading() as connection, pytest.raises(NotFound, match="there is no experiment"):
        experiments.show(connection, number)


@pytest.mark.parametrize(
    "name", ["", " ", "a\x00b", "\x1b[2J", "a\nb", "\u202eevil", "x" * 251, "é" * 200, "\ud800"]
)
def test_a_name_that_cannot_be_shown_is_refused(store: Store, name: str) -> None:
    with pytest.raises(Wrong) as told:
        experiment(store, name)
    assert told.value.hint


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "../../x", "-rf", "$(id)", "=cmd|x", "'; DROP TABLE runs"]
)
def test_a_name_that_can_is_kept_as_it_is(store: Store, name: str) -> None:
    number = experiment(store, name)

    with store.reading() as connection:
        assert experiments.show(connection, number).name == name
