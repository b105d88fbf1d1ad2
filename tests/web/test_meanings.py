"""The sentences below fields are read with them."""

from __future__ import annotations

import msgspec

from hpcshell.web.meanings import meanings


class Plain(msgspec.Struct):
    """A document."""

    name: str
    """What it is
    called."""
    size: int = 0
    many: int = 0
    "of each"
    KIND = "none"
    """No field."""


class More(Plain):
    """Another."""

    size: int = 1
    """Bytes."""


def test_each_field_means_what_stands_below_it() -> None:
    assert meanings(Plain) == {"name": "What it is\ncalled.", "many": "of each"}


def test_fields_of_others_mean_what_they_did_there() -> None:
    assert meanings(More) == {**meanings(Plain), "size": "Bytes."}


def test_where_there_is_no_source_nothing_is_known() -> None:
    assert meanings(msgspec.defstruct("Made", ["name"], module="nowhere")) == {}
