"""What of a configuration must fit together is refused with the place where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.core.settings_read import Layer, read_layers


def read(tables: dict[str, Any]) -> None:
    lines = {("accounts", "b", "parent"): 4, ("qos", "x", "preempts"): 7}

    def where(path: tuple[str, ...]) -> str:
        return f" line {lines[path]}" if path in lines else ""

    read_layers([Layer(source="my.toml", tables=tables, where=where)])


@pytest.mark.parametrize(
    ("tables", "message", "hint"),
    [
        (
            {"accounts": {"a": {"parent": "b"}, "b": {"parent": "a"}}},
            "my.toml: accounts.a.parent: the account a is below itself",
            "another parent",
        ),
        (
            {"accounts": {"physics": {}, "b": {"parent": "phisics"}}},
            "my.toml line 4: accounts.b.parent: there is no account 'phisics'",
            "did you mean physics?",
        ),
        ({"accounts": {"root": {}}}, "my.toml: accounts.root is always there", "below it"),
        (
            {"qos": {"x": {"preempts": ["y"]}, "y": {"preempts": ["x"]}}},
            "my.toml line 7: qos.x.preempts: the QOS x would preempt itself",
            "only one of two",
        ),
        (
            {"qos": {"x": {"preempts": ["z"]}}},
            "my.toml line 7: qos.x.preempts: there is no QOS 'z'",
            "there are: x",
        ),
        (
            {"qos": {"x": {}}, "defaults": {"qos": "y"}},
            "my.toml: defaults.qos: there is no QOS 'y'",
            "there are: x",
        ),
        (
            {"scheduler": {"preempt_gap": 5, "order": "sjf"}},
            "my.toml: scheduler.preempt_gap needs order priority, not sjf",
            "leave preempt_gap out",
        ),
        (
            {"scheduler": {"order": "sjf"}, "partitions": {"p": {"time_sliced": True}}},
            "my.toml: partitions.p.time_sliced needs order priority, not sjf",
            "leave it out",
        ),
        ({"priority": {"age": float("nan")}}, "my.toml: priority.age: 'nan' is out of", "0 to"),
        ({"priority": {"age": "NaN"}}, "my.toml: priority.age: 'NaN' is out of range", "0 to"),
        ({"priority": {"age": float("inf")}}, "my.toml: priority.age: 'inf' is out of", "0 to"),
        ({"priority": {"age": -1}}, "my.toml: priority.age: '-1' is out of range", "0 to"),
        ({"priority": {"age": True}}, "my.toml: priority.age: 'True' is of the wrong type", "1.5"),
        ({"priority": {"tres": {"gpus": "x"}}}, "my.toml: priority.tres.gpus: 'x' is no", "1.5"),
        ({"accounts": {"a": {"users": 3}}}, "my.toml: accounts.a.users is a table", "write"),
        ({"accounts": {"a": {"shares": float("nan")}}}, "my.toml: accounts.a.shares: 'nan'", "0"),
        ({"qos": {"x": {"preempts": 3}}}, "my.toml line 7: qos.x.preempts: '3' is no list", "["),
        ({"qos": {"x": {"max_tme": 3}}}, "my.toml: [qos.x] has no key 'max_tme'", "max_time"),
        ({"scheduler": {"order": "sfj"}}, "my.toml: scheduler.order: 'sfj' is not a", "sjf"),
        ({"qos": 3}, "my.toml: qos is a section", "[qos]"),
        ({"qos": {"x": 3}}, "my.toml: qos.x is a table", "[qos.NAME]"),
    ],
)
def test_what_does_not_fit(tables: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(Wrong) as refused:
        read(tables)
    assert refused.value.message.startswith(message)
    assert hint in (refused.value.hint or "")
