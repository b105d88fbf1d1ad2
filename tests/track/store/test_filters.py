"""The language of filters: read as it is written, and meaning the same in SQL and in Python."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from hpcshell.core.errors import Wrong
from hpcshell.track.records import Run
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.filters.parse import DEEPEST, MOST, parse
from hpcshell.track.store.filters.sql import condition
from hpcshell.track.store.filters.tree import Comparison, Missing, Name, Number, Several, shown
from hpcshell.track.store.filters.vocabulary import RUNS
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.paging import Wanted
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import jobs
from tests.track.store.made import NOW, experiment, log, measured, run
from tests.track.store.meaning import KEYS, WORDS, filters, fits


@given(filters)
def test_what_is_written_is_read_as_it_was(node) -> None:
    assert parse(shown(node)) == node


def read_or_refused(text: str) -> None:
    """Nothing else may become of it."""
    with contextlib.suppress(Wrong):
        condition(RUNS, text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refused(text)


TOKENS = [
    "metrics.a",
    "params.b",
    "tags.`x_y`",
    "job.user",
    "status",
    "seed",
    "<",
    "=",
    "!=",
    "LIKE",
    "IN",
    "(",
    ")",
    ",",
    "'x'",
    "1",
    "1e9",
    "and",
    "or",
    "not",
    "is",
    "null",
    '"',
    "`",
    "'",
    ";",
]


@given(st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join))
def test_words_in_any_order_are_read_or_refused(text: str) -> None:
    read_or_refused(text)


# ------------------------------------------------------------------------------- what is meant


def world(store: Store) -> list[Run]:
    """Runs that differ in all that can be asked for."""
    store.change(differing)
    with store.reading() as connection:
        return runs.page(connection, Wanted(limit=1000)).rows


def differing(connection: Connection) -> None:
    """Make them."""
    chance = random.Random(7)
    number = experiments.create(connection, "mnist", now=NOW).id
    values = [None, 0.0, 0.5, 1.0, -1.0, 3.25, 1e-3, float("inf"), float("-inf")]

    def some(words: Sequence[Any]) -> dict[str, Any]:
        return {key: chance.choice(words) for key in chance.sample(KEYS, chance.randint(0, 4))}

    for count in range(30):
        new = NewRun(
            experiment_id=number,
            name=chance.choice(WORDS[:8]),
            user=chance.choice(("", "a", "ab")),
            seed=chance.choice((None, 0, 1, 2**62)),
            started_at=chance.choice((None, 1.0, 2.0)),
            params=some((*WORDS, "1e0", "nan", "inf", "1.00")),
            tags=some(WORDS),
            job=JobRef("slurm", str(count % 9 + 1)) if count % 4 else None,
        )
        id = runs.create(connection, new, NOW).run_id
        measured(connection, id, some(values))
        if count % 3 == 0:
            code = chance.choice((None, 0, 1, -1))
            ended = float(count)
            runs.set_status(connection, id, "FAILED", exit_code=code, time=ended, now=NOW)
    for count in range(1, 10):
        facts = {
            "user": chance.choice(WORDS),
            "state": chance.choice(("A", "a", "ab")),
            "reason": chance.choice((None, *WORDS)),
            "cpus": chance.choice((None, 0, 1, 2)),
            "gpus": chance.choice((None, 0.5, 1.0)),
        }
        connection.execute(jobs.update().where(jobs.c.id == str(count)).values(facts))


def test_sql_means_what_python_means(store: Store) -> None:
    known = world(store)

    @given(filters)
    def law(node) -> None:
        with store.reading() as connection:
            found = runs.page(connection, Wanted(filter=shown(node), limit=1000)).rows
        assert [row.run_id for row in found] == [row.run_id for row in known if fits(row, node)]

    law()


def test_mlflow_s_own_searches_are_read(store: Store) -> None:
    number = experiment(store)
    id = run(
        store,
        number,
        name="good",
        params={"lr": "0.1", "model type": "cnn"},
        tags={"mlflow.source.name": "train.py"},
    ).run_id
    log(store, id, {"loss": 0.3})
    run(store, number)

    for asked in (
        "metrics.loss < 1 and params.lr = '0.1'",
        'params."model type" = "cnn"',
        "parameters.`model type` LIKE 'c%'",
        "tags.mlflow.source.name ILIKE '%TRAIN%'",
        "tag.`mlflow.source.name` = 'train.py'",
        "attributes.run_name = 'good' and attribute.status = 'RUNNING'",
        f"run_id IN ('{id}')",
        "name != ''",
        "params.lr < 0.2",
    ):
        with store.reading() as connection:
            assert [r.run_id for r in runs.page(connection, Wanted(filter=asked)).rows] == [id], (
                asked
            )


def test_experiments_are_asked_for_in_the_same_words(store: Store) -> None:
    one, two = experiment(store, "one"), experiment(store, "two")
    store.change(lambda c: experiments.set_tag(c, one, "team", "a", NOW))
    run(store, two)

    for asked, found in (
        ("name LIKE 't%'", [two]),
        ("tags.team = 'a'", [one]),
        (f"id = {two} or tags.team IS NOT NULL", [two, one]),
        (f"experiment_id != {two}", [one]),
        ("runs > 0", [two]),
        ("runs = 0 or runs IS NULL", [one]),
    ):
        with store.reading() as connection:
            page = experiments.page(connection, Wanted(filter=asked))
        assert [row.id for row in page.rows] == found, asked
    with store.reading() as connection, pytest.raises(Wrong, match=r"'metrics\.loss' is no column"):
        experiments.page(connection, Wanted(filter="metrics.loss < 1"))


def test_instants_may_be_written_as_dates(store: Store) -> None:
    number = experiment(store)
    early = run(store, number, now=1_780_000_000.0).run_id  # 2026-05-28, 20:26:40 UTC
    late = run(store, number, now=1_780_000_600.0).run_id
    for asked, found in (
        ("created_at > '2026-05-28T20:30Z'", [late]),
        ("created_at < '2026-05-28 22:30+02:00'", [early]),
        ("created_at > '2026-01-01'", [late, early]),
        ("created_at = '2026-05-28T20:26:40+00:00'", [early]),
    ):
        with store.reading() as connection:
            page = runs.page(connection, Wanted(filter=asked))
        assert [row.run_id for row in page.rows] == found, asked


def test_and_binds_more_than_or() -> None:
    a, b, c = (Comparison(Name("attributes", "seed"), "=", (Number(n),)) for n in "123")

    assert parse("seed = 1 or seed = 2 and seed = 3") == Several("OR", (a, Several("AND", (b, c))))
    assert parse("(seed = 1)") == a
    assert parse("seed is not null") == Missing(Name("attributes", "seed"), False)


# ---------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("metrics.loss <", "character 15: expected a number or a text, found the end"),
        ("status = 'x", "character 10: a quotation that does not end"),
        ("status = 'sleeping'", "no status"),
        ("stats = 'x'", "'stats' is no column"),
        ("metric.a ~ 1", "character 10: '~' means nothing here"),
        ("metrics.loss < 0.5; DROP TABLE runs", "character 19: ';' means nothing here"),
        ("name = '' OR 1=1 --", "character 14: expected the name of a column, found '1'"),
        ("name = 'a' UNION SELECT 1", "character 12: expected AND, OR or the end, found 'UNION'"),
        ("metrics.loss LIKE 'a'", "is a number"),
        ("metrics.loss = '1'", "is a number"),
        ("tags.a < 1", "is a text"),
        ("created_at > 'yesterday'", "is an instant"),
        ("job.end_time > '2026-13-01'", "is an instant"),
        ("seed > '2026-01-01'", "is a number"),
        ("name IN ()", "character 10: expected a number or a text"),
        ("name = 'a\x00'", "cannot be kept"),
        ("metrics.`a\x1b` = 1", "cannot be printed"),
        ("metrics. = 1", "expected a key after metrics."),
        ("name LIKE '" + "%a" * 11 + "'", "too many %"),
        ("(" * (DEEPEST + 1) + "seed = 1" + ")" * (DEEPEST + 1), "too many parentheses"),
        ("name LIKE '" + "a" * 201 + "'", "too long"),
        (" and ".join(["seed = 1"] * (MOST + 1)), "too many comparisons"),
        ("(" * 1_000_000, "1,000,000 characters"),
        ("name IN (" + ",".join("1" * 2000) + ")", "too many values"),
    ],
    ids=lambda text: str(text)[:30].replace("\x00", "0").replace("\x1b", "E"),
)
def test_what_is_no_filter_is_refused_with_the_place_and_a_hint(asked: str, told: str) -> None:
    with pytest.raises(Wrong) as error:
        condition(RUNS, asked)
    assert told in error.value.message
    assert error.value.hint


def test_texts_are_never_sql(store: Store) -> None:
    number = experiment(store)
    evil = "'); DROP TABLE runs; --"
    id = run(store, number, tags={"a": evil}).run_id
    quoted = evil.replace("'", "''")

    with store.reading() as connection:
        page = runs.page(connection, Wanted(filter=f"tags.a = '{quoted}'"))
        assert [row.run_id for row in page.rows] == [id]
        assert runs.page(connection, Wanted(filter=f"tags.`{evil}` = 'x'")).rows == []


def test_as_many_parentheses_and_comparisons_as_are_allowed_are_answered(store: Store) -> None:
    experiment(store)
    deep = "(" * DEEPEST + "seed = 1 or metrics.a < 1" + ")" * DEEPEST
    wide = " or ".join(f"tags.k{count} = 'x' " for count in range(MOST))
    long = "name in (" + ",".join(["'x'"] * 1000) + ")"

    with store.reading() as connection:
        for asked in (deep, wide, long):
            assert runs.page(connection, Wanted(filter=asked)).rows == []


@pytest.mark.parametrize("name", ["seed", "metrics.a", "params.a", "job.cpus", "started_at"])
@pytest.mark.parametrize("sign", ["in", "not in"])
def test_as_many_numbers_as_are_allowed_are_answered(store: Store, name: str, sign: str) -> None:
    experiment(store)
    numbers = ",".join(f"{count}.5" if count % 2 else str(count) for count in range(1000))

    with store.reading() as connection:
        assert runs.page(connection, Wanted(filter=f"{name} {sign} ({numbers})")).rows == []


def test_a_large_whole_number_is_told_from_its_neighbour_beside_a_fraction(store: Store) -> None:
    number = experiment(store)
    ids = [run(store, number, seed=2**53 + more).run_id for more in (0, 1)]

    with store.reading() as connection:
        found = runs.page(connection, Wanted(filter=f"seed in (0.5, {2**53 + 1})")).rows
        assert [row.run_id for row in found] == ids[1:]
